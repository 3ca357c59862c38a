"""What the HTTP room asks of the other deployments: behind Serve a handle, in a test a plain object."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

import numpy as np
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.errors import OutsideError


class TooLate(OutsideError):  # noqa: N818 - a state of the other side, not a mistake
    """A deployment did not answer within its deadline."""


class Prediction(TypedDict):
    """What a policy answered: which version of which model, in which role, and ``(n, 2)`` actions."""

    model: str
    version: int
    role: str
    actions: NDArray[np.int64]


class PolicyPort(Protocol):
    """Policies by name (``rl-aggressive``, whichever is in force) or id (``rl-aggressive@7``)."""

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:
        """Return the actions of observations ``(n, features)``; the id decides who meets a canary.

        Raises:
            UserError: no such model or version, or observations of another width.
            OutsideError: no replica answered in time.
        """
        ...


class RegimePort(Protocol):
    """The regime of a market that the caller describes by its own bars."""

    async def posterior(self, bar_ns: int, end_ns: int, ohlcv: F64) -> RegimeView | None:
        """Return the filtered regime at ``end_ns`` of bars ``(w, n, 5)``; None while too little is known.

        Raises:
            UserError: the bars have another shape.
            OutsideError: no replica answered in time.
        """
        ...


class SwapPort(Protocol):
    """What is in force at the replicas of the policies, and what was refused."""

    async def status(self) -> Mapping[str, Any]:
        """Return versions in force, wanted and refused, and what replicas and shadows report.

        Raises:
            OutsideError: nobody answered in time.
        """
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the HTTP room may ask; ``home`` is the folder of runs, models and tokens."""

    home: Path
    policies: PolicyPort
    regimes: RegimePort
    swaps: SwapPort
    #: Names by which the server may be called besides the loopback's (``hosts`` of configs/serve.yaml).
    hosts: frozenset[str] = frozenset()
