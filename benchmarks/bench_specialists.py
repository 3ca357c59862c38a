"""Four trainings of a million steps each on all cores, one thread and one process a training: wall seconds.

The market is made up, of the size of a desk's. Peers have nothing to compare with, so the limit stands beside
it: what the frames a second of one undisturbed training would allow on as many cores.
"""

import argparse
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.bench_training import RULES, made_up_market
from benchmarks.ground import machine, show
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.plans import TrainingPlan
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS


def main() -> None:
    """Measure one training alone, then all specialists at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000)
    args = parser.parse_args()
    before = machine()
    names = [name for name in SPECIALISTS if name != GENERALIST]
    workers = min(len(names), len(os.sched_getaffinity(0)))
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        # Every process loads torch before the clock runs: a desk's trainers are long-lived actors.
        list(pool.map(train_one, ["v2"] * workers, [1] * workers))
        alone_s = next(pool.map(train_one, ["v2"], [args.steps]))
        began_ns = time.perf_counter_ns()
        each_s = list(
            pool.map(train_one, [SPECIALISTS[name].reward for name in names], [args.steps] * len(names))
        )
        wall_s = (time.perf_counter_ns() - began_ns) / 1e9
    limit_s = alone_s * len(names) / workers
    show(
        "specialists",
        before,
        {
            "specialists": names,
            "steps_each": args.steps,
            "workers": workers,
            "wall_s": wall_s,
            "each_s": dict(zip(names, each_s, strict=True)),
            "one_alone_s": alone_s,
            "over_limit": wall_s / limit_s,
            "goal_wall_s": 60,
        },
    )


def train_one(reward: str, steps: int) -> float:
    """Train one policy; return its wall seconds."""
    from tg_actors.rl.ppo import train

    plan = TrainingPlan(steps=steps, device="cpu")
    episodes = Episodes(made_up_market(), RULES, plan.rows, seed=1, reward=reward)
    began_ns = time.perf_counter_ns()
    train(plan, episodes)
    return (time.perf_counter_ns() - began_ns) / 1e9


if __name__ == "__main__":
    main()
