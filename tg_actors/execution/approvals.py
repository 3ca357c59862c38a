"""Which orders a person must approve, and what becomes of one that waits. Pure."""

from decimal import Decimal
from typing import Protocol

from pydantic import Field

from tg_actors.domain.approvals import Approval, ApprovalState, content_hash
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Intent
from tg_actors.domain.stages import StageState

_NS = 1_000_000_000


class ApprovalPolicy(Message):
    """From which notional on an order waits for a person, and for how long.

    ``above_notional`` in the reporting currency: None asks nobody, 0 asks about every order. An order
    that only shrinks a position never waits. ``ttl_s`` is in the machine's time.
    """

    above_notional: Decimal | None = Field(default=None, ge=0)
    ttl_s: int = Field(default=900, gt=0)

    def asks(self, intent: Intent, notional: Decimal | None) -> bool:
        """Whether this order needs a person; one of unknown notional does."""
        if self.above_notional is None or intent.spec.reduce_only:
            return False
        return self.above_notional == 0 or notional is None or notional > self.above_notional


class Approvals(Protocol):
    """Where the policy in force comes from: the desk's own, or that of its stage this week."""

    def policy(self, at_ns: int) -> ApprovalPolicy:
        """Return what holds at this desk time."""
        ...

    def follow(self, stage: StageState | None) -> None:
        """Take the stage of the decision that is about to be carried out; None: a desk without stages."""
        ...


class DeskApprovals:
    """The desk's own policy for good, and that of its stage this week: of two, the one that asks more."""

    def __init__(self, policy: ApprovalPolicy) -> None:
        self._own = policy
        self._policy = policy

    def follow(self, stage: StageState | None) -> None:
        """Ask about what either would ask about."""
        of_stage = None if stage is None else stage.approval_above_usd
        bounds = [above for above in (self._own.above_notional, of_stage) if above is not None]
        self._policy = self._own.model_copy(update={"above_notional": min(bounds, default=None)})

    def policy(self, at_ns: int) -> ApprovalPolicy:
        """Return what holds for the decision that is being carried out."""
        del at_ns
        return self._policy


def request(account: str, intent: Intent, policy: ApprovalPolicy, wall_ns: int) -> Approval:
    """Return the question to a person."""
    return Approval(
        intent=intent,
        content_hash=content_hash(account, intent),
        requested_ns=wall_ns,
        expires_ns=wall_ns + policy.ttl_s * _NS,
    )


def has_lapsed(approval: Approval, now_ns: int, wall_ns: int) -> bool:
    """Whether it is too late: the wish is too old in desk time, or the question in the machine's."""
    return now_ns > approval.intent.valid_until_ns or wall_ns > approval.expires_ns


def is_usable(approval: Approval | None, account: str, intent: Intent, now_ns: int, wall_ns: int) -> bool:
    """Whether this approval, as the journal holds it now, lets this very order leave."""
    return (
        approval is not None
        and approval.state is ApprovalState.GRANTED
        and approval.content_hash == content_hash(account, intent)
        and not has_lapsed(approval, now_ns, wall_ns)
    )
