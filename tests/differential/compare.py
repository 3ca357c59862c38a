"""Our two engines against each other and against vectorbt and backtesting.py: ``make differential``.

Every case is one seeded market of 50,000 bars and given targets. Final equity and every single fill
(bar, quantity, price, fee) must agree to 1e-7, relative; ours among themselves to 1e-9.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.fills import FillRule
from tg_actors.backtest.kernel import ColumnReplay, KernelRules, replay
from tg_actors.backtest.kernel_trades import trades
from tg_actors.desk.experiment import Bars, run_experiment
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal

_CASH, _HOUR_NS = 10_000.0, 3600 * 10**9
_PEERS_MAX, _OURS_MAX = 1e-7, 1e-9
_PEERS = Path(__file__).with_name("peers.py")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table: the levels that targets take, the rules, and who can express them."""

    name: str
    levels: tuple[float, ...]
    rules: KernelRules
    engines: tuple[str, ...]
    slippage_frac: float = 0.0


CASES = (
    Case("fractions, next_open", (0.0, 0.3, 0.5, 1.0), KernelRules(fee_frac=0.001), ("event", "vectorbt")),
    Case(
        "all in and out, next_open",
        (0.0, 1.0),
        KernelRules(fee_frac=0.001),
        ("event", "vectorbt", "backtesting"),
    ),
    Case(
        "slippage 5 bps, sized at the decision",
        (0.0, 0.3, 0.5, 0.9),
        KernelRules(fee_frac=0.001, size_at="decision", slippage=SlippageModel(SlippageName.FIXED_BPS, 5.0)),
        ("event", "vectorbt"),
        slippage_frac=5e-4,
    ),
    Case(
        "signal_close",
        (0.0, 0.3, 0.5, 1.0),
        KernelRules(fee_frac=0.001, fill=FillRule.SIGNAL_CLOSE),
        ("event", "vectorbt"),
    ),
    Case("short and long", (-0.9, -0.4, 0.0, 0.5, 1.0), KernelRules(fee_frac=0.001), ("vectorbt",)),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an engine says."""

    final_equity: float
    fills: NDArray[np.float64]

    @classmethod
    def of(cls, replayed: ColumnReplay) -> "Answer":
        rows = replayed.fills
        columns = [rows[name].astype(np.float64) for name in ("bar", "quantity", "price", "fee")]
        return cls(replayed.final_equity, np.column_stack(columns))


def main() -> None:
    """Run every case, print the table, exit 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=50_000)
    parser.add_argument("--python", type=Path, default=Path(".venv-differential/bin/python"))
    args = parser.parse_args()
    rows, wrong = [], 0
    for seed, case in enumerate(CASES):
        ohlcv, targets = market(args.bars, seed, case.levels)
        kernel = replay(ohlcv[:, 0], ohlcv[:, 3], targets, case.rules, _CASH, volume=ohlcv[:, 4])
        closed = len(trades(kernel))
        for engine in case.engines:
            answer = ask(engine, case, ohlcv, targets, args.python)
            equity, fill = differences(Answer.of(kernel), answer)
            passes = max(equity, fill) <= (_OURS_MAX if engine == "event" else _PEERS_MAX)
            wrong += not passes
            rows.append(
                (case.name, engine, len(kernel.fills), closed, equity, fill, "yes" if passes else "NO")
            )
            sys.stderr.write(f"{case.name}, {engine}: equity {equity:.1e}, fills {fill:.1e}\n")
    show(rows, args.bars)
    sys.exit(1 if wrong else 0)


def market(
    bars: int, seed: int, levels: tuple[float, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A random walk with gaps, and targets that hold for 1 to 40 bars."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.004, bars)))
    open_ = np.concatenate(([100.0], close[:-1])) * np.exp(rng.normal(0, 0.0005, bars))
    spread = np.exp(np.abs(rng.normal(0, 0.002, (2, bars))))
    high, low = np.maximum(open_, close) * spread[0], np.minimum(open_, close) / spread[1]
    targets = np.repeat(rng.choice(levels, bars), rng.integers(1, 40, bars))[:bars]
    return np.column_stack([open_, high, low, close, rng.uniform(1e3, 1e4, bars)]), targets


def ask(
    engine: str, case: Case, ohlcv: NDArray[np.float64], targets: NDArray[np.float64], python: Path
) -> Answer:
    """Let one engine answer."""
    with tempfile.TemporaryDirectory() as folder:
        if engine == "event":
            return _event(Path(folder), case, ohlcv, targets)
        question = Path(folder) / "question.npz"
        np.savez(
            question,
            ohlcv=ohlcv,
            targets=targets,
            fee_frac=case.rules.fee_frac,
            slippage_frac=case.slippage_frac,
            cash=_CASH,
            fill=case.rules.fill.value,
            size_at=case.rules.size_at,
        )
        done = subprocess.run(
            [python, _PEERS, engine, question], check=True, capture_output=True, text=True, timeout=600
        )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return Answer(said["final_equity"], np.array(said["fills"]).reshape(-1, 4))


def _event(folder: Path, case: Case, ohlcv: NDArray[np.float64], targets: NDArray[np.float64]) -> Answer:
    journal = Journal.open(folder / "journal.sqlite", Durability.BATCH, clock_ns=lambda: 0)
    try:
        bars = Bars(ohlcv, np.arange(len(ohlcv), dtype=np.int64) * _HOUR_NS, _HOUR_NS)
        return Answer.of(run_experiment(bars, targets, case.rules, journal, _CASH))
    finally:
        journal.close()


def differences(ours: Answer, theirs: Answer) -> tuple[float, float]:
    """Largest relative difference of the final equity and of any number of any fill; inf if one lacks."""
    equity = abs(theirs.final_equity / ours.final_equity - 1)
    if theirs.fills.shape != ours.fills.shape or not np.array_equal(theirs.fills[:, 0], ours.fills[:, 0]):
        return equity, float("inf")
    return equity, float(np.max(np.abs(theirs.fills[:, 1:] / ours.fills[:, 1:] - 1)))


def show(rows: list[tuple[str, str, int, int, float, float, str]], bars: int) -> None:
    """Print a Markdown table."""
    lines = [
        f"| {bars:,} bars | kernel against | fills | trades | final equity | worst fill | agrees |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, engine, fills, closed, equity, fill, passes in rows:
        lines.append(f"| {name} | {engine} | {fills:,} | {closed:,} | {equity:.1e} | {fill:.1e} | {passes} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
