"""The one way an executor starts: lease, venue, recovery. A crash is a normal start."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import Field

from tg_actors.domain.errors import UserError
from tg_actors.domain.keys import KeyRing
from tg_actors.domain.message import Message
from tg_actors.domain.orders import TradingState
from tg_actors.exchange.config import ExchangeConfig, FillRule
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.approvals import Approvals
from tg_actors.execution.executor import Executor
from tg_actors.execution.follower import unseal
from tg_actors.execution.venues.connection import Connection, InlineConnection
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.execution.wire import ROLE, Clock, ExecutorSpec
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify_newest

_NS = 1_000_000_000
#: So many of the newest events are verified at a start: about a second. ``tg db verify`` reads them all.
_VERIFIED_EVENTS = 10_000
#: Says which account at which venue this journal is about: written once, compared at every start.
PINNED = "AccountPinned"


class AccountSpec(Message):
    """An executor and the account it trades on.

    ``exchange`` and ``durable`` belong to the practice exchange in this process: its costs, and
    whether its state is kept with the journal; a backtest, which is never resumed, does without.
    """

    executor: ExecutorSpec
    exchange: ExchangeConfig
    durable: bool
    connection: Connection = Field(default_factory=InlineConnection)


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
    rule = spec.exchange.fill_rule
    if spec.durable and rule is not FillRule.NEXT_OPEN:
        raise UserError(f"fill_rule: {rule} is for backtests: leave it out of the venue's exchange section")
    venue = PracticeVenue(open_exchange(spec), durable=spec.durable)
    settled, seq, state = -1, 0, None
    if (saved := journal.venue_state(venue.name, venue.account)) is not None:
        settled = saved[0]
        seq, state = unseal(saved[1])
    venue.restore(state, (item for _, item in journal.permits_after(seq)), at_ns)
    return venue, settled


def opener(account: AccountSpec, ring: KeyRing) -> OpenVenue:
    """Return what opens an account's venue; ``ring`` reads the keys of a real one."""
    if isinstance(account.connection, InlineConnection):
        return open_practice
    from tg_actors.execution.venues.opening import open_venue  # noqa: PLC0415 - vendors' clients load slowly

    return functools.partial(open_venue, ring=ring)


def open_account(spec: AccountSpec, journal: Journal, at_ns: int, *, ring: KeyRing) -> tuple[Venue, int]:
    """Open an account's venue, whichever it is; fits :data:`OpenVenue` once its ring is bound."""
    return opener(spec, ring)(spec, journal, at_ns)


def start_executor(
    spec: AccountSpec,
    journal: Journal,
    owner: str,
    wall_ns: int,
    open_venue: OpenVenue = open_practice,
    *,
    clock: Clock | None = None,
    approvals: Approvals | None = None,
) -> Started:
    """Verify, take the lease, bring the venue back, rebuild the books, resolve what was lost.

    A damaged journal, too many starts, or another account than last time start it HALTED: it goes on
    reading and permits nothing.

    Args:
        spec: the account.
        journal: open for writing.
        owner: who takes the lease.
        wall_ns: the machine's time now.
        open_venue: connects the venue.
        clock: a replay's when None.
        approvals: the spec's policy when None.

    Raises:
        JournalError: the journal is unreachable; nothing can be sent.
    """
    damage = verify_newest(journal, _VERIFIED_EVENTS).problems
    epoch = journal.take_lease(ROLE, owner, wall_ns)
    last = journal.last_decision()
    at_ns = 0 if last is None else last.at_ns
    venue, settled = open_venue(spec, journal, at_ns)
    reasons = (
        *(f"the journal is damaged: {problem}" for problem in damage[:1]),
        *_restarts(spec.executor, journal, wall_ns),
        *_other_account(journal, epoch, venue, 0 if clock is None else clock.desk_ns(at_ns)),
    )
    alerts = tuple(_halt(journal, epoch, reason, at_ns) for reason in reasons)
    executor = Executor(spec.executor, journal, venue, epoch, clock, approvals)
    executor.state.begun_ns = begun_ns(journal)
    return Started(executor, epoch, alerts + executor.recover(settled, at_ns))


def open_exchange(spec: AccountSpec) -> PracticeExchange:
    """Return the practice exchange of an account as it is before the first trade."""
    executor = spec.executor
    return PracticeExchange(executor.instruments, spec.exchange, executor.opening_cash, executor.account)


class AccountPinned(Message):
    """The account that a journal's orders are about."""

    venue: str
    account: str


def _restarts(spec: ExecutorSpec, journal: Journal, wall_ns: int) -> Iterator[str]:
    limit = spec.restarts
    starts = journal.starts(ROLE, wall_ns - limit.window_s * _NS)
    if starts > limit.starts_max:
        yield f"the executor has started {starts} times within {limit.window_s} s"


def begun_ns(journal: JournalReader) -> int:
    """Desk time at which a journal's account was pinned; 0 where market time is not the machine's."""
    return next((event.at_ns for event in journal.events({PINNED})), 0)


def _other_account(journal: Journal, epoch: int, venue: Venue, at_ns: int) -> Iterator[str]:
    """Pin the account at the first start; any other is somebody else's."""
    now = AccountPinned(venue=venue.name, account=venue.account)
    pinned = [AccountPinned.model_validate_json(event.payload) for event in journal.events({PINNED})]
    if not pinned:
        with journal.transaction(ROLE, epoch) as tx:
            tx.append(PINNED, now, at_ns=at_ns)
    elif pinned[0] != now:
        yield (
            f"the venue shows account {now.venue}/{now.account}, this journal is of "
            f"{pinned[0].venue}/{pinned[0].account}"
        )


def _halt(journal: Journal, epoch: int, reason: str, at_ns: int) -> str:
    alert = f"{reason}: trading halted"
    with journal.transaction(ROLE, epoch) as tx:
        tx.set_trading_state(TradingState.HALTED, alert, ROLE, at_ns)
    return alert
