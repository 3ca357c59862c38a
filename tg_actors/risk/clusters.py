"""How much of a cluster of correlated instruments is held or ordered, worst case. Pure.

The roadmap's "less than 10 % correlated" cannot mean correlations, which are 0.6 between any two coins: it
means that what is exposed to one cluster stays a small part of equity.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import Account
from tg_actors.domain.money import ZERO
from tg_actors.portfolio.clusters import UNKNOWN, find_clusters
from tg_actors.portfolio.correlation import WINDOWS_DAYS, Threshold, correlate
from tg_actors.risk.limits import RiskLimits


def threshold_of(limits: RiskLimits) -> Threshold:
    """Return from which correlation on instruments are one cluster to an owner."""
    return Threshold(float(limits.cluster_correlation_min), float(limits.cluster_correlation_max))


class ClusterFinder:
    """Labels instruments from their daily closes; a function of the closes, so it survives any crash.

    The newest answer is kept: closes change once a day.
    """

    def __init__(self, limits: RiskLimits, n: int) -> None:
        self._threshold = threshold_of(limits)
        self._unknown = (UNKNOWN,) * n
        self._closes: bytes | None = None
        self._labels = self._unknown

    def find(self, closes: F64 | None) -> tuple[int, ...]:
        """Return every instrument's cluster, UNKNOWN where too few days are known, or none at all."""
        if closes is None or not len(closes):
            return self._unknown
        if (seen := closes.tobytes()) != self._closes:
            self._closes = seen
            self._labels = find_clusters(correlate(closes, max(WINDOWS_DAYS)).matrix, self._threshold)
        return self._labels


@dataclass(slots=True)
class Clusters:
    """Worst-case exposure by cluster, in the reporting currency; grows with what is approved.

    Positions and orders count by their size, whatever their side: what looks like a hedge inside a cluster
    is none on the day on which the correlation ends. Who has no known cluster may belong to any: it counts
    in every cluster, and its own is the fullest.
    """

    label_of: dict[str, int]
    worst: dict[int, Decimal] = field(default_factory=dict)

    @classmethod
    def of(cls, symbols: Sequence[str], labels: Sequence[int], account: Account) -> "Clusters":
        """Sum up the books. They must be known: every position has a mark and a rate."""
        clusters = cls(dict(zip(symbols, labels, strict=True)))
        for symbol, quantity in account.positions.items():
            quote = symbol.partition("/")[2]
            clusters.add(symbol, abs(quantity) * account.marks[symbol] * account.rates[quote])
        for symbol, notional in account.open_notional.items():
            clusters.add(symbol, notional)
        return clusters

    def add(self, symbol: str, notional: Decimal) -> None:
        """Count some more exposure to an instrument."""
        label = self.label_of.get(symbol, UNKNOWN)
        self.worst[label] = self.worst.get(label, ZERO) + notional

    def used(self, symbol: str) -> Decimal:
        """Return the most that may be exposed to the instrument's cluster."""
        anywhere = self.worst.get(UNKNOWN, ZERO)
        label = self.label_of.get(symbol, UNKNOWN)
        if label != UNKNOWN:
            return anywhere + self.worst.get(label, ZERO)
        return anywhere + max((w for label, w in self.worst.items() if label != UNKNOWN), default=ZERO)
