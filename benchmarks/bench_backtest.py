"""Instrument-bars a second of the whole desk in one process, beside its market and indicators alone."""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.ground import FIFTY, TECHNICAL, desk, machine, plan, private_home, show, spread
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.wiring import wire_inline
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.market.config import open_market
from tg_actors.runtime.clock import wall_ns

_N = 50
#: The first cycle seeks, which happens once in a run of any length.
_WARM_UP = 256
#: The institutional agents think longer: one round of so many times fewer cycles tells enough.
_FEWER = 4


@dataclass(frozen=True, slots=True)
class Lap:
    """One measured stretch."""

    seconds: float
    cpu_s: float
    permits: int = 0
    fills: int = 0


def main() -> None:
    """Run both in turns, every round on another market."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=1_024)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    before = machine()
    desks, limits, singles = [], [], []
    for seed in range(1, args.rounds + 1):
        with private_home() as home:
            planned = plan(desk(FIFTY, "max", seed, TECHNICAL), home, durable=False)
            limits.append(_market_alone(planned, args.cycles))
            desks.append(_whole_desk(planned, home, args.cycles))
        with private_home() as home:
            single = plan(desk(FIFTY, "max", seed, TECHNICAL[:1]), home, durable=False)
            singles.append(_whole_desk(single, home, args.cycles))
    with private_home() as home:
        everybody = plan(desk(FIFTY, "max"), home, durable=False)
        full = _whole_desk(everybody, home, args.cycles // _FEWER)
    bars = _N * args.cycles
    wall = [bars / lap.seconds for lap in desks]
    limit = [bars / lap.seconds for lap in limits]
    show(
        "backtest",
        before,
        {
            "instruments": _N,
            "agents": len(TECHNICAL),
            "cycles_per_round": args.cycles,
            "rounds": args.rounds,
            "desk_bars_per_s": spread(wall),
            "desk_bars_per_cpu_s": spread([bars / lap.cpu_s for lap in desks]),
            "one_agent_bars_per_cpu_s": spread([bars / lap.cpu_s for lap in singles]),
            "all_agents": len(everybody.agents),
            "all_agents_bars_per_cpu_s": round(bars // _FEWER / full.cpu_s),
            "desk_cpu_ms_per_cycle": spread([lap.cpu_s * 1e3 / args.cycles for lap in desks]),
            "market_alone_bars_per_s": spread(limit),
            "market_alone_bars_per_cpu_s": spread([bars / lap.cpu_s for lap in limits]),
            "cpu_desk_over_market_alone": round(
                statistics.median(lap.cpu_s for lap in desks)
                / statistics.median(lap.cpu_s for lap in limits),
                2,
            ),
            "permits": sum(lap.permits for lap in desks),
            "fills": sum(lap.fills for lap in desks),
            "goal_bars_per_s": 35_000,
        },
    )


def _market_alone(planned: DeskPlan, cycles: int) -> Lap:
    market = open_market(planned.market)
    return _lap(market.advance, cycles)


def _whole_desk(planned: DeskPlan, home: Path, cycles: int) -> Lap:
    journal = Journal.open(home / "journal.sqlite", Durability.BATCH, clock_ns=wall_ns)
    try:
        coordinator = wire_inline(planned, journal, wall_ns)
        lap = _lap(lambda _: coordinator.step(), cycles)
        return Lap(lap.seconds, lap.cpu_s, len(journal.permits()), len(journal.fills()))
    finally:
        journal.close()


def _lap(step: Callable[[int], object], cycles: int) -> Lap:
    for cycle in range(_WARM_UP):
        step(cycle)
    began, cpu_began = time.perf_counter(), time.process_time()
    for cycle in range(_WARM_UP, _WARM_UP + cycles):
        step(cycle)
    return Lap(time.perf_counter() - began, time.process_time() - cpu_began)


if __name__ == "__main__":
    main()
