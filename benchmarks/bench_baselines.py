"""Seconds of all baselines on fifty instruments over two years of hours, on Ray and in one process."""

import argparse
import resource
import sys
import time
from contextlib import redirect_stdout

from benchmarks.ground import FIFTY, TECHNICAL, desk, machine, private_home, show
from tg_actors.backtest.baselines.library import library
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.market_bars import read_bars
from tg_actors.backtest.population import DayGrid, TradingCosts, gather, outcome, play, run_baselines
from tg_actors.desk.plan import plan_market

_TWO_YEARS_OF_HOURS = 17_520
_COSTS = TradingCosts(fee_frac=0.0026, slippage_bps=3.0)
#: Of the members, for the parts of the work: one in so many.
_SAMPLED = 25


def main() -> None:
    """Run the population on Ray; then a sample of it in this process, part by part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=_TWO_YEARS_OF_HOURS)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    before = machine()
    _, feed = plan_market(desk(FIFTY, "max", 7, TECHNICAL))
    bars = read_bars(feed, args.cycles)
    members = library(bars.bar_ns)
    with private_home():
        from tg_actors.runtime.cluster import ClusterSpec, cluster, ray_version

        ray_version()
        with redirect_stdout(sys.stderr), cluster(ClusterSpec("bench", dashboard=False), _tell):
            from tg_actors.backtest.actor import run_on_ray

            began = time.monotonic()
            population = gather(bars, run_on_ray(bars, members, _COSTS, args.workers), _COSTS)
            seconds = time.monotonic() - began
    sampled = members[::_SAMPLED]
    cpu = {"signals": 0.0, "kernel": 0.0, "sums": 0.0}
    studies, days = Studies(bars), DayGrid(bars.close_ns, bars.bar_ns)
    fills = 0
    for member in sampled:
        t0 = time.process_time()
        targets = member.targets(studies)
        t1 = time.process_time()
        sleeves = play(bars, targets, _COSTS, holds=member.family.holds)
        t2 = time.process_time()
        fills += outcome(member.name, days, sleeves).fills
        for part, spent in zip(cpu, (t1 - t0, t2 - t1, time.process_time() - t2), strict=True):
            cpu[part] += spent
    cells = bars.close.size
    one = time.process_time()
    list(run_baselines(bars, sampled, _COSTS))
    alone = time.process_time() - one
    show(
        "baselines",
        before,
        {
            "instruments": len(bars.symbols),
            "bars_each": len(bars),
            "baselines": len(members),
            "distinct": len(population),
            "workers": args.workers,
            "seconds": round(seconds, 1),
            "seconds_of_1000": round(seconds * 1_000 / len(members), 1),
            "bars_per_s": round(len(members) * cells / seconds),
            "bars_per_cpu_s_inline": round(len(sampled) * cells / alone),
            "cpu_ms_per_baseline": {part: round(1e3 * s / len(sampled), 1) for part, s in cpu.items()},
            "kernel_bars_per_cpu_s": round(len(sampled) * cells / cpu["kernel"]),
            "fills_per_bar": round(fills / (len(sampled) * cells), 4),
            "rss_mib_max": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        },
    )


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    main()
