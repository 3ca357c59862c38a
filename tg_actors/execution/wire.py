"""What sender and follower share: the account's spec, its journal under one epoch, venue and state."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol

from pydantic import Field

from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Order, TradingState
from tg_actors.execution.approvals import ApprovalPolicy, Approvals
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.state import DeskState
from tg_actors.execution.venues.port import Venue
from tg_actors.journal.repository import Journal, Transaction

ROLE = "executor"


class Clock(Protocol):
    """The two times an executor lives by. Neither ever goes back."""

    def desk_ns(self, at_ns: int) -> int:
        """Return the desk's time now, for work on the snapshot of ``at_ns``; never before it.

        A replay stands still between snapshots; a paced or live desk goes on.
        """
        ...

    def wall_ns(self) -> int:
        """UTC nanoseconds of the machine: for schedules, and for what people are asked."""
        ...


class ReplayClock:
    """Desk time stands still between two snapshots: replays, and desks at full speed."""

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self.wall_ns = wall_ns

    def desk_ns(self, at_ns: int) -> int:
        """Return the time of the snapshot itself."""
        return at_ns


class RestartIntensity(Message):
    """More starts than these within a window, and the executor starts HALTED: something is wrong."""

    starts_max: int = Field(default=20, gt=0)
    window_s: int = Field(default=300, gt=0)


class ExecutorSpec(Message):
    """What the executor of one account must know to start.

    ``opening_cash`` per quote currency; ``clock_skew_s_max`` and ``read_lag_s_max`` bound how late
    the venue's books may show an order after its deadline, besides what its capabilities say.
    """

    desk: str
    account: str
    reporting_currency: str
    bar_ns: int = Field(gt=0)
    opening_cash: dict[str, Decimal]
    instruments: tuple[Instrument, ...]
    limits: HardLimits
    clock_skew_s_max: int = Field(default=2, ge=0)
    read_lag_s_max: int = Field(default=2, ge=0)
    approval: ApprovalPolicy = ApprovalPolicy()
    restarts: RestartIntensity = RestartIntensity()


@dataclass(frozen=True, slots=True)
class Wire:
    """One account's connection between journal and venue; every write goes through its epoch."""

    spec: ExecutorSpec
    journal: Journal
    venue: Venue
    epoch: int
    state: DeskState
    clock: Clock
    approvals: Approvals
    #: Signs that somebody else uses our account, not yet acted upon.
    suspicions: list[str] = field(default_factory=list)

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction that fails with ``Fenced`` once a newer epoch holds the lease."""
        return self.journal.transaction(role=ROLE, epoch=self.epoch)

    def save(self, tx: Transaction, order: Order, at_ns: int) -> None:
        """Journal the newest record of an order, then remember it."""
        tx.save_order(order, at_ns)
        self.state.put(order)

    def note(self, error: VenueError) -> None:
        """Take down a failure of the venue: most say nothing, some say that the account is in danger."""
        if isinstance(error, AccountSuspect):
            self.suspicions.append(str(error))

    def halt(self, tx: Transaction, why: str, at_ns: int) -> tuple[str, ...]:
        """Stop all permits inside an open transaction; returns the alert, none when it was said before."""
        alert = f"{why}: trading halted"
        if tx.control.state is TradingState.HALTED and tx.control.reason == alert:
            return ()
        tx.set_trading_state(TradingState.HALTED, alert, ROLE, at_ns)
        return (alert,)

    def act_on_suspicions(self, at_ns: int) -> tuple[str, ...]:
        """Halt when the venue has shown that the account is not ours alone. Returns alerts."""
        if not self.suspicions:
            return ()
        why = "; ".join(dict.fromkeys(self.suspicions))
        with self.transaction() as tx:
            alerts = self.halt(tx, why, at_ns)
        self.suspicions.clear()
        return alerts
