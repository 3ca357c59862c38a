"""Which network fault meets which exchange: drawn from a seed, pure."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from tg_actors.domain.message import Message

_Share = Annotated[float, Field(ge=0, le=1)]


class FaultKind(StrEnum):
    """What a network can do to one question and its answer."""

    DELAY = "delay"
    DRIP = "drip"
    CUT = "cut"
    REFUSE = "refuse"
    RESET = "reset"
    LOSE_REQUEST = "lose_request"
    LOSE_ANSWER = "lose_answer"
    LATE = "late"


class FaultMix(Message):
    """Share of the exchanges that each fault hits, and how long the slow ones take.

    Attributes:
        delay: both ways go on, later.
        drip: the answer comes in small pieces.
        cut: half of the answer comes, then the connection ends.
        refuse: the connection is reset before anything has passed.
        reset: the request arrives, the connection is reset instead of the answer.
        lose_request: nothing arrives, and nobody says so (half-open).
        lose_answer: the request arrives, its answer never does (half-open).
        late: nobody answers; the request arrives when the client has long given up.
        delay_s_max: longest ``delay``.
        late_s_max: longest ``late``.
        drip_s: pause between two pieces.
    """

    delay: _Share = 0.0
    drip: _Share = 0.0
    cut: _Share = 0.0
    refuse: _Share = 0.0
    reset: _Share = 0.0
    lose_request: _Share = 0.0
    lose_answer: _Share = 0.0
    late: _Share = 0.0
    delay_s_max: float = Field(default=0.2, gt=0)
    late_s_max: float = Field(default=20.0, gt=0)
    drip_s: float = Field(default=0.005, gt=0)

    @model_validator(mode="after")
    def _is_a_share(self) -> "FaultMix":
        if sum(self.share(kind) for kind in FaultKind) > 1:
            raise ValueError("the shares of all faults together are more than 1")
        return self

    def share(self, kind: FaultKind) -> float:
        """Return the share of one kind."""
        share: float = getattr(self, kind.value)
        return share


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one exchange; ``kind`` None is nothing, ``wait_s`` how long a slow one waits."""

    kind: FaultKind | None
    wait_s: float = 0.0


def draw(mix: FaultMix, seed: int, connection: int, turn: int) -> Fault:
    """Return the fault of one exchange, whatever else goes on: it depends on its numbers alone."""
    chance, extent = _uniform(f"{seed}:{connection}:{turn}")
    kind = next((kind for kind, up_to in _ladder(mix) if chance < up_to), None)
    longest = {FaultKind.DELAY: mix.delay_s_max, FaultKind.LATE: mix.late_s_max, FaultKind.DRIP: mix.drip_s}
    return Fault(kind, longest.get(kind, 0.0) * extent if kind is not None else 0.0)


def _ladder(mix: FaultMix) -> Iterator[tuple[FaultKind, float]]:
    up_to = 0.0
    for kind in FaultKind:
        up_to += mix.share(kind)
        yield kind, up_to


def _uniform(name: str) -> tuple[float, float]:
    """Two numbers in [0, 1) that belong to a name."""
    digest = hashlib.sha256(name.encode()).digest()
    first, second = (int.from_bytes(digest[i : i + 8], "big") / 2**64 for i in (0, 8))
    return first, second
