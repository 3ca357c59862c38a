"""A person's word about one order: what was shown, what was said, and for how long it holds."""

from enum import StrEnum

from pydantic import Field

from tg_actors.domain.ids import sha256_text
from tg_actors.domain.message import Message
from tg_actors.domain.money import money_text
from tg_actors.domain.orders import Intent, OrderState

#: So many characters of an intent id name an approval among the few that wait.
SHORT_ID_CHARS = 8


class ApprovalState(StrEnum):
    """Where an approval stands; USED, REFUSED and LAPSED are final."""

    PENDING = "pending"
    GRANTED = "granted"
    USED = "used"
    REFUSED = "refused"
    LAPSED = "lapsed"


_S = ApprovalState

#: From a state to those that may follow. What is not here does nothing: a second grant, a replayed one.
MOVES: dict[ApprovalState, frozenset[ApprovalState]] = {
    _S.PENDING: frozenset({_S.GRANTED, _S.REFUSED, _S.LAPSED}),
    _S.GRANTED: frozenset({_S.USED, _S.REFUSED, _S.LAPSED}),
    _S.USED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.LAPSED: frozenset(),
}

#: Where the order stands that an approval is about; from PERMITTED on its own record says more.
ORDER_STATES: dict[ApprovalState, OrderState] = {
    _S.PENDING: OrderState.AWAITING_APPROVAL,
    _S.GRANTED: OrderState.AWAITING_APPROVAL,
    _S.USED: OrderState.PERMITTED,
    _S.REFUSED: OrderState.REFUSED,
    _S.LAPSED: OrderState.EXPIRED,
}


class Approval(Message):
    """An order that waits, or waited, for a person. One per intent, bound to its content.

    Times are UTC nanoseconds of the machine's clock: a person lives by it. ``used_seq`` is the number
    of the permit that used it up. ``user`` is who granted or refused; the desk names itself.
    """

    intent: Intent
    content_hash: str
    state: ApprovalState = ApprovalState.PENDING
    requested_ns: int
    expires_ns: int
    decided_ns: int | None = None
    user: str = ""
    reason: str = ""
    used_seq: int | None = Field(default=None, gt=0)

    @property
    def short_id(self) -> str:
        """What a person types."""
        return self.intent.intent_id[:SHORT_ID_CHARS]

    @property
    def is_open(self) -> bool:
        """Whether its order may still leave."""
        return bool(MOVES[self.state])


def content_hash(account: str, intent: Intent) -> str:
    """Return the hex SHA-256 of everything a person agrees to when they approve an order."""
    spec = intent.spec
    prices = (spec.limit_price, spec.stop_price, spec.trail_frac)
    return sha256_text(
        "approval",
        account,
        intent.intent_id,
        spec.symbol,
        spec.side,
        spec.order_type,
        money_text(spec.quantity),
        *("" if price is None else money_text(price) for price in prices),
        intent.leg,
        str(intent.valid_until_ns),
    )
