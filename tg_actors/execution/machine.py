"""The order machine, a table: (state, event) -> state. Whatever is not a row is a bug and crashes."""

from enum import StrEnum

from tg_actors.domain.orders import TERMINAL_STATES, OrderState


class OrderEvent(StrEnum):
    """What can happen to an order; each is a fact, proved by our journal or by the venue's books."""

    DENY = "deny"
    ASK_APPROVAL = "ask_approval"
    REFUSE = "refuse"
    LAPSE = "lapse"
    PERMIT = "permit"
    ACCEPT = "accept"
    REJECT = "reject"
    LOSE = "lose"
    FILL = "fill"
    FILL_LAST = "fill_last"
    REQUEST_CANCEL = "request_cancel"
    CANCEL = "cancel"
    EXPIRE = "expire"
    PROVE_ABSENT = "prove_absent"


_S, _E = OrderState, OrderEvent

#: The whole life of an order. UNKNOWN is no error state: it is the honest name of a lost answer.
TABLE: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.PROPOSED, _E.DENY): _S.DENIED,
    (_S.PROPOSED, _E.ASK_APPROVAL): _S.AWAITING_APPROVAL,
    (_S.PROPOSED, _E.PERMIT): _S.PERMITTED,
    (_S.AWAITING_APPROVAL, _E.LAPSE): _S.EXPIRED,
    (_S.AWAITING_APPROVAL, _E.REFUSE): _S.REFUSED,
    (_S.AWAITING_APPROVAL, _E.PERMIT): _S.PERMITTED,
    # One POST follows a permit; its answer decides, and no answer is an answer too.
    (_S.PERMITTED, _E.ACCEPT): _S.OPEN,
    (_S.PERMITTED, _E.REJECT): _S.REJECTED,
    (_S.PERMITTED, _E.LOSE): _S.UNKNOWN,
    # The fill may overtake the acknowledgement.
    (_S.PERMITTED, _E.FILL): _S.PARTIAL,
    (_S.PERMITTED, _E.FILL_LAST): _S.FILLED,
    # UNKNOWN is left only by what the venue's books say.
    (_S.UNKNOWN, _E.ACCEPT): _S.OPEN,
    (_S.UNKNOWN, _E.FILL): _S.PARTIAL,
    (_S.UNKNOWN, _E.FILL_LAST): _S.FILLED,
    (_S.UNKNOWN, _E.CANCEL): _S.CANCELED,
    (_S.UNKNOWN, _E.EXPIRE): _S.EXPIRED,
    (_S.UNKNOWN, _E.REJECT): _S.REJECTED,
    (_S.UNKNOWN, _E.PROVE_ABSENT): _S.NOT_FOUND,
    (_S.OPEN, _E.FILL): _S.PARTIAL,
    (_S.OPEN, _E.FILL_LAST): _S.FILLED,
    (_S.OPEN, _E.REQUEST_CANCEL): _S.CANCEL_PENDING,
    # Venues cancel and expire on their own: OCO siblings, reduce-only with nothing left, IOC.
    (_S.OPEN, _E.CANCEL): _S.CANCELED,
    (_S.OPEN, _E.EXPIRE): _S.EXPIRED,
    (_S.PARTIAL, _E.FILL): _S.PARTIAL,
    (_S.PARTIAL, _E.FILL_LAST): _S.FILLED,
    (_S.PARTIAL, _E.REQUEST_CANCEL): _S.CANCEL_PENDING,
    (_S.PARTIAL, _E.CANCEL): _S.CANCELED,
    (_S.PARTIAL, _E.EXPIRE): _S.EXPIRED,
    # The last fill may win the race against the cancel.
    (_S.CANCEL_PENDING, _E.FILL): _S.CANCEL_PENDING,
    (_S.CANCEL_PENDING, _E.FILL_LAST): _S.FILLED,
    (_S.CANCEL_PENDING, _E.CANCEL): _S.CANCELED,
    (_S.CANCEL_PENDING, _E.EXPIRE): _S.EXPIRED,
    # A cancel may be asked for twice, by the keeper and by a flatten.
    (_S.CANCEL_PENDING, _E.REQUEST_CANCEL): _S.CANCEL_PENDING,
    # Late fills: money moved, so the books must move; the state stays and an alert is raised.
    **{(state, fill): state for state in TERMINAL_STATES for fill in (_E.FILL, _E.FILL_LAST)},
}


class InvalidTransition(Exception):  # noqa: N818 - named as in the literature of state machines
    """An event that cannot happen in this state: a bug, so the process crashes and is restarted."""

    def __init__(self, order: str, state: OrderState, event: OrderEvent) -> None:
        super().__init__(f"order {order}: {event} cannot happen in state {state}")
        self.order, self.state, self.event = order, state, event

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Pickle by the three facts, so that the error crosses process borders."""
        return (type(self), (self.order, self.state, self.event))


def move(order: str, state: OrderState, event: OrderEvent) -> OrderState:
    """Return the state after ``event``.

    Raises:
        InvalidTransition: the table has no such row.
    """
    try:
        return TABLE[state, event]
    except KeyError:
        raise InvalidTransition(order, state, event) from None


def is_late_fill(state: OrderState, event: OrderEvent) -> bool:
    """Whether this is a fill after the end of an order, which must be applied and paged."""
    return state in TERMINAL_STATES and event in {OrderEvent.FILL, OrderEvent.FILL_LAST}


def markdown_table() -> str:
    """Render :data:`TABLE` for the documentation, one row per move, late fills in one line."""
    rows = [
        f"| {state} | {event} | {after} |"
        for (state, event), after in TABLE.items()
        if not is_late_fill(state, event)
    ]
    late = "| any terminal state | fill, fill_last | unchanged, fill applied, alert raised |"
    return "\n".join(["| state | event | next state |", "| --- | --- | --- |", *rows, late])
