"""Spawn, look up and ask actors: thin, typed, and with every wait bounded."""

import functools
import os
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

import ray
from ray.actor import ActorHandle
from ray.exceptions import (
    ActorDiedError,
    ActorUnavailableError,
    GetTimeoutError,
    ObjectLostError,
    RayActorError,
    RayTaskError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from tg_actors.domain.errors import OutsideError

#: What a call raises when the process behind it died, is restarting, or took its results with it.
DEATHS = (ActorDiedError, ActorUnavailableError, RayActorError, ObjectLostError)

Handle = ActorHandle[Any]
_P = ParamSpec("_P")
_T = TypeVar("_T")


#: An actor needs hardly any of what a node offers it: the resource says where it may live, not how many.
_A_LITTLE = 0.001


def spawn(
    cls: type[Any], name: str, *args: object, concurrency: int = 1, node_resource: str | None = None
) -> Handle:
    """Create a named actor that Ray restarts for ever; how often is too often, supervision decides.

    It lives on the node of its creator, where the journal and the kill switch lie; with
    ``node_resource`` on any node that offers this custom resource, and moves when its node dies: such
    nodes must all reach the journal. Ray never repeats a call by itself: an effect must not happen
    twice, and a caller that may ask again does so knowingly, with :func:`persist`.
    """
    options = {
        "name": name,
        "num_cpus": 0,
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": concurrency,
        **_placement(node_resource),
    }
    handle: Handle = ray.remote(cls).options(**options).remote(*args)
    return handle


def _placement(node_resource: str | None) -> dict[str, object]:
    if node_resource is not None:
        return {"resources": {node_resource: _A_LITTLE}, "scheduling_strategy": "SPREAD"}
    here = ray.get_runtime_context().get_node_id()
    return {"scheduling_strategy": NodeAffinitySchedulingStrategy(here, soft=False)}


def put(value: object) -> "ray.ObjectRef[Any]":
    """Lay a value down once, for many actors to read without a copy; their first arguments may be it."""
    reference: ray.ObjectRef[Any] = ray.put(value)
    return reference


def look_up(name: str) -> Handle | None:
    """Find a living actor of this namespace by its name."""
    try:
        return ray.get_actor(name)
    except ValueError:
        return None


def kill_for_good(handle: Handle) -> None:
    """End an actor that supervision has given up; Ray does not restart it."""
    ray.kill(handle, no_restart=True)


def restart(handle: Handle) -> None:
    """Kill the process of an actor; Ray starts a new one, which recovers."""
    ray.kill(handle, no_restart=False)


def get(ref: "ray.ObjectRef[Any]", timeout_s: float) -> Any:
    """Wait for one answer. Errors of the actor's own code come out as they were raised there.

    Raises:
        TimeoutError: it did not come in time.
    """
    try:
        return ray.get(ref, timeout=timeout_s)
    except GetTimeoutError as late:
        raise TimeoutError(str(late)) from None
    except RayTaskError as error:
        raise error.cause from error


def persist(
    call: Callable[[], "ray.ObjectRef[Any]"],
    timeout_s: float,
    on_death: Callable[[], None],
    on_hang: Callable[[], None],
) -> Any:
    """Repeat an idempotent call until its actor is back, for at most ``timeout_s``.

    ``on_death`` hears of every failed attempt. An actor that lives and does not answer in all that time
    is reported to ``on_hang``, which may end its process, and gets the time once more. Errors raised by
    the actor's own code pass through.

    Raises:
        OutsideError: the actor did not answer or come back in time.
    """
    end = time.monotonic() + timeout_s
    hung = False
    while True:
        try:
            return get(call(), max(0.1, end - time.monotonic()))
        except TimeoutError:
            if hung:
                sentence = f"an actor did not answer within {timeout_s:g} s, nor did its successor"
                raise OutsideError(sentence, retryable=True) from None
            hung, end = True, time.monotonic() + timeout_s
            on_hang()
        except DEATHS as death:
            on_death()
            if time.monotonic() > end:
                reason = str(death).strip().splitlines()[-1]
                sentence = f"an actor did not come back within {timeout_s:g} s: {reason}"
                raise OutsideError(sentence, retryable=True) from None
            time.sleep(0.05)  # a dead actor answers at once; do not spin


@dataclass(slots=True)
class Gathered:
    """What came before a deadline, what failed, and after how many seconds each answer was there."""

    came: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, BaseException] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


def gather(refs: Mapping[str, "ray.ObjectRef[Any]"], timeout_s: float) -> Gathered:
    """Wait for many answers until a deadline; what is neither in ``came`` nor in ``failed`` is late."""
    pending = {ref: name for name, ref in refs.items()}
    began = time.monotonic()
    gathered = Gathered()
    while pending and (left := began + timeout_s - time.monotonic()) > 0:
        ready, _ = ray.wait(list(pending), num_returns=1, timeout=left)
        for ref in ready:
            name = pending.pop(ref)
            try:
                gathered.came[name] = ray.get(ref)
                gathered.seconds[name] = time.monotonic() - began
            except (RayTaskError, *DEATHS) as error:
                gathered.failed[name] = error
    return gathered


def reborn(*failures: type[OutsideError]) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Let failures of the world that may pass end this actor's process instead of being raised.

    Ray starts a process that died again, but never an actor whose constructor raised: a journal that
    somebody held for a few seconds would cost the desk an actor for good.
    """

    def wrap(method: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(method)
        def or_die(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            try:
                return method(*args, **kwargs)
            except failures as error:
                if not (error.retryable and ray.is_initialized()):
                    raise
                traceback.print_exception(error)
                os._exit(1)

        return or_die

    return wrap


class Watchdog:
    """End this process when its parent is gone: an actor must not outlive its node's raylet.

    Raylets that are killed leave their actors running (measured: for more than 100 s); such an
    orphan would go on trading beside its replacement. Outside Ray there is no node to lose and
    nothing is watched.
    """

    def __init__(self, every_s: float = 1.0, also: Callable[[], str | None] = lambda: None) -> None:
        self._parent = os.getppid()
        self._every_s = every_s
        self._also = also
        if ray.is_initialized():
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def _watch(self) -> None:
        while True:
            time.sleep(self._every_s)
            if os.getppid() != self._parent or self._also() is not None:
                os._exit(1)
