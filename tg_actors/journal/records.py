"""What the journal gives back: events, control, leases, requests, and the names of events."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tg_actors.domain.approvals import ApprovalState
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Intent, Permit, TradingState


class Durability(StrEnum):
    """What a commit promises.

    ``FULL``: it survives a power cut, and other processes may write between two transactions.
    ``BATCH``: the journal belongs to one process that writes many transactions at a time; a crash
    loses the newest of them whole, never a part of one. For backtests.
    """

    FULL = "full"
    BATCH = "batch"


class EventType(StrEnum):
    """Events that the journal itself writes; rooms add their own by ``Transaction.append``."""

    CYCLE_DECIDED = "CycleDecided"
    ORDER_PERMITTED = "OrderPermitted"
    ORDER_CHANGED = "OrderChanged"
    ORDER_FILLED = "OrderFilled"
    CANCEL_REQUESTED = "CancelRequested"
    TRADING_STATE_CHANGED = "TradingStateChanged"
    LEASE_TAKEN = "LeaseTaken"
    REQUEST_MADE = "RequestMade"
    REQUEST_COMPLETED = "RequestCompleted"
    IDENTITY_SET = "IdentitySet"
    APPROVAL_REQUESTED = "ApprovalRequested"
    APPROVAL_GRANTED = "ApprovalGranted"
    APPROVAL_USED = "ApprovalUsed"
    APPROVAL_REFUSED = "ApprovalRefused"
    APPROVAL_LAPSED = "ApprovalLapsed"


#: The event by which an approval comes into a state.
APPROVAL_EVENTS: dict[ApprovalState, EventType] = {
    ApprovalState.PENDING: EventType.APPROVAL_REQUESTED,
    ApprovalState.GRANTED: EventType.APPROVAL_GRANTED,
    ApprovalState.USED: EventType.APPROVAL_USED,
    ApprovalState.REFUSED: EventType.APPROVAL_REFUSED,
    ApprovalState.LAPSED: EventType.APPROVAL_LAPSED,
}


class OrderPermitted(Message):
    """An intent got its one licence: payload of the event, and an item of the venue's inbox."""

    permit: Permit
    intent: Intent


class CancelRequested(Message):
    """The desk wants a permitted order gone."""

    client_order_id: str


#: What a practice venue finds in its inbox.
Instruction = OrderPermitted | CancelRequested


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the record; ``payload`` is canonical JSON text."""

    seq: int
    epoch: int
    role: str
    type: str
    ref: str
    cycle: int
    at_ns: int
    wall_ns: int
    payload: str
    prev_hash: str
    hash: str

    def content(self) -> dict[str, Any]:
        """Return the payload parsed; Decimals stay strings."""
        content: dict[str, Any] = json.loads(self.payload)
        return content


@dataclass(frozen=True, slots=True)
class Control:
    """The kill switch: what may leave the desk, who said so, when, and why."""

    state: TradingState
    reason: str
    actor: str
    at_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Who may write as ``role``: only the holder of the newest epoch."""

    role: str
    epoch: int
    owner: str
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Request:
    """A wish of a person, waiting for the desk, such as to flatten or to restart an agent."""

    id: int
    verb: str
    argument: str
    actor: str
    wall_ns: int
