"""Seconds from the start of a process to its first decided cycle, by phase: on Ray and inline."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

_SIX = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,DOGE/USDT,XRP/BTC"


def main() -> None:
    """Start every kind of desk a few times, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--phases-of", choices=sorted(_KINDS), help=argparse.SUPPRESS)
    parser.add_argument("--spawned-at", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.phases_of is not None:
        print(json.dumps(_phases(_KINDS[args.phases_of], args.spawned_at)))
        return
    from benchmarks.ground import machine, show, spread

    before = machine()
    rounds = {kind: [_child(kind) for _ in range(args.rounds)] for kind in _KINDS}
    figures = {
        kind: {phase: spread([phases[phase] for phases in laps]) for phase in laps[0]}
        for kind, laps in rounds.items()
    }
    total = {
        kind: round(statistics.median(sum(lap.values()) for lap in laps), 2) for kind, laps in rounds.items()
    }
    show("start", before, {"rounds": args.rounds, "total_s_median": total, "phases_s": figures})


def _child(kind: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--phases-of", kind, "--spawned-at", repr(time.time())]
    done = subprocess.run(  # noqa: S603 - this very file
        command, capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    phases: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return phases


Mark = Callable[[str], None]


def _phases(start: Callable[[Mark], None], last: float) -> dict[str, float]:
    """Run one start; ``mark`` ends a phase. The first one began at ``last``, when we were spawned."""
    phases: dict[str, float] = {}

    def mark(phase: str) -> None:
        nonlocal last
        now = time.time()
        phases[phase], last = round(now - last, 3), now

    start(mark)
    return phases


def _on_ray(mark: Mark) -> None:
    mark("interpreter")
    from benchmarks.ground import desk, plan, private_home
    from tg_actors.runtime.cluster import ClusterSpec, cluster

    mark("imports")
    with private_home() as home:
        config = desk(_SIX, "max")
        planned = plan(config, home, durable=True)
        mark("plan")
        with cluster(ClusterSpec("bench-start", dashboard=False), lambda _: None):
            mark("ray")
            # As in `tg run`: whatever imports Ray comes after its token.
            from tg_actors.desk.launch import crew_of, launch
            from tg_actors.runtime.actors import get

            launched = launch(planned, crew_of(planned, config.supervision))
            get(launched.coordinator.report.remote(), 180.0)
            mark("actors")
            get(launched.coordinator.trade.remote(1), 60.0)
            mark("first_cycle")


def _inline(mark: Mark) -> None:
    mark("interpreter")
    from benchmarks.ground import desk, plan, private_home
    from tg_actors.desk.wiring import wire_inline
    from tg_actors.journal.records import Durability
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns

    mark("imports")
    with private_home() as home:
        planned = plan(desk(_SIX, "max"), home, durable=False)
        mark("plan")
        journal = Journal.open(planned.journal, Durability.BATCH, clock_ns=wall_ns)
        coordinator = wire_inline(planned, journal, wall_ns)
        mark("wiring")
        coordinator.step()
        mark("first_cycle")
        journal.close()


_KINDS: dict[str, Callable[[Mark], None]] = {"inline": _inline, "ray": _on_ray}


if __name__ == "__main__":
    main()
