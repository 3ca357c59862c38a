"""The simulated market: one price path per seed, in virtual time, the same for desk and exchange."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import from_float, to_step
from tg_actors.simulation.scheduler import NS, START_NS

BAR_NS = 60 * NS
#: Prices move this often.
TICK_NS = 5 * NS
_JUMP_FRAC = 0.004
_FEATURES = ("ema_9", "ema_50", "atr_14", "bb_upper", "bb_lower", "kc_upper", "kc_lower")
_SPREAD_FRAC = 0.0002
_ATR_FRAC = 0.004


def _instrument(symbol: str, tick: str, lot: str) -> Instrument:
    return Instrument(
        symbol=symbol,
        tick=Decimal(tick),
        lot=Decimal(lot),
        quantity_min=Decimal(lot),
        notional_min=Decimal(5),
    )


INSTRUMENTS = (
    _instrument("BTC/USDT", "0.1", "0.00001"),
    _instrument("ETH/USDT", "0.01", "0.0001"),
    _instrument("XRP/USDT", "0.0001", "0.1"),
)
_OPENING = (40_000.0, 2_500.0, 0.5)


class Prices:
    """Mid prices per instrument and instant: a random walk with jumps, drawn once."""

    def __init__(self, rng: np.random.Generator, duration_ns: int) -> None:
        self.instruments = INSTRUMENTS
        self._rows = {instrument.symbol: row for row, instrument in enumerate(INSTRUMENTS)}
        ticks = duration_ns // TICK_NS + 2
        volatility = 0.0003 + 0.0022 * rng.random()
        moves = rng.normal(0.0, volatility, (len(INSTRUMENTS), ticks))
        jumps = rng.normal(0.0, 0.02, moves.shape) * (rng.random(moves.shape) < _JUMP_FRAC)
        paths = np.array(_OPENING)[:, np.newaxis] * np.exp(np.cumsum(moves + jumps, axis=1))
        self._paths = [
            [
                to_step(from_float(price), instrument.tick, ROUND_HALF_EVEN)
                for price in np.round(path, 6).tolist()
            ]
            for instrument, path in zip(INSTRUMENTS, paths, strict=True)
        ]

    def mid(self, symbol: str, at_ns: int) -> Decimal:
        """Mid price at an instant, on the tick."""
        path = self._paths[self._rows[symbol]]
        return path[min((at_ns - START_NS) // TICK_NS, len(path) - 1)]

    def snapshot(self, cycle: int, at_ns: int, *, stale: Sequence[str] = ()) -> MarketSnapshot:
        """What the desk sees of the market at the close of a bar; ``stale`` instruments had none."""
        symbols = tuple(instrument.symbol for instrument in INSTRUMENTS)
        mids = np.array([float(self.mid(symbol, at_ns)) for symbol in symbols])
        silent = np.array([symbol in stale for symbol in symbols])
        flat = np.repeat(mids[:, np.newaxis], 5, axis=1)
        features = np.repeat(mids[:, np.newaxis], len(_FEATURES), axis=1)
        features[:, _FEATURES.index("atr_14")] = mids * _ATR_FRAC
        return MarketSnapshot(
            cycle=cycle,
            at_ns=at_ns,
            bar_ns=BAR_NS,
            symbols=symbols,
            ohlcv=flat,
            bid=mids * (1 - _SPREAD_FRAC),
            ask=mids * (1 + _SPREAD_FRAC),
            close_ns=np.where(silent, at_ns - BAR_NS, at_ns).astype(np.int64),
            bars_seen=np.full(len(symbols), 100, dtype=np.int64),
            feature_names=_FEATURES,
            features=features,
        )
