"""Deploy, look at and shut down our Serve application on the Ray that this process has joined."""

import contextlib
import importlib
import json
import logging
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.domain.message import Message
from tg_actors.runtime.home import private_folder
from tg_actors.runtime.serve_config import APP_NAME, ServeConfig

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

#: Where the application is built. By name: the desk never imports what serves readers.
_BUILDER = "serving.app"
_GRPC = "GrpcGateway"
_ASK_S = 10.0
_REACH_S = 2.0


class Deployed(Message):
    """What ``tg serve status`` must know to find a deployment: kept in ``TG_HOME/serve/deployed.json``."""

    address: str
    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class Serving:
    """A running application: where it answers, and its board of models; ``grpc`` None where that is off."""

    url: str
    models: "DeploymentHandle[Any]"
    policies: "DeploymentHandle[Any]"
    gateway: "DeploymentHandle[Any]"
    grpc: str | None


def deploy(
    config: ServeConfig, home: Path, build: Callable[[Mapping[str, str]], Any] | None = None
) -> Serving:
    """Deploy on the Ray that this process has joined, and wait until it answers.

    Args:
        config: what to deploy; a port of 0 takes a free one.
        home: the folder of runs, models and tokens, on every node of the cluster.
        build: makes the application; ``serving.app.build`` if left out.

    Raises:
        UserError: Serve runs on another port already, or would listen where nobody asked it to.
        OutsideError: a deployment did not come up.
    """
    from ray import serve  # noqa: PLC0415 - Ray's authentication is set before it is imported

    if os.environ.get("RAY_SERVE_ENABLE_HA_PROXY", "0") != "0":
        raise UserError("RAY_SERVE_ENABLE_HA_PROXY makes Serve listen on every interface: unset it")
    _hush()
    port = config.port or free_port(config.host)
    if not _runs(serve):
        check_free(config.host, port)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": config.host, "port": port},
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    if (running := _http_address(serve)) != (config.host, port):
        raise UserError(
            f"Serve already answers on {running[0]}:{running[1]} in this cluster: write that host and port "
            "into configs/serve.yaml, or 'tg serve shutdown' first"
        )
    make = build or importlib.import_module(_BUILDER).build
    arguments = {"config": config.model_dump_json(), "home": str(home)}
    try:
        serve.run(make(arguments), name=APP_NAME, route_prefix="/")
    except RuntimeError as error:
        raise OutsideError(
            f"the Serve application did not start: {_why(serve, error)}", retryable=False
        ) from error
    return Serving(
        url=f"http://{_in_url(config.host)}:{port}",
        models=serve.get_deployment_handle("Models", APP_NAME),
        policies=serve.get_deployment_handle("Policies", APP_NAME),
        gateway=serve.get_app_handle(APP_NAME),
        grpc=None if config.grpc_port is None else grpc_address(),
    )


def remember(folder: Path, deployed: Deployed) -> None:
    """Write down where the application answers, for commands of later."""
    path = _file(folder)
    private_folder(path.parent)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_text(deployed.model_dump_json())
    scratch.replace(path)


def recall(folder: Path) -> Deployed:
    """Return where the application was deployed.

    Raises:
        UserError: nothing was deployed from this home.
    """
    try:
        return Deployed.model_validate_json(_file(folder).read_bytes())
    except FileNotFoundError:
        raise UserError(f"nothing was deployed from {folder}: 'tg serve deploy' does it") from None
    except ValidationError as error:
        raise UserError(f"{_file(folder)} is damaged: remove it and deploy again") from error


def find(folder: Path) -> Deployed:
    """Return where the application was deployed, if its cluster still answers.

    Raises:
        UserError: nothing was deployed from this home, or it has ended without a word.
    """
    known = recall(folder)
    if not _is_answering(f"//{known.address}"):
        raise UserError(
            f"what was deployed from {folder} on {known.address} has ended: 'tg serve deploy' starts it again"
        )
    return known


def forget(folder: Path, url: str | None = None) -> None:
    """Forget a deployment that has ended: the one at this address, or whichever is written down."""
    with contextlib.suppress(UserError):
        if url is not None and recall(folder).url != url:
            return
    _file(folder).unlink(missing_ok=True)


def check_alone(folder: Path, address: str | None) -> None:
    """Refuse a second deployment from one home: later commands could find one of them only.

    Raises:
        UserError: there is one that answers, on another cluster than ``address``.
    """
    try:
        known = recall(folder)
    except UserError:
        return
    if known.address == address or not (_is_answering(f"//{known.address}") and _is_answering(known.url)):
        return
    raise UserError(f"{folder} is served on {known.url} already: end that with 'tg serve shutdown' first")


def status() -> dict[str, Any]:
    """Return application and deployments as plain data, and what is in force; joined to Ray already.

    Raises:
        UserError: the application does not run here.
    """
    _hush()
    seen = _applications().get(APP_NAME)
    if seen is None:
        raise UserError("this Ray does not serve our application: 'tg serve deploy' brings it")
    rows = [
        {
            "deployment": name,
            "status": str(one.status.value),
            "replicas": sum(one.replica_states.values()),
            "running": sum(n for state, n in one.replica_states.items() if str(state).endswith("RUNNING")),
            "message": one.message,
        }
        for name, one in sorted(seen.deployments.items())
    ]
    return {
        "application": str(seen.status.value),
        "grpc": grpc_address() if _GRPC in seen.deployments else None,
        "deployments": rows,
        "models": models_status(),
    }


def is_there() -> bool:
    """Whether the application is still deployed."""
    return APP_NAME in _applications()


def shutdown() -> None:
    """End the application, and Serve with it where nothing else runs on it."""
    from ray import serve  # noqa: PLC0415 - see deploy()

    if set(_applications()) - {APP_NAME}:
        serve.delete(APP_NAME)
        return
    serve.shutdown()  # type: ignore[no-untyped-call]  # Serve gives it no types


def free_port(host: str) -> int:
    """Ask the operating system for a port that nobody uses.

    Raises:
        UserError: this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as listening:
            listening.bind((host, 0))
            return int(listening.getsockname()[1])
    except OSError as error:
        raise UserError(
            f"cannot listen on {host} ({error.strerror}): put right host in configs/serve.yaml"
        ) from error


def check_free(host: str, port: int) -> None:
    """Refuse a port at which somebody listens: Serve would listen there as well, and answer every other call.

    Raises:
        UserError: the port is taken, or may not be listened on.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listening:
        # As Serve itself: connections that have just ended are in nobody's way.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            raise UserError(
                f"cannot listen on {host}:{port} ({error.strerror}): end what is there, or take another port"
            ) from error


def _hush() -> None:
    """What Serve tells of its routers is for its own log."""
    # Its import sets a level of its own, so that comes first.
    importlib.import_module("ray.serve")
    logging.getLogger("ray.serve").setLevel(logging.WARNING)


def _is_answering(url: str) -> bool:
    place = urlsplit(url)
    try:
        socket.create_connection((place.hostname, place.port), _REACH_S).close()
    except (OSError, ValueError):
        return False
    return True


def _applications() -> Mapping[str, Any]:
    """What Serve runs; nothing where it does not run, or has just ended."""
    from ray import serve  # noqa: PLC0415 - see deploy()
    from ray.exceptions import RayActorError  # noqa: PLC0415 - see deploy()

    try:
        return serve.status().applications
    except RayActorError:
        return {}


def models_status() -> dict[str, Any]:
    """Return what the board of models says; joined to Ray already.

    Raises:
        OutsideError: it does not answer.
    """
    # Through JSON: whatever it says must be plain.
    plain: dict[str, Any] = json.loads(json.dumps(_asked("Models", "status", "the board of models")))
    return plain


def grpc_address() -> str:
    """Return where predictions are answered over gRPC; joined to Ray already.

    Raises:
        OutsideError: the deployment does not answer.
    """
    return str(_asked(_GRPC, "address", "the gateway for gRPC"))


def _asked(deployment: str, method: str, called: str) -> Any:
    from ray import serve  # noqa: PLC0415 - see deploy()
    from ray.exceptions import RayActorError  # noqa: PLC0415 - see deploy()
    from ray.serve.exceptions import RayServeException  # noqa: PLC0415 - see deploy()

    handle: DeploymentHandle[Any] = serve.get_deployment_handle(deployment, APP_NAME)
    try:
        return handle.options(method_name=method).remote().result(timeout_s=_ASK_S)
    except (TimeoutError, RayServeException, RayActorError) as error:
        raise OutsideError(f"{called} does not answer ({type(error).__name__})", retryable=True) from error


def _why(serve: Any, error: RuntimeError) -> str:
    """The last line of what the deployment that failed has said; Serve's own error names it only."""
    seen = serve.status().applications.get(APP_NAME)
    told = (
        []
        if seen is None
        else [f"{n}: {d.message}" for n, d in seen.deployments.items() if "FAIL" in d.status]
    )
    lines = [line for line in (told or [str(error)])[0].strip().splitlines() if line.strip()]
    return f"{told[0].partition(':')[0]}: {lines[-1]}" if told else lines[-1]


def _runs(serve: Any) -> bool:
    """Whether Serve has been started in this cluster."""
    return serve.context._get_global_client(raise_if_no_controller_running=False) is not None  # noqa: SLF001 - Serve tells it nowhere else


def _http_address(serve: Any) -> tuple[str, int]:
    """Where Serve of this cluster listens: options given to one that runs already count for nothing."""
    options = serve.context._get_global_client().http_config  # noqa: SLF001 - Serve tells it nowhere else
    return str(options.host), int(options.port)


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _file(folder: Path) -> Path:
    return folder / "serve" / "deployed.json"
