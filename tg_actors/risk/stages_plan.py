"""The way from paper money to the whole capital, as data: stages, criteria, schedules, rollback rules."""

from decimal import Decimal
from enum import StrEnum

from pydantic import Field, model_validator

from tg_actors.domain.message import Message


class Metric(StrEnum):
    """What a criterion may ask about; :mod:`tg_actors.risk.gates` defines each."""

    DAYS = "days"
    TRADES = "trades"
    SHARPE = "sharpe_daily_365"
    DRAWDOWN = "max_drawdown_frac"
    WIN_RATE = "win_rate_closed_trades"
    PROFIT_FACTOR = "profit_factor_closed_trades"
    LARGEST_LOSS = "largest_loss_frac"
    UPTIME = "uptime_frac"
    PARSE_RATE = "parse_rate_frac"
    SLIPPAGE = "slippage_bps_mean"
    FILL_RATE = "fill_rate_frac"


class Criterion(Message):
    """One condition of a gate: a metric and its bound. ``when_llm``: asked only where an LLM has spoken."""

    metric: Metric
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    when_llm: bool = False

    @model_validator(mode="after")
    def _has_one_bound(self) -> "Criterion":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("a criterion has at_least or at_most, and not both")
        return self


class Trigger(StrEnum):
    """What a rollback rule watches."""

    DRAWDOWN = "drawdown"
    LOSING_WEEKS = "losing_weeks"


class Rollback(StrEnum):
    """What a rollback rule does."""

    DEMOTE = "demote"
    PAUSE = "pause"
    HALVE = "halve"


class RollbackRule(Message):
    """An automatic step back.

    ``limit`` is a fraction of the stage's capital lost since the highest equity in the stage, or a
    number of losing weeks in a row.
    """

    trigger: Trigger
    limit: Decimal = Field(gt=0)
    action: Rollback


class ApprovalFrom(Message):
    """From a week of the stage on, entries above this notional need a person: 0 all, null none."""

    from_week: int = Field(ge=1)
    above_usd: Decimal | None = Field(ge=0)


class Stage(Message):
    """One stage. ``pairs`` None allows every instrument of the desk; ``entry`` and ``exit`` are gates.

    ``multi_model`` False lets the ensemble hear the desk's first agent only. ``rebalancing`` False
    forbids orders that change a position without closing it, and agents that rebalance are not heard.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    real_money: bool
    capital_usd: Decimal = Field(gt=0)
    duration_days_min: int = Field(ge=1)
    pairs: tuple[str, ...] | None = None
    leverage_max: Decimal = Field(gt=0, le=10)
    multi_model: bool
    rebalancing: bool
    approvals: tuple[ApprovalFrom, ...] = ()
    rollback: tuple[RollbackRule, ...] = ()
    entry: tuple[Criterion, ...] = ()
    exit: tuple[Criterion, ...] = Field(min_length=1)

    def approval_above_usd(self, week: int) -> Decimal | None:
        """Return the notional above which an entry needs a person in a week of the stage, None never."""
        begun = [step for step in self.approvals if step.from_week <= week]
        return max(begun, key=lambda step: step.from_week).above_usd if begun else None

    def rule(self, trigger: Trigger) -> RollbackRule | None:
        """Return what a trigger does in this stage, None when nothing."""
        return next((rule for rule in self.rollback if rule.trigger is trigger), None)


class Resampling(Message):
    """How the figures beside a criterion are computed: so many samples, from this seed."""

    samples: int = Field(ge=100, le=100_000)
    seed: int = Field(ge=0)
    block_days_mean: float = Field(ge=1)
    interval_frac: float = Field(gt=0, lt=1)


class StagePlan(Message):
    """All stages from the lowest to the highest: the file ``configs/stages.yaml``."""

    resampling: Resampling
    stages: tuple[Stage, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_a_ladder(self) -> "StagePlan":
        names = [stage.name for stage in self.stages]
        if len(set(names)) < len(names):
            raise ValueError("every stage has a name of its own")
        for stage in self.stages:
            weeks = [step.from_week for step in stage.approvals]
            triggers = [rule.trigger for rule in stage.rollback]
            if weeks != sorted(set(weeks)) or len(set(triggers)) < len(triggers):
                raise ValueError(f"{stage.name}: weeks rise, and a trigger stands once")
        money = [stage for stage in self.stages if stage.real_money]
        if list(self.stages[len(self.stages) - len(money) :]) != money:
            raise ValueError("no stage with paper money follows one with real money")
        if [stage.capital_usd for stage in money] != sorted(stage.capital_usd for stage in money):
            raise ValueError("real capital never shrinks from stage to stage")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, lowest first."""
        return tuple(stage.name for stage in self.stages)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Stage:
        return self.stages[self.names.index(name)]

    def above(self, name: str) -> Stage | None:
        """Return the next stage, None above the highest."""
        rank = self.names.index(name) + 1
        return self.stages[rank] if rank < len(self.stages) else None

    def below(self, name: str) -> Stage | None:
        """Return the stage before, None below the lowest."""
        rank = self.names.index(name)
        return self.stages[rank - 1] if rank else None


class StageSpec(Message):
    """The plan, and the first stage at which this desk may trade.

    In a ``rehearsal``, a backtest, there is nobody to promote, to approve or to resume: it begins at
    home, no entry waits, and a pause or a demotion is told but keeps nothing out.
    """

    plan: StagePlan
    home: str
    rehearsal: bool = False

    @model_validator(mode="after")
    def _has_a_home(self) -> "StageSpec":
        if self.home not in self.plan:
            raise ValueError(f"there is no stage {self.home!r}")
        return self
