"""How good the regimes are: against the truth of the simulated market, and how steady on any market. Pure.

Three ways to tell a regime are compared: the filter of ``meta/regimes``, the two thresholds of
``meta/thresholds``, and always naming the most frequent regime of the very truth (which nobody could know).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import log

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.message import Message
from tg_actors.meta.regime_shapes import REGIMES, Regime
from tg_actors.meta.regimes import RegimeFilter
from tg_actors.meta.thresholds import ThresholdConfig, label

#: A spell of the truth that is shorter is over before anybody could act on it.
SPELL_BARS_MIN = 12
#: A probability is never worse than this in the log score: the filter's digits end there.
_CHANCE_MIN = 1e-4

FILTER, THRESHOLDS, FREQUENT = "filter", "thresholds", "most frequent"


@dataclass(slots=True)
class Watched:
    """What was said of every cycle of one market, and what was true; no ``truth`` where nobody knows."""

    labels: dict[str, list[str]]
    chances: list[float]
    truth: list[str]


class Steadiness(Message):
    """How long a label lasts: ``duration_bars`` is the mean, ``flips`` are changes in a thousand bars."""

    duration_bars: float
    flips_per_1000_bars: float
    share: dict[str, float]


class Accuracy(Message):
    """Labels against the truth.

    ``accuracy`` over all bars, ``recall`` per regime, ``balanced`` their mean. Of the true spells of
    ``SPELL_BARS_MIN`` bars or more, ``found_frac`` were named at some time, ``delay_bars`` after their
    beginning in the mean, None when none was. ``confusion`` counts bars, truth before label.
    """

    bars: int
    accuracy: float
    balanced: float
    recall: dict[str, float]
    found_frac: float
    delay_bars: float | None
    confusion: dict[str, dict[str, int]]


def watch(
    observe: Callable[[int], MarketSnapshot | None],
    regimes: RegimeFilter,
    cycles: Iterable[int],
    truth: Callable[[int], str] | None = None,
) -> Watched:
    """Tell the regime of every cycle in both ways, from the first one on that both can tell."""
    watched = Watched({FILTER: [], THRESHOLDS: []}, [], [])
    for cycle in cycles:
        snapshot = observe(cycle)
        if snapshot is None:
            break
        view, old = regimes.view(snapshot), label(snapshot, ThresholdConfig())
        if view is None or old is Regime.UNKNOWN:
            continue
        watched.labels[FILTER].append(view.regime)
        watched.labels[THRESHOLDS].append(old.value)
        if truth is not None:
            watched.truth.append(truth(cycle))
            watched.chances.append(max(view.probabilities[watched.truth[-1]], _CHANCE_MIN))
    return watched


def most_frequent(markets: Sequence[Watched]) -> None:
    """Add the labels of somebody who always names the regime that was true most often."""
    truth = [regime for market in markets for regime in market.truth]
    best = max(REGIMES, key=lambda regime: truth.count(regime.value)).value
    for market in markets:
        market.labels[FREQUENT] = [best] * len(market.truth)


def log_scores(markets: Sequence[Watched]) -> tuple[float, float]:
    """Mean log probability of the truth, as the filter gave it and as its shares of all bars give it."""
    truth = [regime for market in markets for regime in market.truth]
    chances = [chance for market in markets for chance in market.chances]
    share = {regime: truth.count(regime) / len(truth) for regime in set(truth)}
    return sum(map(log, chances)) / len(chances), sum(log(share[regime]) for regime in truth) / len(truth)


def accuracy(markets: Sequence[Watched], way: str) -> Accuracy:
    """Compare the labels of one way with the truth, over all markets."""
    names = [regime.value for regime in REGIMES]
    confusion = {true: dict.fromkeys(names, 0) for true in names}
    for market in markets:
        for true, said in zip(market.truth, market.labels[way], strict=True):
            confusion[true][said] += 1
    bars = sum(sum(row.values()) for row in confusion.values())
    recall = {true: row[true] / total for true, row in confusion.items() if (total := sum(row.values()))}
    delays = [delay for market in markets for delay in _delays(market.truth, market.labels[way])]
    found = [delay for delay in delays if delay is not None]
    return Accuracy(
        bars=bars,
        accuracy=sum(confusion[name][name] for name in names) / bars,
        balanced=sum(recall.values()) / len(recall),
        recall=recall,
        found_frac=len(found) / len(delays) if delays else 0.0,
        delay_bars=sum(found) / len(found) if found else None,
        confusion=confusion,
    )


def steadiness(markets: Sequence[Watched], way: str) -> Steadiness:
    """Tell how long the labels of one way last."""
    said = [market.labels[way] for market in markets]
    bars = sum(len(labels) for labels in said)
    flips = sum(before != after for labels in said for before, after in pairwise(labels))
    spells = flips + len(said)
    names = [regime.value for regime in REGIMES]
    return Steadiness(
        duration_bars=bars / spells,
        flips_per_1000_bars=1000.0 * flips / bars,
        share={name: sum(labels.count(name) for labels in said) / bars for name in names},
    )


def _delays(truth: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """Bars from the beginning of each true spell until it was named, None where it never was."""
    delays: list[int | None] = []
    at = 0
    for number, (regime, bars) in enumerate((regime, len(list(same))) for regime, same in groupby(truth)):
        if number and bars >= SPELL_BARS_MIN:  # the first spell began before we looked
            said = labels[at : at + bars]
            delays.append(said.index(regime) if regime in said else None)
        at += bars
    return delays
