"""Start or join Ray, always by an explicit address, always with token authentication."""

import contextlib
import logging
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tg_actors.domain.errors import OutsideError, UserError

if TYPE_CHECKING:
    from ray._private.worker import BaseContext

_OBJECT_STORE_BYTES = 256 * 1024 * 1024
#: Ray itself asks a cluster that has ended for two minutes, and then ends the process.
_REACH_S = 5.0
#: Actors here wait more than they compute; logical CPUs must not limit how many of them there are.
_LOGICAL_CPUS = 4


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """How to reach Ray. ``address`` None starts a new cluster that ends with this process."""

    namespace: str
    address: str | None = None
    dashboard: bool = True


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running Ray cluster as this process sees it; ``job_id`` is Ray's name for this very process."""

    address: str
    job_id: str
    dashboard_url: str | None
    token_path: Path | None


@contextlib.contextmanager
def cluster(spec: ClusterSpec, tell: Callable[[str], None]) -> Iterator[Cluster]:
    """Start or join Ray for the length of the block; ``tell`` hears about slow steps.

    Raises:
        UserError: the address cannot be joined.
        OutsideError: a local Ray could not be started, twice.
    """
    token_path = require_token()
    import ray  # noqa: PLC0415 - the authentication mode must be set before Ray is imported

    context = _join(spec) if spec.address else _start(spec, tell)
    try:
        url = context.dashboard_url
        yield Cluster(
            address=ray.get_runtime_context().gcs_address,
            job_id=ray.get_runtime_context().get_job_id(),
            dashboard_url=f"http://{url}" if url else None,
            token_path=token_path,
        )
    finally:
        ray.shutdown()


def ray_version() -> str:
    """Import Ray, with authentication switched on before, and return its version.

    Whoever redirects stdout calls this first: Ray keeps the stdout of its import until the very end.
    """
    require_token()
    import ray  # noqa: PLC0415 - see cluster()

    return ray.__version__


def require_token() -> Path | None:
    """Switch token authentication on and make sure that the token file is private.

    The token lies where Ray's own command looks for it, so that ``ray list actors`` finds it; a
    place or token chosen by ``RAY_AUTH_TOKEN_PATH`` or ``RAY_AUTH_TOKEN`` is respected.

    Raises:
        UserError: authentication was switched off by hand.
    """
    if os.environ.setdefault("RAY_AUTH_MODE", "token") != "token":
        raise UserError("RAY_AUTH_MODE is not 'token': a desk never runs on an open Ray cluster, unset it")
    if os.environ.get("RAY_AUTH_TOKEN"):
        return None
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))
    path.chmod(0o600)
    return path


def _join(spec: ClusterSpec) -> "BaseContext":
    import ray  # noqa: PLC0415 - see cluster()

    _check_reach(spec.address or "")
    try:
        return ray.init(
            address=spec.address, namespace=spec.namespace, log_to_driver=False, logging_level=logging.ERROR
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot join Ray at {spec.address} ({reason}): check address and token") from error


def _check_reach(address: str) -> None:
    """Refuse at once an address at which nobody listens.

    Raises:
        UserError: nobody does.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "/" in host:
        return  # not a host and a port: Ray itself says what is wrong with it
    try:
        socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot join Ray at {address} (nobody answers there): check the address, or whether it has ended"
        ) from error


def _start(spec: ClusterSpec, tell: Callable[[str], None]) -> "BaseContext":
    import ray  # noqa: PLC0415 - see cluster()

    for attempt in ("first", "second"):
        try:
            return ray.init(
                address="local",
                namespace=spec.namespace,
                num_cpus=max(_LOGICAL_CPUS, os.cpu_count() or 1),
                object_store_memory=_OBJECT_STORE_BYTES,
                include_dashboard=spec.dashboard,
                dashboard_host="127.0.0.1",
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except Exception as error:  # Ray raises bare exceptions when its processes do not come up
            ray.shutdown()
            if attempt == "second":
                reason = str(error).splitlines()[0]
                sentence = f"Ray did not start, twice ({reason}): logs: /tmp/ray/session_latest/logs"
                raise OutsideError(sentence, retryable=True) from error
            tell("Ray did not start in time (a busy machine does that); trying once more")
    raise AssertionError("unreachable")
