"""Small markets for baselines and tuning: noise, a planted trend, and bar files of them."""

from pathlib import Path

import duckdb
import numpy as np

from tg_actors.backtest.market_bars import MarketBars, bars_of
from tg_actors.domain.blocks import F64

HOUR_NS = 3_600 * 10**9
START_NS = 1_704_067_200 * 10**9


def candles(log_close: F64, seed: int = 0) -> F64:
    """Sound bars ``(T, n, 5)`` around a path of log closes ``(T, n)``."""
    rng = np.random.default_rng(seed)
    close = np.exp(log_close)
    open_ = np.vstack((close[:1], close[:-1])) * (1.0 + rng.normal(0, 1e-4, close.shape))
    reach = np.abs(rng.normal(0, 2e-3, (2, *close.shape)))
    high, low = np.maximum(open_, close) * (1 + reach[0]), np.minimum(open_, close) * (1 - reach[1])
    return np.stack((open_, high, low, close, rng.lognormal(5, 1, close.shape)), axis=2)


def noise(count: int, n: int, seed: int = 0, holes: float = 0.0) -> MarketBars:
    """A market without anything to find; a part of its bars may be missing, and one lists late."""
    rng = np.random.default_rng(seed)
    common = rng.normal(0, 0.008, (count, 1))
    log_close = np.log(100.0) + np.cumsum(common + rng.normal(0, 0.006, (count, n)), axis=0)
    ohlcv = candles(log_close, seed)
    ohlcv[rng.random((count, n)) < holes] = np.nan
    if holes:
        ohlcv[: count // 5, 0] = np.nan
    close_ns = START_NS + (np.arange(count, dtype=np.int64) + 1) * HOUR_NS
    return bars_of([f"C{k}/USDT" for k in range(n)], HOUR_NS, close_ns, ohlcv)


def trending(count: int, n: int, seed: int = 0, drift: float = 0.0025, days: int = 5) -> F64:
    """Bars ``(T, n, 5)`` of a market that rises for some days, then falls for as many."""
    rng = np.random.default_rng(seed)
    way = np.where(np.arange(count) // (24 * days) % 2 == 0, 1.0, -0.9)[:, np.newaxis]
    return candles(np.log(100.0) + np.cumsum(drift * way + rng.normal(0, 0.004, (count, n)), axis=0), seed)


def write_candles(folder: Path, symbols: tuple[str, ...], ohlcv: F64) -> None:
    """Write bars as the history store of recorded markets expects them."""
    (folder / "ohlcv").mkdir(exist_ok=True)
    names = ("open", "high", "low", "close", "volume")
    for k, symbol in enumerate(symbols):
        opens = (START_NS + np.arange(len(ohlcv), dtype=np.int64) * HOUR_NS).tolist()
        path = folder / "ohlcv" / f"BINANCE_{symbol.replace('/', '-')}_1h.parquet"
        plain = ", ".join(f"unnest(?::DOUBLE[]) AS {name}" for name in names)
        with duckdb.connect(":memory:") as connection:
            connection.execute(
                f"COPY (SELECT to_timestamp(open_ns / 1e9) AS timestamp, {', '.join(names)} FROM "
                f"(SELECT unnest(?::BIGINT[]) AS open_ns, {plain})) TO '{path}'",
                [opens, *ohlcv[:, k].T.tolist()],
            )
