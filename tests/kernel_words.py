"""Markets of whole cents, the desk as an engine, and a plain loop that knows the kernel's rules by heart."""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.kernel import ColumnReplay, KernelRules
from tg_actors.desk.experiment import Bars, Extras, run_experiment
from tg_actors.domain.blocks import F64, Depth
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal

HOUR_NS = 3600 * 10**9
OPEN, HIGH, LOW, CLOSE, VOLUME = range(5)


def market(seed: int, bars: int, missing_frac: float = 0.0) -> F64:
    """A walk in whole cents: only exact arithmetic, so that every machine makes the same bars."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(-120, 121, (bars, 2))
    cents = np.maximum(10_000 + np.cumsum(steps.reshape(-1)), 500).reshape(bars, 2)
    reach = rng.integers(0, 80, (bars, 2))
    high, low = cents.max(axis=1) + reach[:, 0], np.maximum(cents.min(axis=1) - reach[:, 1], 1)
    volume = rng.integers(100, 10_000, bars)
    ohlcv = np.column_stack([cents[:, 0] / 100, high / 100, low / 100, cents[:, 1] / 100, volume / 1.0])
    ohlcv[rng.random(bars) < missing_frac] = np.nan
    return ohlcv


def held_targets(seed: int, bars: int, levels: tuple[float, ...]) -> F64:
    """Targets that stay for one to eight bars."""
    rng = np.random.default_rng(seed + 1_000)
    targets: F64 = np.repeat(rng.choice(levels, bars), rng.integers(1, 9, bars))[:bars]
    return targets


def through_desk(
    ohlcv: F64,
    targets: F64,
    rules: KernelRules,
    cash: float = 10_000.0,
    extras: Extras | None = None,
    depth: Callable[[int], Depth | None] = lambda _: None,
) -> ColumnReplay:
    """Run the event path over hourly bars from 1970, in a journal that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "journal.sqlite", Durability.BATCH, clock_ns=lambda: 1)
        try:
            open_ns = np.arange(len(ohlcv), dtype=np.int64) * HOUR_NS
            bars = Bars(ohlcv, open_ns, HOUR_NS, depth)
            return run_experiment(bars, targets, rules, journal, cash, extras=extras)
        finally:
            journal.close()


def fingerprint(replayed: ColumnReplay) -> str:
    """SHA-256 over every fill and the final equity, to twelve digits."""
    lines = [
        f"{bar} {decided} {quantity:.12g} {price:.12g} {fee:.12g}"
        for bar, decided, quantity, price, fee in replayed.fills.tolist()
    ]
    return hashlib.sha256("\n".join([*lines, f"{replayed.final_equity:.12g}"]).encode()).hexdigest()


def plain_loop(ohlcv: F64, targets: F64, fee_frac: float, cash: float) -> tuple[NDArray[np.float64], float]:
    """Long targets on the next open, sized there, the way anybody would write it down."""
    equity, quantity, last, pending = np.empty(len(targets)), 0.0, 0.0, None
    for bar, (open_, _, _, close, _) in enumerate(ohlcv.tolist()):
        if pending is not None:
            change = pending * (cash + quantity * open_) / open_ - quantity
            change = min(change, cash / (open_ * (1 + fee_frac)))
            cash -= change * open_ + abs(change) * open_ * fee_frac
            quantity += change
        pending = targets[bar] if targets[bar] != last else None
        last = targets[bar]
        equity[bar] = cash + quantity * close
    return equity, cash
