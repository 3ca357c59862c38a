"""How a challenger becomes champion, or does not: one table of stages and events. Pure.

Events are facts from outside; an attempt is what follows from them. The roles that versions should have
follow from the stage alone (:func:`wanted`), so whoever was killed between a fact and a promotion only has to
compare and go on.
"""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.rl.acts import Roles
from tg_actors.rl.sequential import (
    PairedDays,
    SequentialPlan,
    Side,
    evidence_against,
    evidence_for,
    look,
)


class Stage(StrEnum):
    """Where an attempt stands. The last three end it."""

    COLLECTING = "collecting"
    TRAINING = "training"
    GATE = "gate"
    SHADOW = "shadow"
    SEQUENTIAL = "sequential"
    CANARY = "canary"
    CHAMPION = "champion"
    REFUSED = "refused"
    ROLLED_BACK = "rolled_back"
    SETTLED = "settled"


ENDED = frozenset({Stage.REFUSED, Stage.ROLLED_BACK, Stage.SETTLED})
#: Stages in which each new day of both is wanted.
WATCHED = frozenset({Stage.SHADOW, Stage.SEQUENTIAL, Stage.CANARY, Stage.CHAMPION})


class ImprovementPlan(Message):
    """How long a challenger is watched, and what takes it back.

    In canary it decides for ``canary_share_frac`` during ``canary_days``; as champion it is watched for
    ``probation_days`` more. From the first canary day on it is taken back at once when it loses
    ``drawdown_frac_max`` from a peak, or when a second test of the same plan finds it worse.
    """

    sequential: SequentialPlan = Field(default_factory=SequentialPlan)
    canary_share_frac: float = Field(default=0.1, gt=0, lt=1)
    canary_days: int = Field(default=14, ge=1)
    probation_days: int = Field(default=90, ge=1)
    drawdown_frac_max: float = Field(default=0.15, gt=0, lt=1)


class Began(Message):
    """An attempt begins against this champion; None where the model has had none."""

    kind: Literal["began"] = "began"
    champion: int | None


class Collected(Message):
    """Days up to ``end_day`` (exclusive) of a market are there to learn from; days since 1970-01-01 UTC."""

    kind: Literal["collected"] = "collected"
    market: str = Field(min_length=1)
    first_day: int
    end_day: int


class Trained(Message):
    """A challenger stands in the registry. ``scale_frac``: usual daily difference to the champion."""

    kind: Literal["trained"] = "trained"
    version: int = Field(ge=1)
    sha256: str
    scale_frac: float = Field(gt=0)


class Judged(Message):
    """What the offline gate said."""

    kind: Literal["judged"] = "judged"
    passed: bool
    why: str


class Watched(Message):
    """What both earned on one day, on the same bars; days come in order."""

    kind: Literal["watched"] = "watched"
    day: int
    challenger_frac: float = Field(ge=-1)
    champion_frac: float = Field(ge=-1)


class Withdrawn(Message):
    """A person, a failure or another promotion ends the attempt."""

    kind: Literal["withdrawn"] = "withdrawn"
    why: str = Field(min_length=1)


Event = Annotated[Began | Collected | Trained | Judged | Watched | Withdrawn, Field(discriminator="kind")]


class Attempt(Message):
    """Where one challenger stands, and all that is needed to go on.

    ``end_day``: days before it were there to learn from. ``paired`` is the test until the canary, ``watch``
    the second one after it, with the days since, ``worth`` of the challenger and its peak. ``day``: the
    newest one seen; ``stage_day``: the one on which the stage was entered. ``why``: reason of the last move.
    """

    number: int = Field(default=0, ge=0)
    stage: Stage = Stage.SETTLED
    champion: int | None = None
    challenger: int | None = None
    market: str = ""
    end_day: int = 0
    day: int | None = None
    stage_day: int | None = None
    paired: PairedDays | None = None
    watch: PairedDays | None = None
    worth: float = 1.0
    peak: float = 1.0
    why: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether a next one may begin."""
        return self.stage in ENDED

    @property
    def drawdown_frac(self) -> float:
        """What the challenger has lost from its peak since the first canary day."""
        return 1.0 - self.worth / self.peak


class Wanted(Message):
    """Roles of the registry that a stage asks for; ``rollback`` says that the champion must go back."""

    shadow: int | None = None
    canary: int | None = None
    canary_share_frac: float | None = None
    champion: int | None = None
    rollback: bool = False


def advance(attempt: Attempt, event: Event, plan: ImprovementPlan) -> Attempt:
    """Return the attempt after an event.

    Raises:
        ValueError: this event cannot happen in this stage.
    """
    move = TABLE.get((attempt.stage, type(event)))
    if move is None:
        raise ValueError(f"in stage {attempt.stage} nothing can be {event.kind}")
    return move(attempt, event, plan)


def attempt_after(events: Iterable[Event], plan: ImprovementPlan) -> Attempt:
    """Fold all events from the first attempt on."""
    attempt = Attempt()
    for event in events:
        attempt = advance(attempt, event, plan)
    return attempt


def wanted(attempt: Attempt, plan: ImprovementPlan, roles: Roles) -> Wanted:
    """Return the roles that this stage asks for, of which the registry has ``roles``."""
    one = attempt.challenger
    served = one is not None and roles.champion == one
    stage = attempt.stage
    if stage in {Stage.SHADOW, Stage.SEQUENTIAL}:
        return Wanted(shadow=one, champion=attempt.champion)
    if stage is Stage.CANARY:
        share = plan.canary_share_frac
        return Wanted(canary=one, canary_share_frac=share, champion=attempt.champion)
    if stage in {Stage.CHAMPION, Stage.SETTLED} and one is not None:
        return Wanted(champion=one)
    return Wanted(champion=attempt.champion, rollback=stage is Stage.ROLLED_BACK and served)


def _began(attempt: Attempt, event: Began, _plan: ImprovementPlan) -> Attempt:
    return Attempt(number=attempt.number + 1, stage=Stage.COLLECTING, champion=event.champion)


def _collected(attempt: Attempt, event: Collected, _plan: ImprovementPlan) -> Attempt:
    return attempt.model_copy(
        update={"stage": Stage.TRAINING, "market": event.market, "end_day": event.end_day}
    )


def _trained(attempt: Attempt, event: Trained, _plan: ImprovementPlan) -> Attempt:
    paired = PairedDays(scale_frac=event.scale_frac)
    return attempt.model_copy(update={"stage": Stage.GATE, "challenger": event.version, "paired": paired})


def _judged(attempt: Attempt, event: Judged, _plan: ImprovementPlan) -> Attempt:
    stage = Stage.SHADOW if event.passed else Stage.REFUSED
    return attempt.model_copy(update={"stage": stage, "why": event.why})


def _in_shadow(attempt: Attempt, event: Watched, plan: ImprovementPlan) -> Attempt:
    """One more paired day; on a day of a look somebody may be found better."""
    attempt = _dated(attempt, event)
    paired = _known(attempt.paired).then(event.challenger_frac - event.champion_frac, plan.sequential)
    attempt = attempt.model_copy(update={"paired": paired})
    looks = plan.sequential
    if attempt.stage is Stage.SHADOW and paired.days >= looks.first_look_days:
        attempt = _enter(attempt, Stage.SEQUENTIAL, f"{paired.days} days in shadow")
    if attempt.stage is Stage.SEQUENTIAL and looks.is_look(paired.days):
        attempt = _looked(attempt, paired, looks)
    if attempt.stage is Stage.SEQUENTIAL and paired.days >= looks.horizon_days:
        return _enter(attempt, Stage.REFUSED, f"undecided after {paired.days} days")
    return attempt


def _looked(attempt: Attempt, paired: PairedDays, plan: SequentialPlan) -> Attempt:
    side = look(paired, plan)
    if side is Side.UNDECIDED:
        return attempt
    if side is Side.CHAMPION:
        worse = f"worse than the champion, evidence {evidence_against(paired):.0f} to 1"
        return _enter(attempt, Stage.REFUSED, f"{worse} after {paired.days} days")
    better = f"better than the champion, evidence {evidence_for(paired):.0f} to 1"
    entered = _enter(attempt, Stage.CANARY, f"{better} after {paired.days} days")
    return entered.model_copy(update={"watch": PairedDays(scale_frac=paired.scale_frac)})


def _in_service(attempt: Attempt, event: Watched, plan: ImprovementPlan) -> Attempt:
    """One more day of a challenger that decides: it is taken back, or goes on, or has served its time."""
    attempt = _dated(attempt, event)
    watch = _known(attempt.watch).then(event.challenger_frac - event.champion_frac, plan.sequential)
    worth = attempt.worth * (1.0 + event.challenger_frac)
    # A paired loss may be a total one: the peak keeps the fraction defined.
    attempt = attempt.model_copy(update={"watch": watch, "worth": worth, "peak": max(attempt.peak, worth)})
    if attempt.drawdown_frac >= plan.drawdown_frac_max:
        return _enter(attempt, Stage.ROLLED_BACK, f"drawdown of {attempt.drawdown_frac:.1%}")
    if look(watch, plan.sequential) is Side.CHAMPION:
        worse = f"evidence {evidence_against(watch):.0f} to 1"
        return _enter(attempt, Stage.ROLLED_BACK, f"worse than the one before, {worse}")
    if attempt.stage is Stage.CANARY and watch.days >= plan.canary_days:
        return _enter(attempt, Stage.CHAMPION, f"{watch.days} days as canary")
    if attempt.stage is Stage.CHAMPION and watch.days >= plan.canary_days + plan.probation_days:
        return _enter(attempt, Stage.SETTLED, f"{plan.probation_days} days as champion")
    return attempt


def _refused(attempt: Attempt, event: Withdrawn, _plan: ImprovementPlan) -> Attempt:
    return _enter(attempt, Stage.REFUSED, event.why)


def _taken_back(attempt: Attempt, event: Withdrawn, _plan: ImprovementPlan) -> Attempt:
    return _enter(attempt, Stage.ROLLED_BACK, event.why)


def _dated(attempt: Attempt, event: Watched) -> Attempt:
    earliest = attempt.end_day if attempt.day is None else attempt.day + 1
    if event.day < earliest:
        raise ValueError(f"day {event.day} comes after it was passed: the next is {earliest} or later")
    stage_day = event.day if attempt.stage_day is None else attempt.stage_day
    return attempt.model_copy(update={"day": event.day, "stage_day": stage_day})


def _enter(attempt: Attempt, stage: Stage, why: str) -> Attempt:
    return attempt.model_copy(update={"stage": stage, "why": why, "stage_day": attempt.day})


def _known(days: PairedDays | None) -> PairedDays:
    if days is None:
        raise ValueError("a challenger is watched before it was trained")
    return days


_Move = Callable[[Attempt, "Event", ImprovementPlan], Attempt]


def _moves(
    moves: Mapping[tuple[Stage, type[Message]], Callable[..., Attempt]],
) -> Mapping[tuple[Stage, type[Message]], _Move]:
    return MappingProxyType(dict(moves))


#: What each event does in each stage; what is not here cannot happen.
TABLE: Mapping[tuple[Stage, type[Message]], _Move] = _moves(
    {
        **{(stage, Began): _began for stage in ENDED},
        (Stage.COLLECTING, Collected): _collected,
        (Stage.TRAINING, Trained): _trained,
        (Stage.GATE, Judged): _judged,
        (Stage.SHADOW, Watched): _in_shadow,
        (Stage.SEQUENTIAL, Watched): _in_shadow,
        (Stage.CANARY, Watched): _in_service,
        (Stage.CHAMPION, Watched): _in_service,
        **{
            (stage, Withdrawn): _refused
            for stage in (Stage.COLLECTING, Stage.TRAINING, Stage.GATE, Stage.SHADOW, Stage.SEQUENTIAL)
        },
        **{(stage, Withdrawn): _taken_back for stage in (Stage.CANARY, Stage.CHAMPION)},
    }
)
