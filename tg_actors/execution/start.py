"""The one way an executor starts: lease, venue, recovery. A crash is a normal start."""

from collections.abc import Callable
from dataclasses import dataclass

from tg_actors.domain.message import Message
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.executor import Executor
from tg_actors.execution.follower import unseal
from tg_actors.execution.venues.port import Venue
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


#: Brings a venue to where the journal left it; returns it with the newest cycle whose news are journaled.
OpenVenue = Callable[[AccountSpec, Journal, int], tuple[Venue, int]]


def open_practice(spec: AccountSpec, journal: Journal, at_ns: int) -> tuple[PracticeVenue, int]:
    """Open the practice exchange in this process: its last checkpoint, then the mail since."""
    venue = PracticeVenue(open_exchange(spec), durable=spec.durable)
    settled, seq, state = -1, 0, None
    if (saved := journal.venue_state(venue.name, venue.account)) is not None:
        settled = saved[0]
        seq, state = unseal(saved[1])
    venue.restore(state, (item for _, item in journal.permits_after(seq)), at_ns)
    return venue, settled


def start_executor(
    spec: AccountSpec, journal: Journal, owner: str, wall_ns: int, open_venue: OpenVenue = open_practice
) -> Started:
    """Take the lease, bring the venue back, rebuild the books, resolve what was lost.

    Raises:
        JournalError: the journal is unreachable; nothing can be sent.
    """
    epoch = journal.take_lease(ROLE, owner, wall_ns)
    last = journal.last_decision()
    at_ns = 0 if last is None else last.at_ns
    venue, settled = open_venue(spec, journal, at_ns)
    executor = Executor(spec.executor, journal, venue, epoch)
    return Started(executor, epoch, executor.recover(settled, at_ns))


def open_exchange(spec: AccountSpec) -> PracticeExchange:
    """Return the practice exchange of an account as it is before the first trade."""
    executor = spec.executor
    return PracticeExchange(executor.instruments, spec.exchange, executor.opening_cash, executor.account)
