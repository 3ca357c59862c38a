"""The ports of :mod:`serving.ports` behind Serve handles: a deadline, and more tries where a replica died."""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError, DeploymentUnavailableError, RayServeException
from ray.serve.handle import DeploymentHandle

from serving.ports import Prediction, TooLate
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import RegimeView
from tg_actors.domain.errors import OutsideError, UserError

#: A replica that dies takes its requests with it; asking once more is harmless, for nothing has an effect.
_TRIES = 3


class PolicyHandle:
    """The policies as the gateway asks them."""

    def __init__(self, handle: DeploymentHandle[Any], deadline_s: float) -> None:
        self._handle, self._deadline_s = handle, deadline_s

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:
        """Return actions and who gave them; see :class:`serving.ports.PolicyPort`."""
        answer: Prediction = await asked(
            self._handle, "predict", self._deadline_s, model, observed, request_id
        )
        return answer


class RegimeHandle:
    """The regime filter as the gateway asks it."""

    def __init__(self, handle: DeploymentHandle[Any], deadline_s: float) -> None:
        self._handle, self._deadline_s = handle, deadline_s

    async def posterior(self, bar_ns: int, end_ns: int, ohlcv: F64) -> RegimeView | None:
        """Return the regime; see :class:`serving.ports.RegimePort`."""
        view: RegimeView | None = await asked(
            self._handle, "posterior", self._deadline_s, bar_ns, end_ns, ohlcv
        )
        return view


class SwapHandle:
    """The board of models as the gateway asks it."""

    def __init__(self, handle: DeploymentHandle[Any], deadline_s: float) -> None:
        self._handle, self._deadline_s = handle, deadline_s

    async def status(self) -> Mapping[str, Any]:
        """Return what is in force; see :class:`serving.ports.SwapPort`."""
        status: Mapping[str, Any] = await asked(self._handle, "status", self._deadline_s)
        return status


async def asked(handle: DeploymentHandle[Any], method: str, deadline_s: float, *arguments: Any) -> Any:
    """Ask a deployment, within the deadline, again where a replica died under the question.

    Raises:
        UserError, OutsideError: as the replica said.
        TooLate: nobody answered in time.
        OutsideError: nobody is there to answer.
    """
    last: Exception | None = None
    try:
        async with asyncio.timeout(deadline_s):
            for _ in range(_TRIES):
                try:
                    return await handle.options(method_name=method).remote(*arguments)
                except RayActorError as error:
                    last = error
    except TimeoutError as error:
        raise TooLate(
            f"{handle.deployment_name} did not answer in time: ask again", retryable=True
        ) from error
    except RayTaskError as error:
        raise _said(error) from None
    except (BackPressureError, DeploymentUnavailableError, RayServeException) as error:
        last = error
    raise OutsideError(f"{handle.deployment_name} is away: ask again", retryable=True) from last


def _said(error: RayTaskError) -> Exception:
    """What the replica itself said, without the clothes of the journey; a bug there stays a bug here."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, UserError | OutsideError) else error
