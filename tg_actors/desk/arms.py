"""Arms that a person has switched off or on while the desk runs. Pure.

A person leaves an order in the journal; the coordinator carries it out between two cycles and journals
:class:`ArmSwitched` with the first cycle that it holds for. So a desk that starts again, and a replay, know
of every cycle whose opinions counted.
"""

from collections.abc import Iterable
from typing import NamedTuple

from pydantic import Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.meta.ensemble import MetaSpec

#: The request by which a person's order reaches the desk.
ARM_VERB = "arm"
#: The event that tells what became of it.
ARM_SWITCHED = "ArmSwitched"


class ArmOrder(Message):
    """A person's word about one arm, left in the desk's journal as the argument of a request."""

    arm: str = Field(min_length=1)
    enabled: bool
    actor: str = Field(min_length=1)
    reason: str = Field(max_length=200)


class ArmSwitched(Message):
    """An order that holds from the cycle of its event on, whatever the desk file says of the arm."""

    arm: str
    enabled: bool
    actor: str
    reason: str


class Switch(NamedTuple):
    """One switched arm and the first cycle that it holds for."""

    cycle: int
    said: ArmSwitched


class Arms:
    """Which arms are switched off or on, of any cycle."""

    def __init__(self) -> None:
        self._switches: tuple[Switch, ...] = ()

    def recall(self, switches: Iterable[Switch]) -> None:
        """Take what has been switched so far, oldest first."""
        self._switches = tuple(switches)

    def switched(self, cycle: int) -> dict[str, bool]:
        """Return what people have said of arms up to this cycle; of the others the desk file decides."""
        return {switch.said.arm: switch.said.enabled for switch in self._switches if switch.cycle <= cycle}

    def obey(self, argument: str, known: Iterable[str], cycle: int) -> ArmSwitched | str:
        """Carry out a person's order from ``cycle`` on; returns it, or one sentence why nothing was done.

        ``known`` are the names of the desk's arms.
        """
        try:
            order = ArmOrder.model_validate_json(argument)
        except ValidationError:
            return "refused: this is no order about an arm"
        if order.arm not in known:
            return f"refused: {order.arm!r} is no arm of this desk"
        said = ArmSwitched(arm=order.arm, enabled=order.enabled, actor=order.actor, reason=order.reason)
        self._switches = (*self._switches, Switch(cycle, said))
        return said


def told(said: ArmSwitched) -> str:
    """One sentence of what was switched."""
    return f"{said.arm} is {'enabled' if said.enabled else 'disabled'} by {said.actor}: {said.reason}"


def switches(journal: JournalReader) -> tuple[Switch, ...]:
    """Return everything that people have switched in a run, oldest first."""
    return tuple(
        Switch(event.cycle, ArmSwitched.model_validate_json(event.payload))
        for event in journal.events({ARM_SWITCHED})
    )


def switched_now(journal: JournalReader) -> dict[str, bool]:
    """Return what people have said last of each arm."""
    return {switch.said.arm: switch.said.enabled for switch in switches(journal)}


def disabled_arms(meta: MetaSpec, switched: dict[str, bool]) -> tuple[str, ...]:
    """Return the arms that do not count, in the order of the desk."""
    written = meta.config.policy.disabled
    return tuple(arm for arm in meta.agents if not switched.get(arm, arm not in written))


def pending_orders(journal: JournalReader) -> list[ArmOrder]:
    """Return orders that the desk has not carried out yet, oldest first."""
    waiting = [request for request in journal.pending_requests() if request.verb == ARM_VERB]
    return [ArmOrder.model_validate_json(request.argument) for request in waiting]


def leave_order(journal: Journal, order: ArmOrder, arms: Iterable[str]) -> int:
    """Leave a person's order; it is carried out after the desk's running cycle.

    Raises:
        UserError: the desk has no such arm.
    """
    known = tuple(arms)
    if order.arm not in known:
        raise UserError(f"{order.arm!r} is no arm of this desk: it has {', '.join(known)}")
    return journal.request(ARM_VERB, order.model_dump_json(), order.actor)
