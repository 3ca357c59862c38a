"""What else might have happened: the same trades, or the same candles, in another order. Pure, seeded."""

from dataclasses import dataclass

import numpy as np

from tg_actors.backtest.validation.bootstrap import Interval
from tg_actors.domain.blocks import F64
from tg_actors.portfolio.resampling import stationary

#: Columns of a bar: open, high, low, close.
_PRICES = 4
_CLOSE = 3


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """Total return and largest drawdown of every simulated account, ``(samples,)`` each, fractions."""

    total_return: F64
    drawdown: F64

    @property
    def ruin_frac(self) -> float:
        """Part of the accounts that lost everything."""
        return float((self.total_return <= -1.0).mean())

    def interval(self, figure: str, level_frac: float = 0.95) -> Interval:
        """Return the percentile interval of ``total_return`` or ``drawdown``."""
        values: F64 = getattr(self, figure)
        low, high = np.quantile(values, [(1.0 - level_frac) / 2.0, (1.0 + level_frac) / 2.0])
        return Interval(low=float(low), high=float(high), level_frac=level_frac)


def shuffled_trades(profits_frac: F64, *, seed: int, samples: int = 2_000) -> Outcomes:
    """Put the trades in random order: the total stays, the drawdown tells how lucky their order was.

    ``profits_frac (n,)``: profit of each trade as a fraction of the equity before it; they compound.
    """
    rng = np.random.default_rng(seed)
    order = rng.random((samples, profits_frac.size)).argsort(axis=1)
    return _outcomes(profits_frac[order])


def resampled_trades(profits_frac: F64, *, seed: int, samples: int = 2_000) -> Outcomes:
    """Draw as many trades with replacement: what other trades of the same kind would have made."""
    rng = np.random.default_rng(seed)
    return _outcomes(profits_frac[rng.integers(0, max(profits_frac.size, 1), (samples, profits_frac.size))])


def resampled_candles(ohlcv: F64, *, seed: int, block_bars: float) -> F64:
    """Return another market of the same candles: blocks of bars in random order, chained at their closes.

    Every bar keeps its shape relative to the close before it, and its volume; blocks of ``block_bars`` bars
    on average keep clusters of volatility and short trends, and destroy what is longer: a rule that lives on
    more than a block's length of memory earns nothing here. All instruments take the same blocks, so that
    what binds them together stays.

    Args:
        ohlcv: ``(n, instruments, 5)`` or ``(n, 5)``, finite; the first bar only gives the level.
        seed: of the blocks.
        block_bars: mean length of a block, at least 1.

    Raises:
        ValueError: a price is not finite and positive, or there are fewer than two bars.
    """
    prices = ohlcv[..., :_PRICES]
    if len(ohlcv) < 2 or not np.isfinite(ohlcv).all() or (prices <= 0.0).any():  # noqa: PLR2004 - a bar before it
        raise ValueError("candles must be two at least, finite, and their prices positive")
    shapes = prices[1:] / prices[:-1, ..., _CLOSE, np.newaxis]
    rng = np.random.default_rng(seed)
    order = stationary(rng, len(shapes), 1, block_bars)[0]
    drawn = shapes[order]
    before = np.concatenate(
        (np.ones_like(drawn[:1, ..., _CLOSE]), np.cumprod(drawn[:-1, ..., _CLOSE], axis=0))
    )
    other = np.empty_like(ohlcv)
    other[0] = ohlcv[0]
    other[1:, ..., :_PRICES] = drawn * (before * prices[0, ..., _CLOSE])[..., np.newaxis]
    other[1:, ..., _PRICES:] = ohlcv[1:][order][..., _PRICES:]
    return other


def _outcomes(profits_frac: F64) -> Outcomes:
    grown = np.cumprod(np.maximum(1.0 + profits_frac, 0.0), axis=1)
    worth: F64 = np.concatenate((np.ones((len(grown), 1)), grown), axis=1)
    lost = 1.0 - worth / np.maximum.accumulate(worth, axis=1)
    return Outcomes(worth[:, -1] - 1.0, lost.max(axis=1))
