"""A desk file: one file = one runnable desk."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field

from tg_actors.agents.kinds import DEFAULT_KIND, KINDS, AgentSpec
from tg_actors.desk.files import find_config, find_named, load, read_yaml, suggest
from tg_actors.desk.supervision import ChildPolicy
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.venues.connection import Connection, InlineConnection
from tg_actors.market.config import MarketConfig
from tg_actors.market.filters import InstrumentFilters
from tg_actors.meta.ensemble import MetaConfig
from tg_actors.meta.learned import META
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.stages_plan import StagePlan, StageSpec

#: A multiple of real time, or as fast as the desk decides.
Speed = Annotated[float, Field(gt=0)] | Literal["max"]


class PaceConfig(Message):
    """How fast the market is played, and how long anybody is waited for.

    ``speed`` is a multiple of real time, ``max`` plays as fast as the desk decides. Opinions are
    waited for until ``opinion_deadline_ms``; at ``max`` the market waits for the desk, so the only
    deadline is ``stall_limit_s``, which also bounds the wait for a restarting actor.
    """

    speed: Speed = Field(default="max")
    opinion_deadline_ms: int = Field(default=500, gt=0)
    stall_limit_s: int = Field(default=60, gt=0)


class SupervisionConfig(Message):
    """Policies of the supervised actors, and how long a silent coordinator is believed alive."""

    agents: ChildPolicy
    core: ChildPolicy
    coordinator_silence_s_max: float = Field(default=5.0, gt=0)


class VenueConfig(Message):
    """A file in ``configs/venues``: what the venue asks of orders, and the way to it.

    ``exchange`` is what trading costs on the practice exchange, which stands in for the venue in
    backtests and on paper. ``connection`` is the client that a desk trades through.
    """

    instruments: InstrumentFilters
    exchange: ExchangeConfig
    connection: Connection = Field(default_factory=InlineConnection)


#: Whose money it is.
Mode = Literal["paper", "live"]


class DeskConfig(Message):
    """Everything an owner decides about one desk.

    ``opening_cash`` is per currency; a currency is funded when an instrument is paid in it.
    ``venue`` and ``agents`` name files in ``configs/venues`` and ``configs/agents``. In ``mode``
    ``paper`` the venue is the practice exchange, reached through the venue's own client where it has
    one; in ``live`` it is the venue, and it is real money. ``stage`` is the first stage of
    ``configs/stages.yaml`` at which the desk may trade, None for a desk without stages. ``approval``
    says which entries wait for a person; a stage may ask for more.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    account: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    reporting_currency: str
    instruments: tuple[str, ...] = Field(min_length=1)
    opening_cash: dict[str, Annotated[Decimal, Field(ge=0)]]
    market: MarketConfig
    venue: str
    mode: Mode = "paper"
    stage: str | None = None
    agents: tuple[str, ...] = Field(min_length=1)
    meta: MetaConfig
    risk: RiskLimits
    permits: HardLimits
    approval: ApprovalPolicy = Field(default_factory=ApprovalPolicy)
    supervision: SupervisionConfig
    pace: PaceConfig
    metrics_port: int | None = Field(default=None, gt=0, lt=65536)


def load_desk(path: str) -> DeskConfig:
    """Read a desk file and every file it names.

    Raises:
        UserError: one is missing or wrong; says where and what to do.
    """
    found = find_config(path)
    config = load(DeskConfig, found)
    _check(config, found)
    load_venue(config)
    load_agents(config)
    load_stages(config)
    return config


def load_venue(config: DeskConfig) -> VenueConfig:
    """Read the venue file of a desk."""
    return load(VenueConfig, find_named("venues", config.venue))


def load_agents(config: DeskConfig) -> tuple[AgentSpec, ...]:
    """Read the agent files of a desk, in its order.

    Raises:
        UserError: as for :func:`load_agent`.
    """
    return tuple(load_agent(name) for name in config.agents)


def load_agent(name: str) -> AgentSpec:
    """Read one file of ``configs/agents`` as what its ``kind`` says it is.

    Raises:
        UserError: the file is missing or wrong, of no known kind, or its agent has another name.
    """
    path = find_named("agents", name)
    content = read_yaml(path)
    kind = str(content.get("kind", DEFAULT_KIND)) if isinstance(content, dict) else DEFAULT_KIND
    if kind not in KINDS:
        raise UserError(f"{path}: there is no kind of agent {kind!r}{suggest(kind, list(KINDS))}")
    spec = cast("AgentSpec", load(KINDS[kind].spec, path, content))
    if spec.name != name:
        raise UserError(
            f"{path}: its agent is called {spec.name!r}, but the file {name!r}: give both one name"
        )
    return spec


def load_plan() -> StagePlan:
    """Read the stages and their gates."""
    return load(StagePlan, find_config("configs/stages.yaml"))


def load_stages(config: DeskConfig, *, rehearsal: bool = False) -> StageSpec | None:
    """Read the stages that a desk, or the rehearsal of one, is held to; None when its file names none.

    Raises:
        UserError: the stage is unknown, or contradicts the desk.
    """
    if config.stage is None:
        return None
    plan = load_plan()
    if config.stage not in plan:
        raise UserError(
            f"desk {config.name!r}: there is no stage {config.stage!r}: use {', '.join(plan.names)}"
        )
    stage = plan[config.stage]
    if config.mode == "live" and not stage.real_money:
        raise UserError(
            f"desk {config.name!r} trades real money and {stage.name} is for paper: name another stage"
        )
    if config.reporting_currency not in _DOLLARS:
        raise UserError(
            f"desk {config.name!r} reports in {config.reporting_currency}, but stages count dollars: "
            f"report in one of {', '.join(_DOLLARS)}, or leave out stage"
        )
    funded = {symbol.partition("/")[2] for symbol in config.instruments} - {config.reporting_currency}
    idle = [currency for currency in sorted(funded) if config.opening_cash.get(currency, 0) > 0]
    if idle:
        raise UserError(
            f"desk {config.name!r} opens with {idle[0]}, whose price alone would move it between stages: "
            f'write opening_cash {idle[0]}: "0"'
        )
    if config.meta.quorum > 1 and not all(s.multi_model for s in plan.stages):
        raise UserError(
            f"desk {config.name!r} has a quorum of {config.meta.quorum}, which no stage that hears one "
            "agent can meet: write quorum: 1"
        )
    return StageSpec(plan=plan, home=stage.name, rehearsal=rehearsal)


#: What a stage's capital may be counted in.
_DOLLARS = ("USD", "USDT", "USDC")


def _check(config: DeskConfig, path: Path) -> None:
    for what, names in (("instruments", config.instruments), ("agents", config.agents)):
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError(f"{path}: {twice[0]!r} stands twice in {what}: remove one")
    if META in config.agents:
        raise UserError(f"{path}: {META!r} is the name of the meta agent: give that agent another")
    strangers = [arm for arm in config.meta.policy.named if arm not in config.agents]
    if strangers:
        known = suggest(strangers[0], list(config.agents))
        raise UserError(
            f"{path}: meta.policy speaks of {strangers[0]!r}, which is no agent of the desk{known}"
        )
