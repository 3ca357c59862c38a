"""The batch as stable-baselines3 takes it. It loads the learning libraries: import it where one trains."""

from collections.abc import Iterable
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices, VecEnvStepReturn

from tg_actors.rl.episodes import OBSERVED_MAX, Stepped
from tg_actors.rl.market import F32


class Batch(Protocol):
    """Anything that steps ``n`` rows at once: :class:`~tg_actors.rl.episodes.Episodes`, the answer key."""

    n: int

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of an observation."""

    @property
    def actions(self) -> tuple[int, ...]:
        """How many choices each part of an action has."""

    def seed(self, seed: int) -> None:
        """Begin the random sequence anew."""

    def reset(self) -> F32:
        """Begin all rows; return what is observed ``(n, F)``."""

    def step(self, actions: Any) -> Stepped:
        """Act on every row."""


class BatchVecEnv(VecEnv):
    """A natively batched ``VecEnv``: one array step for all rows, terminal observations kept.

    The dictionaries of rows that go on are shared and empty: read them, never write.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._returns, self._lengths = np.zeros(batch.n), np.zeros(batch.n, dtype=np.int64)
        self._quiet: list[dict[str, Any]] = [{} for _ in range(batch.n)]
        self._actions: Any = None
        box = spaces.Box(-OBSERVED_MAX, OBSERVED_MAX, (len(batch.names),), np.float32)
        super().__init__(batch.n, box, spaces.MultiDiscrete(list(batch.actions)))

    def reset(self) -> F32:
        """Begin all rows; a seed given before is taken up."""
        if self._seeds[0] is not None:
            self.batch.seed(self._seeds[0])
            self._reset_seeds()
        self._returns[:], self._lengths[:] = 0.0, 0
        return self.batch.reset()

    def step_async(self, actions: Any) -> None:
        """Keep the actions ``(n, 2)`` for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Step all rows."""
        stepped = self.batch.step(self._actions)
        self._returns += stepped.reward
        self._lengths += 1
        dones = stepped.terminated | stepped.truncated
        infos = self._quiet
        if len(stepped.ended):
            infos = list(self._quiet)
            for row, last in zip(stepped.ended.tolist(), stepped.last, strict=True):
                infos[row] = self._farewell(row, last, is_truncated=bool(stepped.truncated[row]))
            self._returns[stepped.ended], self._lengths[stepped.ended] = 0.0, 0
        return stepped.observed, stepped.reward.astype(np.float32), dones, infos

    def close(self) -> None:
        """Nothing is held open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute of the batch for every row asked for; there is nothing to render."""
        value = None if attr_name == "render_mode" else getattr(self.batch, attr_name)
        return [value for _ in self._rows(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Refuse: rows share everything, so one of them cannot be changed."""
        raise NotImplementedError(f"rows of a batch share {attr_name}: make a new batch")

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Refuse: rows of a batch have no methods of their own."""
        raise NotImplementedError(f"rows of a batch have no method {method_name} of their own")

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        """Nothing is wrapped."""
        del wrapper_class
        return [False for _ in self._rows(indices)]

    def _rows(self, indices: VecEnvIndices) -> Iterable[int]:
        return self._get_indices(indices)

    def _farewell(self, row: int, last: F32, *, is_truncated: bool) -> dict[str, Any]:
        return {
            "terminal_observation": last,
            "TimeLimit.truncated": is_truncated,
            "episode": {"r": float(self._returns[row]), "l": int(self._lengths[row])},
        }
