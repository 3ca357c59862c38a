"""The one way an executor starts: lease, venue, recovery. A crash is a normal start."""

from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.message import Message
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.executor import Executor
from tg_actors.execution.follower import unseal
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.execution.wire import ROLE, ExecutorSpec
from tg_actors.journal.repository import Journal


class AccountSpec(Message):
    """An executor and the practice account it trades on.

    ``durable`` keeps the exchange's state with the journal; a backtest, which is never resumed,
    does without.
    """

    executor: ExecutorSpec
    exchange: ExchangeConfig
    durable: bool


@dataclass(frozen=True, slots=True)
class Started:
    """A recovered executor, its epoch, and what recovery found."""

    executor: Executor
    epoch: int
    alerts: tuple[str, ...]


def start_executor(spec: AccountSpec, journal: Journal, owner: str, wall_ns: int) -> Started:
    """Take the lease, bring the venue back, rebuild the books, resolve what was lost.

    Raises:
        JournalError: the journal is unreachable; nothing can be sent.
    """
    epoch = journal.take_lease(ROLE, owner, wall_ns)
    venue = PracticeVenue(_open_exchange(spec), durable=spec.durable)
    last = journal.last_decision()
    at_ns = 0 if last is None else last.at_ns
    settled = -1
    if (saved := journal.venue_state(venue.name, venue.account)) is not None:
        settled = saved[0]
        seq, state = unseal(saved[1])
        venue.restore(state, (item for _, item in journal.permits_after(seq)), at_ns)
    else:
        venue.restore(None, (item for _, item in journal.permits_after(0)), at_ns)
    executor = Executor(spec.executor, journal, venue, epoch)
    return Started(executor, epoch, executor.recover(settled, at_ns))


def _open_exchange(spec: AccountSpec) -> PracticeExchange:
    return PracticeExchange(
        spec.executor.instruments, spec.exchange, opening_balances(spec.executor), spec.executor.account
    )


def opening_balances(spec: ExecutorSpec) -> dict[str, Decimal]:
    """What the account holds before the first trade: the opening cash."""
    return dict(spec.opening_cash)
