"""A market whose meaning changes on a known day: what learned on it before is wrong after. Pure, seeded.

A signal of -2..2 per instrument stays or goes one step; the mean return of the next bar is the signal times
an edge times its meaning, 1 before the change and -1 after it. Nothing that is observed tells the meaning.
"""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.rl.market import F32, LearningMarket

#: What is observed beside the account: the signal, and a column that means nothing.
COLUMNS = ("signal", "noise")
_HIGHEST = 2
_T_DEGREES, _T_STD = 4, 2.0**0.5
_FIRST_PRICE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangingMarket:
    """``days`` of ``bars_per_day`` bars; the meaning turns over at the beginning of ``change_day``, or never.

    ``edge_frac`` a bar for a signal of 1, ``deviation_frac`` of a bar's noise (Student's t with four degrees
    of freedom), ``worse_frac`` the slippage, ``stays`` how likely a signal stays as it is.
    """

    seed: int
    days: int
    change_day: int | None
    bars_per_day: int = 24
    assets: int = 4
    edge_frac: float = 0.0006
    deviation_frac: float = 0.006
    worse_frac: float = 0.0002
    stays: float = 0.95

    @property
    def key(self) -> str:
        """What names the market in records."""
        turns = "never" if self.change_day is None else f"on day {self.change_day}"
        return f"changing market, seed {self.seed}, turns {turns}"

    def meaning(self) -> F64:
        """Return the meaning of the signal on every bar ``(T,)``."""
        day = np.arange(self.days * self.bars_per_day) // self.bars_per_day
        turned = np.zeros(len(day), dtype=bool) if self.change_day is None else day >= self.change_day
        return np.where(turned, -1.0, 1.0)

    def open_(self) -> tuple[LearningMarket, I64]:
        """Return the market and its signals ``(T, A)``; the same numbers every time."""
        rng = np.random.default_rng(self.seed)
        bars = self.days * self.bars_per_day
        signals = _signals(rng, bars, self.assets, self.stays)
        noise = rng.standard_t(_T_DEGREES, (bars, self.assets)) * (self.deviation_frac / _T_STD)
        # What is seen at the close of a bar moves the next one.
        moves = noise
        moves[1:] += self.edge_frac * self.meaning()[:-1, np.newaxis] * signals[:-1]
        close = _FIRST_PRICE * np.exp(np.cumsum(moves, axis=0))
        open_ = np.vstack((np.full(self.assets, _FIRST_PRICE), close[:-1]))
        observed: F32 = np.stack((signals / _HIGHEST, rng.standard_normal(signals.shape)), axis=-1).astype(
            np.float32
        )
        market = LearningMarket(
            open_=open_,
            close=close,
            observed=observed,
            names=COLUMNS,
            worse=np.full(close.shape, self.worse_frac),
            move_frac=np.full(self.assets, self.deviation_frac),
        )
        return market, signals


def rules_of_hand(signals: I64) -> dict[str, F64]:
    """Return the targets ``(T, A)`` of the rigid rules of this market: with the signal, against it, cash."""
    sign = np.sign(signals).astype(np.float64)
    extreme = np.where(np.abs(signals) == _HIGHEST, sign, 0.0)
    return {
        "with_signal": sign,
        "against_signal": -sign,
        "with_extremes": extreme,
        "against_extremes": -extreme,
        "cash": np.zeros(sign.shape),
    }


def _signals(rng: np.random.Generator, bars: int, assets: int, stays: float) -> I64:
    """Walks that stay, or go a step up or down and never beyond the ends."""
    draws = rng.random((bars, assets))
    steps = np.where(draws < stays, 0, np.where(draws < (1.0 + stays) / 2.0, 1, -1))
    signals = np.zeros((bars, assets), dtype=np.int64)
    now = rng.integers(-_HIGHEST, _HIGHEST + 1, assets)
    for bar in range(bars):
        now = np.clip(now + steps[bar], -_HIGHEST, _HIGHEST)
        signals[bar] = now
    return signals
