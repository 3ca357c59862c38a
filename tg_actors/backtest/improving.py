"""The loop that makes challengers and lets the registry follow: one step at a time, from a record on disk.

A step appends one fact to the record and then brings the registry's roles to what the stage asks for. Killed
anywhere, the next step first does what is left undone. Nothing here knows a desk: desks follow the registry.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tg_actors.backtest.improving_work import WORK, Shop, Terms, Workshop
from tg_actors.backtest.model_gate import GateReport
from tg_actors.backtest.schooling import Ground
from tg_actors.rl.acts import Act, Role, Roles, Verb
from tg_actors.rl.chain import ChainedRecord, Linked
from tg_actors.rl.improvement import (
    WATCHED,
    Attempt,
    Began,
    Event,
    ImprovementPlan,
    Stage,
    Withdrawn,
    advance,
    attempt_after,
    wanted,
)
from tg_actors.rl.registry import ModelRegistry

#: Who acts, in the registry's record.
ACTOR = "improvement"


class Entry(Linked):
    """A line of the record: what happened, the stage after it, and why it was left or entered."""

    at_ns: int
    model: str
    event: Event
    stage: Stage
    why: str = ""


class Improver:
    """The improvement of one model."""

    def __init__(self, model: str, terms: Terms, shop: Shop) -> None:
        self.model, self.terms, self._registry = model, terms, shop.registry
        self._workshop = Workshop(model, terms, shop)
        self._record: ChainedRecord[Entry] = ChainedRecord(shop.folder / f"{model}.jsonl", Entry)

    def entries(self) -> tuple[Entry, ...]:
        """Return all that has happened, oldest first.

        Raises:
            UserError: the record is damaged.
        """
        return self._record.read()

    def attempt(self) -> Attempt:
        """Return where the newest attempt stands.

        Raises:
            UserError: the record is damaged.
        """
        return self._fold(self.entries())

    def report(self) -> GateReport | None:
        """Return what the gate said of the newest challenger, None before it has spoken."""
        return self._workshop.report(self.attempt())

    def begin(self, at_ns: int) -> Attempt:
        """Begin an attempt, if none is under way.

        Raises:
            UserError: the model has no champion that could be beaten.
        """
        attempt = self.attempt()
        if not attempt.has_ended:
            return attempt
        self._settle(attempt, at_ns)
        return self._append(Began(champion=self._workshop.champion()), at_ns)

    def step(self, ground: Ground, at_ns: int) -> Attempt | None:
        """Take the next step on what is known now; None when there is nothing to do but wait.

        Raises:
            UserError: a version or a record is damaged, or the ground does not show what the champion sees.
        """
        attempt = self.attempt()
        why = self._taken_by_hand(attempt)
        if why is not None and not attempt.has_ended:
            return self._append(Withdrawn(why=why), at_ns)
        self._settle(attempt, at_ns)
        work = WORK.get(attempt.stage)
        events = [] if work is None else work(self._workshop, attempt, ground, at_ns)
        for event in events:
            attempt = self._append(event, at_ns)
            if attempt.stage not in WATCHED:
                break
        return attempt if events else None

    def _append(self, event: Event, at_ns: int) -> Attempt:
        """Write a fact down, then let the registry follow."""

        def entry(before: tuple[Entry, ...]) -> Entry:
            after = advance(self._fold(before), event, self.terms.watching)
            return Entry(at_ns=at_ns, model=self.model, event=event, stage=after.stage, why=after.why)

        self._record.append(entry)
        attempt = self.attempt()
        self._settle(attempt, at_ns)
        return attempt

    def _settle(self, attempt: Attempt, at_ns: int) -> None:
        """Bring the registry's roles to what the stage asks for."""
        roles = self._roles()
        for move in _moves(attempt, self.terms.watching, roles):
            move(self._registry, self.model, attempt.why or attempt.stage.value, at_ns)

    def _taken_by_hand(self, attempt: Attempt) -> str | None:
        """Say what somebody else did to the roles of an attempt, None when nobody did."""
        one, roles = attempt.challenger, self._roles()
        if roles.champion not in {attempt.champion, one} and not attempt.has_ended:
            return f"{self.model}@{roles.champion} was promoted meanwhile"
        role = _ROLE_OF.get(attempt.stage)
        if role is None or roles.version_of(role) == one:
            return None
        given = [act for act in self._registry.history(self.model) if _gives(act, role, one)]
        return f"it was taken out of the role of {role} meanwhile" if given else None

    def _roles(self) -> Roles:
        return self._registry.roles(self.model)

    def _fold(self, entries: tuple[Entry, ...]) -> Attempt:
        return attempt_after((entry.event for entry in entries), self.terms.watching)


#: The role of the challenger in each stage.
_ROLE_OF: Mapping[Stage, Role] = MappingProxyType(
    {
        Stage.SHADOW: Role.SHADOW,
        Stage.SEQUENTIAL: Role.SHADOW,
        Stage.CANARY: Role.CANARY,
        Stage.CHAMPION: Role.CHAMPION,
    }
)
_Move = Callable[[ModelRegistry, str, str, int], Act]


def _moves(attempt: Attempt, plan: ImprovementPlan, roles: Roles) -> list[_Move]:
    """Return the acts that are missing."""
    target, one = wanted(attempt, plan, roles), attempt.challenger
    moves: list[_Move] = []
    if target.shadow is not None and roles.shadow != target.shadow:
        moves.append(_promotion(target.shadow, Role.SHADOW))
    if target.canary is not None and roles.canary != target.canary:
        moves.append(_promotion(target.canary, Role.CANARY, target.canary_share_frac))
    if attempt.stage is Stage.CHAMPION and target.champion is not None and roles.champion != one:
        moves.append(_promotion(target.champion, Role.CHAMPION))
    if target.rollback:
        moves.append(_return(Role.CHAMPION))
    if attempt.has_ended and one is not None:
        moves += [_return(role) for role in (Role.CANARY, Role.SHADOW) if roles.version_of(role) == one]
    return moves


def _promotion(version: int, role: Role, share_frac: float | None = None) -> _Move:
    return lambda registry, model, why, at_ns: registry.promote(
        model, version, role, reason=why, actor=ACTOR, at_ns=at_ns, share_frac=share_frac
    )


def _return(role: Role) -> _Move:
    return lambda registry, model, why, at_ns: registry.rollback(
        model, role, reason=why, actor=ACTOR, at_ns=at_ns
    )


def _gives(act: Act, role: Role, version: int | None) -> bool:
    return (act.verb, act.role, act.version, act.actor) == (Verb.PROMOTE, role, version, ACTOR)
