"""What sender and follower share: the account's spec, its journal under one epoch, venue and state."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from decimal import Decimal

from pydantic import Field

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Order
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.state import DeskState
from tg_actors.execution.venues.port import Venue
from tg_actors.journal.repository import Journal, Transaction

ROLE = "executor"


class ExecutorSpec(Message):
    """What the executor of one account must know to start.

    ``opening_cash`` per quote currency; ``clock_skew_s_max`` and ``read_lag_s_max`` bound how late
    the venue's books may show an order after its deadline.
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


@dataclass(frozen=True, slots=True)
class Wire:
    """One account's connection between journal and venue; every write goes through its epoch."""

    spec: ExecutorSpec
    journal: Journal
    venue: Venue
    epoch: int
    state: DeskState

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a write transaction that fails with ``Fenced`` once a newer epoch holds the lease."""
        return self.journal.transaction(role=ROLE, epoch=self.epoch)

    def save(self, tx: Transaction, order: Order, at_ns: int) -> None:
        """Journal the newest record of an order, then remember it."""
        tx.save_order(order, at_ns)
        self.state.put(order)
