"""One forward pass for all requests that wait at the same turn of the event loop; nobody waits for others."""

import asyncio
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tg_actors.rl.market import F32
from tg_actors.rl.policy import NumpyPolicy

Actions = NDArray[np.int64]


@dataclass(slots=True)
class _Waiting:
    policy: NumpyPolicy
    blocks: list[F32] = field(default_factory=list)
    answers: list[asyncio.Future[Actions]] = field(default_factory=list)


class Batcher:
    """Collects what comes in one turn, by policy; a policy of another version is another batch.

    A deadline in milliseconds, as ``serve.batch`` has it, would cost more than the pass that it saves: a pass
    over 50 rows takes a twentieth of one (docs/serving.md).
    """

    def __init__(self) -> None:
        self._waiting: dict[int, _Waiting] = {}
        self.passes = 0

    async def act(self, policy: NumpyPolicy, observed: F32) -> Actions:
        """Return the actions of ``observed (n, features)``.

        Raises:
            ValueError: the observations are not as wide as the policy takes them.
        """
        if observed.shape[1] != policy.features:
            raise ValueError(
                f"observations have {observed.shape[1]} columns, the policy takes {policy.features}"
            )
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._flush)
        waiting = self._waiting.setdefault(id(policy), _Waiting(policy))
        waiting.blocks.append(observed)
        waiting.answers.append(answer := loop.create_future())
        actions: Actions = await answer
        return actions

    def _flush(self) -> None:
        batches, self._waiting = self._waiting, {}
        for batch in batches.values():
            self.passes += 1
            try:
                actions = batch.policy.act(np.concatenate(batch.blocks))
            except (ValueError, MemoryError) as error:
                _tell(batch.answers, error)
                continue
            ends = np.cumsum([len(block) for block in batch.blocks])[:-1]
            for answer, part in zip(batch.answers, np.split(actions, ends), strict=True):
                if not answer.done():  # a caller that went away
                    answer.set_result(part)


def _tell(answers: list[asyncio.Future[Actions]], error: Exception) -> None:
    for answer in answers:
        if not answer.done():
            answer.set_exception(error)
