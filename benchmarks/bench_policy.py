"""How long a policy takes to decide for fifty instruments: NumPy in process, stable-baselines3 beside it."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.ground import machine, quantile, show
from tg_actors.rl.answer_key import STANDARD
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.plans import TrainingPlan
from tg_actors.rl.policy import NumpyPolicy

_PAIRS, _FEATURES = 50, 30


def main() -> None:
    """Measure both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=3_000)
    args = parser.parse_args()
    before = machine()
    ours, theirs = _policies()
    observed = (
        np.random.default_rng(1).standard_normal((args.decisions, _PAIRS, _FEATURES)).astype(np.float32)
    )
    kinds: dict[str, Callable[[Any], Any]] = {
        "numpy": ours.act,
        "stable_baselines3": lambda rows: theirs.predict(rows, deterministic=True),
    }
    took_us: dict[str, list[float]] = {name: [] for name in kinds}
    for k, rows in enumerate(observed):
        for name, act in kinds.items():
            began_ns = time.perf_counter_ns()
            act(rows)
            # The first decisions load what they need.
            if k >= args.decisions // 10:
                took_us[name].append((time.perf_counter_ns() - began_ns) / 1e3)
    figures = {
        name: {"p50": round(quantile(took, 0.5), 1), "p99": round(quantile(took, 0.99), 1)}
        for name, took in took_us.items()
    }
    show(
        "policy",
        before,
        {
            "pairs": _PAIRS,
            "features": _FEATURES,
            "decision_us": figures,
            "stable_baselines3_over_numpy_p50": round(
                figures["stable_baselines3"]["p50"] / figures["numpy"]["p50"], 1
            ),
            "goal_p50_us": 50,
        },
    )


def _policies() -> tuple[NumpyPolicy, Any]:
    """The same weights, untrained: what they are does not change what they cost."""
    # Loaded here, so that --help does not wait for it.
    import torch

    from tg_actors.rl.environment import BatchVecEnv
    from tg_actors.rl.export import arrays_of
    from tg_actors.rl.learner import Learner

    torch.set_num_threads(1)

    class Wide(AnswerKeyEpisodes):
        names = tuple(f"f{k}" for k in range(_FEATURES))

    learner = Learner(TrainingPlan(device="cpu"), BatchVecEnv(Wide(STANDARD, 256, seed=1)))
    return NumpyPolicy(arrays_of(learner.policy)), learner


if __name__ == "__main__":
    main()
