"""Prices, quotes and volumes of instruments, made from the motion of the currencies behind them.

Every instrument X/Y is the value of X over the value of Y: XRP/BTC is XRP/USDT over BTC/USDT plus a
noise of two basis points, so that no triangle offers more than noise.
"""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.market.simulation.currencies import DOLLARS, Currency, currency
from tg_actors.market.simulation.world import BLOCK_BARS, PREHISTORY_BLOCKS, Motion, generator

_CROSS_NOISE = 2e-4
#: Turnover of a cross, as a part of that of its smaller leg.
_CROSS_TURNOVER_FRAC = 0.1
#: The bridge of :func:`candles` alone gives ranges of 2.08 mean absolute returns; real hours have 2.2.
_RANGE_SCALE = 1.08
_DIGITS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """Rows of ``n`` instruments in one block of ``m`` bars.

    ``ohlcv (n, m, 5)``, ``bid``/``ask (n, m)``; ``turbulence (n, m)`` is the standard deviation in
    force over its long-run value, ``sigma (n, m)`` that of a bar's log return; ``base_usd (n, m)`` the
    value of the base currency at the close.
    """

    ohlcv: F64
    bid: F64
    ask: F64
    turbulence: F64
    sigma: F64
    base_usd: F64


def legs(symbols: tuple[str, ...]) -> tuple[Currency, ...]:
    """The currencies behind some symbols, without dollars, each once.

    Raises:
        UserError: both sides of a symbol are worth the same.
    """
    names: dict[str, None] = {}
    for symbol in symbols:
        base, quote = symbol.split("/")
        if base == quote or (base in DOLLARS and quote in DOLLARS):
            raise UserError(
                f"{symbol} cannot be simulated, both sides are worth the same: choose another pair"
            )
        names.update(dict.fromkeys((base, quote)))
    return tuple(currency(name) for name in names if name not in DOLLARS)


def turnover_usd(base: str, quote: str) -> float:
    """What is traded of a pair in a day, dollars."""
    turnovers = [currency(name).turnover_usd for name in (base, quote) if name not in DOLLARS]
    return min(turnovers) * (1.0 if len(turnovers) == 1 else _CROSS_TURNOVER_FRAC)


class Printer:
    """Print the tape of instruments block by block; equal (seed, symbol, block, motion), equal rows."""

    def __init__(self, seed: int, symbols: tuple[str, ...], spread_bps: F64, bar_ns: int) -> None:
        self._seed = seed
        self._symbols = symbols
        self._spread_bps = spread_bps
        hours = bar_ns / (3_600 * 10**9)
        self.legs = legs(symbols)
        names = [one.name for one in self.legs]
        # Dollars are one more column of zeros behind the currencies.
        sides = [symbol.split("/") for symbol in symbols]
        self._base = np.array([names.index(base) if base in names else len(names) for base, _ in sides])
        self._quote = np.array([names.index(quote) if quote in names else len(names) for _, quote in sides])
        vols = np.array([one.vol_frac for one in self.legs]) * np.sqrt(hours / 8_766.0)
        weights = np.array([one.market_frac for one in self.legs])
        self._loads = np.append(vols * np.sqrt(weights), 0.0)
        self._own_vols = np.append(vols * np.sqrt(1.0 - weights), 0.0)
        self._turnover_usd = np.array([turnover_usd(b, q) for b, q in sides]) * hours / 24.0
        self._cross = np.array([not {b, q} & set(DOLLARS) for b, q in sides])

    def print(self, block: int, motion: Motion) -> Tape:
        """Turn the motion of :attr:`legs` into rows."""
        draws = self._draws(block)
        levels = _with_dollar(motion.levels)
        noise = np.zeros((len(self._symbols), BLOCK_BARS + 1))
        # None at the ends of a block, where two blocks meet.
        noise[:, 1:-1] = _CROSS_NOISE * self._cross[:, np.newaxis] * draws["noise"][:, 1:]
        path = (levels[:, self._base] - levels[:, self._quote]).T + noise
        sigma = np.sqrt(self._variance(motion.market_scale[:, np.newaxis], _with_dollar(motion.own_scale)))
        calm = np.sqrt(self._variance(np.ones((1, 1)), np.ones((1, len(self._loads)))))
        turbulence = sigma / calm
        ohlc = candles(path, sigma, draws["high"], draws["low"])
        base_usd = np.exp(levels[1:, self._base]).T
        volume = self._volumes(np.diff(path) / calm, turbulence, draws["volume"]) / base_usd
        bid, ask = self._quotes(ohlc[..., 3], turbulence, draws["spread"])
        ohlcv = np.concatenate((ohlc, rounded(volume)[..., np.newaxis]), axis=2)
        return Tape(ohlcv, bid, ask, turbulence, np.broadcast_to(sigma, turbulence.shape), base_usd)

    def _draws(self, block: int) -> dict[str, F64]:
        streams = [generator(self._seed, symbol, block + PREHISTORY_BLOCKS) for symbol in self._symbols]
        uniforms = np.stack([rng.random((2, BLOCK_BARS)) for rng in streams], axis=1)
        normals = np.stack([rng.standard_normal((3, BLOCK_BARS)) for rng in streams], axis=1)
        names = ("high", "low", "volume", "spread", "noise")
        return dict(zip(names, (*uniforms, *normals), strict=True))

    def _variance(self, market_scale: F64, own_scale: F64) -> F64:
        """Variance in force per bar, ``(n, m)``: the common factor partly cancels in a cross."""
        own = (self._own_vols * own_scale) ** 2
        load = self._loads[self._base] - self._loads[self._quote]
        variance: F64 = (load * market_scale) ** 2 + own[:, self._base] + own[:, self._quote]
        return variance.T

    def _volumes(self, moves: F64, turbulence: F64, normals: F64) -> F64:
        """Turnover in dollars: more when the market is wild, and when this bar moved far."""
        shape = turbulence**0.8 * np.sqrt(0.3 + np.abs(moves / turbulence)) * np.exp(0.65 * normals)
        return self._turnover_usd[:, np.newaxis] * shape

    def _quotes(self, closes: F64, turbulence: F64, normals: F64) -> tuple[F64, F64]:
        """Bid and ask around the close, wider in turbulence; rounded outwards, so never crossed."""
        wide = np.clip(turbulence, 0.25, 8.0) ** 0.7 * np.exp(0.15 * normals)
        half = self._spread_bps[:, np.newaxis] * wide * 0.5e-4
        return rounded(closes * (1.0 - half), np.floor), rounded(closes * (1.0 + half), np.ceil)


def _with_dollar(columns: F64) -> F64:
    return np.concatenate((columns, np.zeros((len(columns), 1))), axis=1)


def candles(path: F64, sigma: F64, u_high: F64, u_low: F64) -> F64:
    """Open, high, low, close ``(n, m, 4)`` of log paths ``(n, m + 1)``.

    The extremes of a Brownian bridge between open and close have a closed form; drawn independently
    of each other, which is right but for bars that hardly move (P. Glasserman, Monte Carlo Methods in
    Financial Engineering, 2003, section 6.4).
    """
    opens, closes = path[:, :-1], path[:, 1:]
    spread, middle = (closes - opens) ** 2, (opens + closes) / 2.0
    # 1 - u is never 0.
    bridge = -2.0 * (_RANGE_SCALE * sigma) ** 2
    highs = middle + np.sqrt(spread + bridge * np.log(1.0 - u_high)) / 2.0
    lows = middle - np.sqrt(spread + bridge * np.log(1.0 - u_low)) / 2.0
    return rounded(np.exp(np.stack((opens, highs, lows, closes), axis=2)))


def rounded(numbers: F64, rounding: np.ufunc = np.rint) -> F64:
    """Round positive numbers to six significant digits; keeps their order."""
    exponent = np.floor(np.log10(np.maximum(numbers, 1e-12))).astype(np.int64)
    shift = np.minimum(_DIGITS - 1 - exponent, 22)
    # Powers of ten up to 22 are exact, so the quotient is the float nearest to the decimal.
    up, down = 10.0 ** np.maximum(shift, 0), 10.0 ** np.maximum(-shift, 0)
    result: F64 = rounding(numbers * up / down) * down / up
    return result
