"""The file ``configs/serve.yaml``, strictly: Ray Serve's own schema takes a misspelt key without a word."""

from typing import Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message

APP_NAME = "triplegain"


class GatewayConfig(Message):
    """Who speaks HTTP. ``cpus`` are logical CPUs of one replica."""

    replicas: int = Field(default=1, ge=1, le=16)
    cpus: float = Field(default=0.2, ge=0, le=8)


class PoliciesConfig(Message):
    """Who holds the policies. ``kept_max`` versions without a role stay in memory for who names one."""

    replicas: int = Field(default=2, ge=1, le=64)
    cpus: float = Field(default=0.2, ge=0, le=8)
    kept_max: int = Field(default=8, ge=1, le=1000)
    deadline_ms: int = Field(default=1000, gt=0, le=60_000)


class RegimesConfig(Message):
    """Who tells the regime of a caller's bars."""

    replicas: int = Field(default=1, ge=1, le=16)
    cpus: float = Field(default=0.1, ge=0, le=8)
    deadline_ms: int = Field(default=5000, gt=0, le=60_000)


class SwapsConfig(Message):
    """How quickly a promotion is seen, and how long a silent replica is waited for."""

    look_every_ms: int = Field(default=50, ge=5, le=60_000)
    silent_ms: int = Field(default=2000, ge=1000, le=60_000)


class ServeConfig(Message):
    """One Serve application. A port of 0 takes a free one; ``run`` None: the desk that runs, or the latest.

    ``grpc_port`` None: no predictions over gRPC; else the loopback's port for them, whatever ``host`` is.
    """

    host: str = Field(default="127.0.0.1", pattern=r"^[A-Za-z0-9.:-]+$")
    port: int = Field(default=8788, ge=0, le=65_535)
    grpc_port: int | None = Field(default=None, ge=0, le=65_535)
    hosts: tuple[str, ...] = ()
    run: str | None = None
    gateway: GatewayConfig = Field(default_factory=GatewayConfig)
    policies: PoliciesConfig = Field(default_factory=PoliciesConfig)
    regimes: RegimesConfig = Field(default_factory=RegimesConfig)
    swaps: SwapsConfig = Field(default_factory=SwapsConfig)

    @model_validator(mode="after")
    def _one_server_a_port(self) -> Self:
        if self.grpc_port and self.grpc_port == self.port:
            raise ValueError(f"port and grpc_port are both {self.port}: gRPC needs one of its own")
        return self
