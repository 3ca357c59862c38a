"""Snapshots and opinions for tests of the ensemble."""

from collections.abc import Mapping, Sequence
from math import isnan

import numpy as np

from tg_actors.domain.blocks import Abstention, MarketSnapshot, Opinions

#: A quiet market: no trend, closes spread as far as the ranges of the bars.
QUIET = {
    "ema_9": 100.0,
    "ema_50": 100.0,
    "atr_14": 1.0,
    "bb_upper": 102.0,
    "bb_lower": 98.0,
    "kc_upper": 102.0,
    "kc_lower": 98.0,
}


def a_snapshot(*markets: Mapping[str, float], n: int = 1) -> MarketSnapshot:
    """One instrument for each market given, each a quiet one but for what is said."""
    rows = [{**QUIET, **market} for market in markets or [{}] * n]
    n = len(rows)
    return MarketSnapshot(
        cycle=3,
        at_ns=10**18,
        bar_ns=10**9,
        symbols=tuple(f"A{i}/USDT" for i in range(n)),
        ohlcv=np.ones((n, 5)),
        bid=np.ones(n),
        ask=np.ones(n),
        close_ns=np.full(n, 10**18),
        bars_seen=np.full(n, 500),
        feature_names=tuple(QUIET),
        features=np.array([list(row.values()) for row in rows]),
    )


def an_opinion(agent: str, direction: Sequence[float], confidence: Sequence[float]) -> Opinions:
    """An agent's view of every instrument; NaN where it abstains."""
    n = len(direction)
    silent = [isnan(value) for value in direction]
    return Opinions(
        agent=agent,
        cycle=3,
        horizon_bars=10,
        direction=np.array(direction, dtype=np.float64),
        confidence=np.where(silent, np.nan, confidence),
        evidence_names=(),
        evidence=np.zeros((n, 0)),
        memory=np.zeros((n, 0)),
        abstained=tuple(Abstention.NO_CONVICTION if quiet else None for quiet in silent),
    )
