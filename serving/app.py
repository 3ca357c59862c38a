"""The Serve application: ``serve run serving.app:app``, ``tg serve deploy``, or :func:`build` in a test.

Deployments, as the dashboard shows them: ``Gateway`` speaks HTTP, ``GrpcGateway`` gRPC where it is wanted,
``Policies`` hold trained policies, ``Regimes`` tell the regime of a caller's bars, ``Models`` says which
version is in force.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle

from serving.handles import PolicyHandle, RegimeHandle, SwapHandle, asked
from serving.models import ModelBoard
from serving.policies import PolicyReplica
from serving.ports import Prediction, Services
from serving.regimes import RegimeReplica
from serving.swap import Orders, Report, Switchboard
from tg_actors.desk.files import configs_folder, find_config, load
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import home
from tg_actors.runtime.serve_config import ServeConfig
from tg_actors.runtime.serving import free_port
from tg_actors.runtime.tokens import tokens_of

#: How long a replica that has nothing to report is kept on the line.
_HOLD_S = 0.5
_SYNC_DEADLINE_S = 5.0
#: Requests that one replica takes at once, open streams among them; Serve's own default is five.
_ONGOING_MAX = 4000
#: Ray gives its first node this; Serve's HTTP proxy is there as well.
_ON_HEAD = {"node:__internal_head__": 0.001}


class Models:
    """Says which version of a model is in force, once every replica has proved it."""

    def __init__(self, config: ServeConfig, home_folder: str) -> None:
        board = Switchboard(serve.get_replica_context().replica_id.unique_id, config.swaps.silent_ms * 10**6)
        self._board = ModelBoard(board, registry_of(Path(home_folder)), wall_ns, _HOLD_S)
        self._every_s = config.swaps.look_every_ms / 1e3
        self._watching: asyncio.Task[None] | None = None

    async def sync(self, report: Report, seen: Orders | None) -> Orders:
        """Take in a replica's report; return its orders once there are new ones."""
        if self._watching is None:
            await self._board.look()
            self._watching = asyncio.get_running_loop().create_task(self._board.watch(self._every_s))
        return await self._board.sync(report, seen)

    async def status(self) -> Mapping[str, Any]:
        """Return what is in force, wanted and refused."""
        return await self._board.status()

    def check_health(self) -> None:
        """Let Serve restart this replica when nobody watches the record any more."""
        if self._watching is not None and self._watching.done():
            raise RuntimeError("the record of promotions is no longer watched")


class Policies:
    """Trained policies: see :class:`serving.policies.PolicyReplica`."""

    async def __init__(  # type: ignore[misc]  # Serve awaits a constructor: no request comes before it is ready
        self, config: ServeConfig, home_folder: str, models: DeploymentHandle[Any]
    ) -> None:
        async def sync(report: Report, seen: Orders | None) -> Orders:
            orders: Orders = await asked(models, "sync", _SYNC_DEADLINE_S, report, seen)
            return orders

        name = serve.get_replica_context().replica_id.unique_id
        self._replica = PolicyReplica(
            name, registry_of(Path(home_folder)), sync, kept_max=config.policies.kept_max, pid=os.getpid()
        )
        await self._replica.get_ready()
        self._following = asyncio.get_running_loop().create_task(self._replica.follow())

    async def predict(self, model: str, observed: NDArray[np.float32], request_id: str = "") -> Prediction:
        """Return the actions of observations ``(n, features)``, and which version gave them."""
        return await self._replica.predict(model, observed, request_id)

    def check_health(self) -> None:
        """Let Serve restart this replica when it no longer hears of promotions."""
        if self._following.done():
            raise RuntimeError("this replica no longer follows the board of models")


class Regimes(RegimeReplica):
    """The filtered regime of a caller's bars."""


class Gateway:
    """Speaks HTTP. The application is built in the replica: it need not travel, and holds open files."""

    def __init__(
        self,
        config: ServeConfig,
        home_folder: str,
        policies: DeploymentHandle[Any],
        regimes: DeploymentHandle[Any],
        models: DeploymentHandle[Any],
        beside: DeploymentHandle[Any] | None = None,
    ) -> None:
        del beside  # Serve deploys what its ingress is bound to; this one answers for itself
        self._config = config
        self._services = Services(
            home=Path(home_folder),
            policies=PolicyHandle(policies, config.policies.deadline_ms / 1e3),
            regimes=RegimeHandle(regimes, config.regimes.deadline_ms / 1e3),
            swaps=SwapHandle(models, config.policies.deadline_ms / 1e3),
            hosts=frozenset(config.hosts),
        )
        self._api: FastAPI | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        """Return the application that this replica serves."""
        from serving.ingress.api import build_api  # noqa: PLC0415 - only the gateway needs the HTTP room

        self._api = build_api(self._services, self._config.run)
        return self._api

    def check_health(self) -> None:
        """Let Serve restart this replica when nobody looks at the desk any more."""
        if self._api is not None and self._api.state.room.board.has_ended:
            raise RuntimeError("the board of signals is no longer watched")


class GrpcGateway:
    """Speaks gRPC, on the loopback of the node where Serve's HTTP proxy is."""

    async def __init__(  # type: ignore[misc]  # Serve awaits a constructor: no request comes before it is ready
        self, config: ServeConfig, home_folder: str, policies: DeploymentHandle[Any]
    ) -> None:
        from serving.ingress.predict import PredictRoom  # noqa: PLC0415 - only this deployment needs gRPC
        from serving.rpc import RpcServer  # noqa: PLC0415 - likewise

        asking = PolicyHandle(policies, config.policies.deadline_ms / 1e3)
        self._server = RpcServer(PredictRoom(asking, tokens_of(Path(home_folder))))
        await self._server.start(config.grpc_port or 0)

    async def __del__(self) -> None:
        """Serve awaits this before it ends the replica."""
        await self._server.stop()

    async def address(self) -> str:
        """Return where it listens."""
        return self._server.address

    def check_health(self) -> None:
        """Let Serve restart this replica when it listens no more."""
        if self._server.has_ended:
            raise RuntimeError("the gRPC server has ended")


def build(arguments: Mapping[str, str]) -> Application:
    """Return the application.

    Args:
        arguments: ``config``, the JSON of a :class:`ServeConfig` (the shipped file if left out), and
            ``home``, the folder of runs and models (``TG_HOME`` if left out).
    """
    told = arguments.get("config")
    config = (
        ServeConfig.model_validate_json(told)
        if told
        else load(ServeConfig, find_config("configs/serve.yaml"))
    )
    folder = arguments.get("home") or str(home())
    models = _deployed(Models, 1, 0.0).bind(config, folder)
    policies = _deployed(Policies, config.policies.replicas, config.policies.cpus).bind(
        config, folder, models
    )
    regimes = _deployed(Regimes, config.regimes.replicas, config.regimes.cpus).bind()
    beside = None
    if config.grpc_port is not None:
        port = config.grpc_port or free_port("127.0.0.1")
        # No CPU of its own: a head node may have been given none.
        grpc = _deployed(GrpcGateway, 1, 0.0, on_head=True)
        beside = grpc.bind(config.model_copy(update={"grpc_port": port}), folder, policies)
    gateway = _deployed(serve.ingress()(Gateway), config.gateway.replicas, config.gateway.cpus)
    bound: Application = gateway.bind(config, folder, policies, regimes, models, beside)
    return bound


def registry_of(folder: Path) -> ModelRegistry:
    """The models of a home, and those that are shipped."""
    return ModelRegistry(folder / "models", configs_folder() / "models")


def __getattr__(name: str) -> Application:
    """Build ``app`` when it is asked for: an import alone reads no file."""
    if name == "app":
        return build({})
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _deployed(cls: type[Any], replicas: int, cpus: float, *, on_head: bool = False) -> Any:
    return serve.deployment(
        cls,
        name=cls.__name__,
        num_replicas=replicas,
        max_ongoing_requests=_ONGOING_MAX,
        ray_actor_options={"num_cpus": cpus, "resources": _ON_HEAD if on_head else {}},
        # One line a request would be one line for every promotion looked at, too.
        logging_config={"log_level": "WARNING", "enable_access_log": False},
        health_check_period_s=2,
        graceful_shutdown_wait_loop_s=0.5,
        graceful_shutdown_timeout_s=5,
    )
