"""Words of the tests about flows: markets made by hand, as snapshots with windows and facts."""

import json
from pathlib import Path
from typing import TypeVar

import numpy as np
import yaml

from tg_actors.domain.blocks import F64, Facts, MarketSnapshot, Window
from tg_actors.domain.message import Message

SpecT = TypeVar("SpecT", bound=Message)

HOUR_NS = 3_600 * 10**9
#: A Monday, midnight UTC.
MONDAY_NS = 1_704_067_200 * 10**9
CONFIGS = Path(__file__).parents[1] / "configs" / "agents"

FLOW_FACTS = (
    "whale_buy_usd",
    "whale_sell_usd",
    "retail_buy_usd",
    "retail_sell_usd",
    "taker_buy_volume",
    "taker_sell_volume",
    "exchange_inflow_usd",
    "exchange_outflow_usd",
    "funding_rate_frac",
    "open_interest_usd",
)


def shipped(spec: type[SpecT], name: str) -> SpecT:
    """A spec from ``configs/agents``."""
    return spec.model_validate_json(json.dumps(yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())))


def bars(close: F64, rng: np.random.Generator, volume: F64 | None = None) -> F64:
    """Bars ``(w, n, 5)`` around closes ``(w, n)``; each opens where the one before closed."""
    opens = np.concatenate((close[:1], close[:-1]))
    wide = 0.002 * np.abs(rng.standard_normal((2, *close.shape)))
    high, low = np.maximum(opens, close) * (1 + wide[0]), np.minimum(opens, close) * (1 - wide[1])
    return np.stack(
        (opens, high, low, close, rng.lognormal(0, 1, close.shape) if volume is None else volume), 2
    )


def snapshot(
    ohlcv: F64 | None,
    n: int = 1,
    *,
    cycle: int = 0,
    end_ns: int = MONDAY_NS + 1_000 * HOUR_NS,
    bar_ns: int = HOUR_NS,
    facts: Facts | None = None,
    late_bars: int = 0,
) -> MarketSnapshot:
    """A snapshot at the close of the last bar; all instruments are equally late."""
    n = n if ohlcv is None else ohlcv.shape[1]
    symbols = tuple(f"A{i}/USDT" for i in range(n))
    newest = np.ones((n, 5)) if ohlcv is None else ohlcv[-1]
    return MarketSnapshot(
        cycle=cycle,
        at_ns=end_ns,
        bar_ns=bar_ns,
        symbols=symbols,
        ohlcv=newest,
        bid=newest[:, 3],
        ask=newest[:, 3],
        close_ns=np.full(n, end_ns - late_bars * bar_ns, dtype=np.int64),
        bars_seen=np.full(n, 1_000, dtype=np.int64),
        feature_names=(),
        features=np.empty((n, 0)),
        window=None if ohlcv is None else Window(bar_ns, end_ns, symbols, ohlcv),
        facts=facts,
    )


def facts_of(at_ns: int, n: int = 1, **values: F64 | float) -> Facts:
    """Facts known at one instant, one value for all instruments or one each."""
    columns = [np.broadcast_to(np.asarray(value, dtype=np.float64), (n,)) for value in values.values()]
    table = np.column_stack(columns)
    known = np.where(np.isnan(table), 0, at_ns).astype(np.int64)
    return Facts(tuple(values), table, known)
