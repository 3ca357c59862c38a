"""What was recorded of one run, in the form from which every metric is computed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.money import ZERO
from tg_actors.portfolio import metrics
from tg_actors.portfolio.metrics_trades import Excursion
from tg_actors.portfolio.trades import ClosedTrade


class EquityPoint(NamedTuple):
    """The marked account at one instant, in the reporting currency; ``at_ns`` strictly rising."""

    at_ns: int
    equity: Decimal
    gross_exposure: Decimal = ZERO


@dataclass(frozen=True, eq=False)
class Record:
    """Marks, round trips and costs of a whole account.

    Shapes: ``at_ns``/``equity``/``exposed (n,)``: marks in order, and whether any position was open.
    ``traded_notional``: sum of all fills' notionals; ``excursions``: one per trade, or none at all.
    """

    at_ns: I64
    equity: F64
    exposed: NDArray[np.bool_]
    trades: tuple[ClosedTrade, ...] = ()
    fees: Decimal = ZERO
    traded_notional: Decimal = ZERO
    excursions: tuple[Excursion, ...] = field(default=())

    @classmethod
    def of(
        cls,
        curve: Sequence[EquityPoint],
        trades: Sequence[ClosedTrade] = (),
        fees: Decimal = ZERO,
        traded_notional: Decimal = ZERO,
        excursions: Sequence[Excursion] = (),
    ) -> "Record":
        """Return the record of a run as the journal tells it."""
        return cls(
            at_ns=np.array([point.at_ns for point in curve], dtype=np.int64),
            equity=np.array([float(point.equity) for point in curve]),
            exposed=np.array([point.gross_exposure > ZERO for point in curve], dtype=bool),
            trades=tuple(trades),
            fees=fees,
            traded_notional=traded_notional,
            excursions=tuple(excursions),
        )

    @cached_property
    def returns(self) -> F64:
        """Daily returns, as in :func:`metrics.daily_returns`."""
        return metrics.daily_returns(self.at_ns, self.equity)

    @cached_property
    def between_closes(self) -> F64:
        """What other programs take for daily returns: none of the day on which a run begins."""
        closes = self.closes
        returns: F64 = closes[1:] / closes[:-1] - 1.0 if (closes > 0).all() else closes[:0]
        return returns

    @cached_property
    def closes(self) -> F64:
        """Equity at the end of every UTC day."""
        closes: F64 = self.equity[metrics.closing_marks(self.at_ns)]
        return closes

    @cached_property
    def profits(self) -> tuple[Decimal, ...]:
        """Profit of every trade in the reporting currency; empty when one of them is not known."""
        known = [trade.pnl_reporting for trade in self.trades if trade.pnl_reporting is not None]
        return tuple(known) if len(known) == len(self.trades) else ()
