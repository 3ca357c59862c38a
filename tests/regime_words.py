"""Markets for tests of the regime filter."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from tg_actors.domain.blocks import F64, Window
from tg_actors.domain.decisions import RegimeView
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter

HOUR_NS = 3_600 * 10**9
CONFIG = RegimeConfig(window_bars=128)
#: The close of bar 0 lies in the middle of a pass.
FIRST_BAR = 1_000 * CONFIG.window_bars + 37


def market(moves: F64, n: int = 8, seed: int = 1) -> F64:
    """Closes ``(t, n)`` of instruments that share the moves and have some of their own."""
    rng = np.random.default_rng(seed)
    own = 0.004 * rng.standard_normal((len(moves), n))
    return np.asarray(100.0 * np.cumprod(1.0 + moves[:, np.newaxis] + own, axis=0), dtype=np.float64)


def noise(count: int, scale: float, drift: float = 0.0, seed: int = 5) -> F64:
    rng = np.random.default_rng(seed)
    return scale * (rng.standard_normal(count) + drift)


def asked(closes: F64, at: int, config: RegimeConfig = CONFIG) -> Any:
    """The snapshot of a bar; of it the filter reads the window only."""
    bars = config.needs().window_bars
    ohlcv = np.full((bars, closes.shape[1], 5), np.nan)
    known = closes[max(0, at + 1 - bars) : at + 1]
    ohlcv[bars - len(known) :, :, 3] = known
    window = Window(HOUR_NS, (FIRST_BAR + at) * HOUR_NS, tuple("ABCDEFGH"[: closes.shape[1]]), ohlcv)
    return SimpleNamespace(window=window)


def views(closes: F64, config: RegimeConfig = CONFIG) -> list[RegimeView | None]:
    """What one filter says of every bar, asked in order."""
    regimes = RegimeFilter(config)
    return [regimes.view(asked(closes, at, config)) for at in range(len(closes))]
