"""From target exposures to wishes: what should be bought or sold, for all instruments at once.

Floats decide *whether* and *which way* to move; :mod:`tg_actors.risk.sizing` decides *how much*, in
Decimal. Everything here is in the reporting currency, arrays have the shape ``(n,)``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import Account, Quotes, Targets
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg
from tg_actors.risk.limits import RiskLimits

#: Protective stops are kept within these fractions of the price, whatever the volatility.
STOP_FRAC_MIN = 0.001
STOP_FRAC_MAX = 0.5


@dataclass(frozen=True, slots=True)
class Wish:
    """A wanted change of one position, not judged yet.

    ``exposure`` is the target in -1..1. An EXIT shrinks or closes: ``closes`` says that nothing is
    to remain, otherwise ``notional`` (reporting currency) is to go. The size of an ENTRY is left
    to the sizing. ``bid``, ``ask``, ``atr`` in quote currency, possibly NaN; ``rate`` None unknown.
    """

    row: int
    instrument: Instrument
    side: Side
    leg: Leg
    closes: bool
    exposure: float
    notional: float
    confidence: float
    held: Decimal
    bid: float
    ask: float
    atr: float
    fresh: float
    rate: Decimal | None

    @property
    def mid(self) -> float:
        """Mid price in quote currency, NaN when unknown."""
        return (self.bid + self.ask) / 2.0


@dataclass(frozen=True, slots=True)
class _Moves:
    """Targets against positions, ``(n,)`` each: where to move, how far, and what that means."""

    aim: F64
    delta: F64
    wanted: NDArray[np.bool_]
    exits: NDArray[np.bool_]
    closes: NDArray[np.bool_]


class WishFinder:
    """Compares targets with positions. Knows the order of the instruments, nothing else."""

    def __init__(self, limits: RiskLimits, instruments: Sequence[Instrument]) -> None:
        self._instruments = tuple(instruments)
        self._rows = {instrument.symbol: row for row, instrument in enumerate(instruments)}
        quotes = dict.fromkeys(instrument.quote for instrument in instruments)
        self._rows_of_quote = {
            quote: np.array([row for row, i in enumerate(instruments) if i.quote == quote])
            for quote in quotes
        }
        self._lowest = -1.0 if limits.allow_short else 0.0
        self._position_frac = float(limits.position_frac_max)
        self._risk_frac = float(limits.risk_per_trade_frac)
        self._stop_multiple = float(limits.stop_atr_multiple)
        self._band_frac = float(limits.rebalance_band_frac)

    def find(self, targets: Targets, quotes: Quotes, account: Account) -> list[Wish]:
        """Return exits in the order of the instruments, then entries, the most confident first.

        A full exposure is worth ``equity * min(position_frac_max, risk_per_trade_frac / stop_frac)``,
        where ``stop_frac`` is the distance of the protective stop: positions shrink as markets get
        wilder. There is a wish where target and position differ by the rebalance band or more, where
        a held instrument's target is flat, and where the difference cannot be known (no price, no
        equity): such a wish is then denied, not dropped. A position whose target lies inside the
        band, or on the other side, is closed; a flip therefore closes first and may enter in a later
        cycle. NaN exposure leaves the position alone.
        """
        moves = self._compare(targets, quotes, account)
        rows = np.flatnonzero(moves.wanted & np.isfinite(targets.exposure))
        leaving, entering = rows[moves.exits[rows]], rows[~moves.exits[rows]]
        confident_first = entering[np.argsort(-targets.confidence[entering], kind="stable")]
        return [
            self._wish(row, moves, targets, quotes, account)
            for row in (*leaving.tolist(), *confident_first.tolist())
        ]

    def _compare(self, targets: Targets, quotes: Quotes, account: Account) -> _Moves:
        held, mid = self._held(account), quotes.mid
        sign, holds = np.sign(held), held != 0
        equity = float(account.equity) if account.equity > ZERO else np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            # Only a flat book can wish for a short: a long one is closed first, allowed or not.
            aim = _bounded(targets.exposure, np.where(holds, self._lowest, -1.0), 1.0)
            worth = self._full_worth(quotes.atr / mid, equity)
            band = worth * self._band_frac
            desired = aim * worth
            current = np.where(holds, held * mid * self._rates(account), 0.0)
            delta = desired - current
            wanted = ~np.isfinite(delta) | ((np.abs(delta) >= band) & (delta != 0)) | (holds & (aim == 0))
            away = aim * sign <= 0
            exits = holds & (away | (delta * sign < 0))
            closes = exits & (away | (np.abs(desired) < band))
        return _Moves(aim, delta, wanted, exits, closes)

    def _wish(self, row: int, moves: _Moves, targets: Targets, quotes: Quotes, account: Account) -> Wish:
        instrument, exits = self._instruments[row], bool(moves.exits[row])
        held = account.positions.get(instrument.symbol, ZERO)
        sells = held > ZERO if exits else moves.aim[row] < 0
        return Wish(
            row=row,
            instrument=instrument,
            side=Side.SELL if sells else Side.BUY,
            leg=Leg.EXIT if exits else Leg.ENTRY,
            closes=bool(moves.closes[row]),
            exposure=float(moves.aim[row]),
            notional=abs(float(moves.delta[row])),
            confidence=float(targets.confidence[row]),
            held=held,
            bid=float(quotes.bid[row]),
            ask=float(quotes.ask[row]),
            atr=float(quotes.atr[row]),
            fresh=float(quotes.fresh[row]),
            rate=account.rates.get(instrument.quote),
        )

    def _held(self, account: Account) -> F64:
        held = np.zeros(len(self._instruments))
        for symbol, quantity in account.positions.items():
            # A position outside the desk makes the account unknown; nothing is approved then.
            if symbol in self._rows:
                held[self._rows[symbol]] = float(quantity)
        return held

    def _rates(self, account: Account) -> F64:
        rates = np.full(len(self._instruments), np.nan)
        for quote, rows in self._rows_of_quote.items():
            if quote in account.rates:
                rates[rows] = float(account.rates[quote])
        return rates

    def _full_worth(self, atr_frac: F64, equity: float) -> F64:
        """What full exposure is worth; without a known volatility the position limit alone counts."""
        stop_frac = _bounded(self._stop_multiple * atr_frac, STOP_FRAC_MIN, STOP_FRAC_MAX)
        by_risk = np.where(np.isfinite(stop_frac), self._risk_frac / stop_frac, np.inf)
        worth: F64 = np.minimum(by_risk, self._position_frac) * equity
        return worth


def _bounded(x: F64, low: F64 | float, high: float) -> F64:
    """Cut off at both ends, NaN stays NaN; np.clip takes five times as long on short arrays."""
    return np.minimum(np.maximum(x, low), high)
