"""Small trainings on the answer key, and a batch whose process dies in the middle of one."""

import os
from typing import Any

from tg_actors.domain.blocks import I64
from tg_actors.rl.answer_key import STANDARD
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.episodes import Stepped
from tg_actors.rl.plans import TrainingPlan


def small(**changes: Any) -> TrainingPlan:
    """Eight rollouts of 512 steps in four chunks."""
    plan: dict[str, Any] = {
        "steps": 4_096, "rows": 32, "n_steps": 16, "batch": 128, "epochs": 2, "hidden": 16,
        "chunk_rollouts": 2, "device": "cpu",
    }  # fmt: skip
    return TrainingPlan(**(plan | changes))


SMALL = small()


def batch(plan: TrainingPlan) -> AnswerKeyEpisodes:
    return AnswerKeyEpisodes(STANDARD, plan.rows, seed=1, bars=20)


class _Crashing(AnswerKeyEpisodes):
    """Ends its process from inside after so many steps, without a goodbye; never below 0."""

    steps_left = -1

    def step(self, actions: I64) -> Stepped:
        if self.steps_left == 0:
            os._exit(9)
        self.steps_left -= 1
        return super().step(actions)


def crashing(plan: TrainingPlan, die_after: int) -> AnswerKeyEpisodes:
    dying = _Crashing(STANDARD, plan.rows, seed=1, bars=20)
    dying.steps_left = die_after
    return dying
