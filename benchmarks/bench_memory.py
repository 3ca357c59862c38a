"""Resident memory of every process of the default desk on Ray, of the inline desk, and how both grow."""

import argparse
import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import psutil

from benchmarks.ground import desk, machine, plan, private_home, show
from tg_actors.desk.wiring import wire_inline
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.cluster import ClusterSpec, cluster

_SIX = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,DOGE/USDT,XRP/BTC"
_MIB = 1024 * 1024


def main() -> None:
    """Measure after a warm-up and again after many more cycles."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warm-up", type=int, default=512)
    parser.add_argument("--cycles", type=int, default=1_024)
    args = parser.parse_args()
    before = machine()
    figures = {"warm_up_cycles": args.warm_up, "cycles": args.cycles}
    # Ray prints warnings of its own; ours is one JSON object.
    with private_home() as home, redirect_stdout(sys.stderr):
        inline = _inline(home / "inline", args.warm_up, args.cycles)
        on_ray = _on_ray(home / "ray", args.warm_up, args.cycles)
    show("memory", before, {**figures, "inline": inline, "ray": on_ray})


def _inline(folder: Path, warm_up: int, cycles: int) -> dict[str, Any]:
    folder.mkdir()
    planned = plan(desk(_SIX, "max"), folder, durable=False)
    journal = Journal.open(planned.journal, Durability.BATCH, clock_ns=wall_ns)
    try:
        coordinator = wire_inline(planned, journal, wall_ns)
        for _ in range(warm_up):
            coordinator.step()
        first = {"process": _rss_mib(psutil.Process())}
        for _ in range(cycles):
            coordinator.step()
        return _grown(first, {"process": _rss_mib(psutil.Process())}, cycles)
    finally:
        journal.close()


def _on_ray(folder: Path, warm_up: int, cycles: int) -> dict[str, Any]:
    folder.mkdir()
    config = desk(_SIX, "max")
    planned = plan(config, folder, durable=True)
    with cluster(ClusterSpec("bench-memory", dashboard=False), lambda _: None):
        # Whatever imports Ray comes after its token.
        from tg_actors.desk.launch import crew_of, launch
        from tg_actors.runtime.actors import get

        launched = launch(planned, crew_of(planned, config.supervision))
        coordinator = launched.coordinator
        get(coordinator.report.remote(), 180.0)
        get(coordinator.trade.remote(warm_up), 600.0)
        first = _processes()
        get(coordinator.trade.remote(warm_up + cycles), 600.0)
        return _grown(first, _processes(), cycles)


def _processes() -> dict[str, float]:
    """Driver, actors by class with their number, Ray's own processes as one; shared pages count in each."""
    driver = psutil.Process()
    found: dict[str, list[float]] = {}
    for process in driver.children(recursive=True):
        try:
            title, rss = " ".join(process.cmdline()), _rss_mib(process)
        except psutil.NoSuchProcess:
            continue
        name = re.match(r"ray::(\w+Actor)\b", title)
        found.setdefault("ray_itself" if name is None else name[1], []).append(rss)
    sums = {f"{name} x {len(each)}": round(sum(each), 1) for name, each in sorted(found.items())}
    return {"driver": _rss_mib(driver), **sums}


def _rss_mib(process: psutil.Process) -> float:
    return round(process.memory_info().rss / _MIB, 1)


def _grown(first: dict[str, float], last: dict[str, float], cycles: int) -> dict[str, Any]:
    return {
        "rss_mib": last,
        "total_mib": round(sum(last.values()), 1),
        "growth_mib_per_1000_cycles": {
            name: round((rss - first[name]) * 1_000 / cycles, 2)
            for name, rss in last.items()
            if name in first
        },
    }


if __name__ == "__main__":
    main()
