"""Bars a second of the replay kernel and the event path, beside a plain loop and other engines.

The others run in .venv-differential (``make differential`` makes it); without it their figures are null.
All replay the same bars and the same targets: all in and all out, next open, 10 bps.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ground import machine, show, spread
from tg_actors.backtest.kernel import KernelRules, replay
from tg_actors.desk.experiment import Bars, run_experiment
from tg_actors.domain.blocks import F64
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns

_RULES = KernelRules(fee_frac=0.001)
_CASH = 10_000.0
_HOUR_NS = 3600 * 10**9
_PEERS = Path(__file__).parents[1] / "tests" / "differential" / "peers.py"
#: Bars for engines that take seconds for what the kernel does in a blink.
_SLOW = 50_000


def main() -> None:
    """Measure all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=1_000_000)
    parser.add_argument(
        "--hold-bars", type=int, default=24, help="bars between changes of the target, on average"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path, default=Path(".venv-differential/bin/python"))
    args = parser.parse_args()
    before = machine()
    ohlcv, targets = _market(args.bars, args.hold_bars)
    opens, closes = np.ascontiguousarray(ohlcv[:, 0]), np.ascontiguousarray(ohlcv[:, 3])
    few, few_targets = ohlcv[:_SLOW], targets[:_SLOW]
    kernel = _rate(lambda: replay(opens, closes, targets, _RULES, _CASH), args.bars, args.rounds)
    kernel_few = _rate(
        lambda: replay(opens[:_SLOW], closes[:_SLOW], few_targets, _RULES, _CASH), len(few), args.rounds
    )
    loop = _rate(lambda: _plain_loop(opens, closes, targets), args.bars, args.rounds)
    theirs = {
        name: _peer(name, few, few_targets, args.python) for name in ("vectorbt", "backtesting", "nautilus")
    }
    vectorbt_many = _peer("vectorbt", ohlcv, targets, args.python)
    show(
        "kernel",
        before,
        {
            "bars": args.bars,
            "fills": len(replay(opens, closes, targets, _RULES, _CASH).fills),
            "kernel_bars_per_s": spread(kernel),
            "kernel_bars_per_s_at_50k": spread(kernel_few),
            "plain_loop_bars_per_s": spread(loop),
            "event_path_bars_per_s_one_instrument": round(_event(few[:5_000], few_targets[:5_000])),
            "others_bars_per_s_at_50k": theirs,
            "vectorbt_bars_per_s": vectorbt_many,
            "kernel_over_plain_loop": round(max(kernel) / max(loop), 1),
            "kernel_over_others_at_50k": {
                name: None if rate is None else round(max(kernel_few) / rate, 1)
                for name, rate in theirs.items()
            },
            "kernel_over_vectorbt": None if vectorbt_many is None else round(max(kernel) / vectorbt_many, 1),
            "goal_bars_per_s": 1_000_000,
        },
    )


def _market(bars: int, hold_bars: int) -> tuple[F64, F64]:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, bars)))
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    changes = np.cumsum(rng.random(bars) < 1 / hold_bars)
    return np.column_stack([open_, high, low, close, np.full(bars, 1e6)]), (changes % 2).astype(np.float64)


def _rate(work: Callable[[], object], bars: int, rounds: int) -> list[float]:
    work()
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        rates.append(bars / (time.perf_counter() - began))
    return rates


def _plain_loop(opens: F64, closes: F64, targets: F64) -> list[float]:
    """What one writes first: a Python loop over every bar."""
    cash, quantity, last, pending = _CASH, 0.0, 0.0, None
    equity = []
    for open_, close, target in zip(opens.tolist(), closes.tolist(), targets.tolist(), strict=True):
        if pending is not None:
            change = pending * (cash + quantity * open_) / open_ - quantity
            change = min(change, cash / (open_ * (1 + _RULES.fee_frac)))
            cash -= change * open_ + abs(change) * open_ * _RULES.fee_frac
            quantity += change
        pending = target if target != last else None
        last = target
        equity.append(cash + quantity * close)
    return equity


def _event(ohlcv: F64, targets: F64) -> float:
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        journal = Journal.open(Path(folder) / "journal.sqlite", Durability.BATCH, clock_ns=wall_ns)
        bars = Bars(ohlcv, np.arange(len(ohlcv), dtype=np.int64) * _HOUR_NS, _HOUR_NS)
        began = time.perf_counter()
        run_experiment(bars, targets, _RULES, journal, _CASH)
        seconds = time.perf_counter() - began
        journal.close()
    return len(ohlcv) / seconds


def _peer(name: str, ohlcv: F64, targets: F64, python: Path) -> float | None:
    """Bars a second of another engine's own run, its start and its data's preparation left out."""
    if not python.exists():
        return None
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        question = Path(folder) / "question.npz"
        words: dict[str, Any] = {"fill": "next_open", "size_at": "fill"}
        np.savez(
            question,
            ohlcv=ohlcv,
            targets=targets,
            fee_frac=_RULES.fee_frac,
            slippage_frac=0.0,
            cash=_CASH,
            **words,
        )
        done = subprocess.run(  # noqa: S603 - the environment that we made
            [python, _PEERS, name, question], check=False, capture_output=True, text=True, timeout=900
        )
    if done.returncode:
        return None
    return float(round(len(ohlcv) / json.loads(done.stdout.splitlines()[-1])["seconds"]))


if __name__ == "__main__":
    main()
