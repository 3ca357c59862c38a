"""Words of the liquidity agent's tests: windows of bars, books with and without walls, one agent."""

import numpy as np

from tg_actors.domain.blocks import F64, Depth, MarketSnapshot, Opinions, Window
from tg_actors.institutional.liquidity import LiquidityAgent
from tg_actors.institutional.liquidity_spec import LiquiditySpec
from tg_actors.market.books.tracker import FLOW_NAMES

HOUR_NS = 3_600 * 10**9
END_NS = 1_704_067_200 * 10**9
BARS = 168


def spec(**changes: object) -> LiquiditySpec:
    return LiquiditySpec.model_validate({"name": "liquidity", "horizon_bars": 12, **changes})


def walk(n: int = 1, seed: int = 0, bars: int = BARS) -> F64:
    """A random walk of bars, ``(bars, n, 5)``."""
    rng = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(0.005 * rng.standard_normal((bars, n)), axis=0))
    opens = np.concatenate((np.full((1, n), 100.0), close[:-1]))
    high = np.maximum(opens, close) * (1.0 + 0.002 * rng.random((bars, n)))
    low = np.minimum(opens, close) * (1.0 - 0.002 * rng.random((bars, n)))
    return np.stack((opens, high, low, close, 1.0 + rng.random((bars, n))), axis=2)


def upside_down(ohlcv: F64) -> F64:
    """The same market with up and down exchanged: every price becomes ``200 - price``."""
    opens, high, low, close, volume = np.moveaxis(ohlcv, 2, 0)
    return np.stack((200.0 - opens, 200.0 - low, 200.0 - high, 200.0 - close, volume), axis=2)


def a_snapshot(ohlcv: F64, depth: Depth | None = None, *, cycle: int = 7) -> MarketSnapshot:
    n = ohlcv.shape[1]
    names = tuple(f"C{i}/USDT" for i in range(n))
    close = ohlcv[-1, :, 3]
    seen = np.where(np.isfinite(close), END_NS, 0)
    return MarketSnapshot(
        cycle=cycle,
        at_ns=END_NS,
        bar_ns=HOUR_NS,
        symbols=names,
        ohlcv=ohlcv[-1],
        bid=close,
        ask=close,
        close_ns=seen.astype(np.int64),
        bars_seen=np.full(n, BARS),
        feature_names=(),
        features=np.empty((n, 0)),
        window=Window(HOUR_NS, END_NS, names, ohlcv),
        depth=depth,
    )


def a_depth(n: int = 1, /, **flow: float) -> Depth:
    """Calm books around 100, both sides alike; flow 0 but for what is named."""
    rng, levels = np.random.default_rng(3), 64
    away = np.concatenate(([0.01], 0.02 * np.arange(1, levels)))
    price = np.stack((100.0 - away, 100.0 + away))[np.newaxis].repeat(n, axis=0)
    sizes = 1.0 + 0.3 * rng.random(levels)
    sizes[0] = 10.0
    size = np.stack((sizes, sizes))[np.newaxis].repeat(n, axis=0)
    numbers = np.zeros((n, len(FLOW_NAMES)))
    numbers[:, FLOW_NAMES.index("ofi_gross_base")] = 1.0
    for name, value in flow.items():
        numbers[:, FLOW_NAMES.index(name)] = value
    return Depth(price, size, np.full(n, END_NS, dtype=np.int64), FLOW_NAMES, numbers)


def opine(ohlcv: F64, depth: Depth | None = None, /, **changes: object) -> Opinions:
    snapshot = a_snapshot(ohlcv, depth)
    agent = LiquidityAgent(spec(**changes), snapshot.symbols, HOUR_NS)
    agent.recall(None)
    opinions = agent.opine(snapshot)
    assert opinions.incoherence(len(snapshot.symbols)) is None
    return opinions


def evidence(opinions: Opinions, name: str) -> F64:
    return opinions.evidence[:, opinions.evidence_names.index(name)]
