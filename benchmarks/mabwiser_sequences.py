"""Write tests/golden/mabwiser.json: what MABWiser's UCB1 and LinUCB choose on ten tables of rewards.

Run it in a venv of its own, which the project does not need otherwise:
``pip install mabwiser==2.7.4 && python benchmarks/mabwiser_sequences.py tests/golden/mabwiser.json``.
Rewards are multiples of 1/1024, so that the file holds them exactly as whole numbers.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from mabwiser.mab import MAB, LearningPolicy
from numpy.typing import NDArray

TABLES, STEPS, ARMS, CONTEXTS = 10, 400, 4, 3
ALPHA = 1.0


def chosen(policy: Any, rewards: NDArray[np.float64], contexts: NDArray[np.float64]) -> list[int]:
    """Every arm is tried once; then the library chooses and learns step by step."""
    bandit = MAB(list(range(ARMS)), policy, seed=1)
    contextual = bandit.is_contextual
    first = {"contexts": contexts[:ARMS]} if contextual else {}
    bandit.fit(list(range(ARMS)), rewards[np.arange(ARMS), np.arange(ARMS)], **first)
    arms: list[int] = []
    for step in range(ARMS, STEPS):
        context = contexts[step : step + 1]
        arm = bandit.predict(context) if contextual else bandit.predict()
        seen = {"contexts": context} if contextual else {}
        bandit.partial_fit([arm], [rewards[step, arm]], **seen)
        arms.append(int(arm))
    return arms


def main(path: str) -> None:
    """Write the file."""
    tables = []
    for seed in range(TABLES):
        rng = np.random.default_rng(seed)
        means = rng.uniform(0.2, 0.8, (CONTEXTS, ARMS))
        regime = rng.integers(0, CONTEXTS, STEPS)
        whole = np.clip(np.round(1024 * (means[regime] + 0.2 * rng.standard_normal((STEPS, ARMS)))), 0, 1024)
        rewards, contexts = whole / 1024, np.eye(CONTEXTS)[regime]
        tables.append(
            {
                "rewards_1024": whole.astype(int).tolist(),
                "regime": regime.tolist(),
                "ucb1": chosen(LearningPolicy.UCB1(alpha=ALPHA), rewards, contexts),
                "linucb": chosen(LearningPolicy.LinUCB(alpha=ALPHA, l2_lambda=1.0), rewards, contexts),
            }
        )
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(json.dumps({"alpha": ALPHA, "tables": tables}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
