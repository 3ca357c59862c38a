"""Sudden death for tests: at a counted effect the process is gone, with whatever it had not committed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from tests.desk_words import Desk, Scene, ticking_clock
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.orders import Intent, Permit
from tg_actors.execution.start import AccountSpec, OpenVenue
from tg_actors.execution.venues.port import Acknowledged, Refused, Venue, VenueNews
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.transaction import Transaction


class Killed(BaseException):
    """The end of a process, as far as one can have it inside a test: nothing catches it."""


class Doom:
    """Counts effects and strikes at the one that was chosen; ``reached`` says where."""

    def __init__(self, effects: int | None = None) -> None:
        self._left = effects
        self.seen = 0
        self.reached: str | None = None

    def pass_by(self, where: str) -> None:
        self.seen += 1
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.reached = where
            raise Killed(where)


class MortalJournal(Journal):
    """A journal whose owner may die right before or right after a commit."""

    doom: Doom

    @contextmanager
    def transaction(self, role: str, epoch: int) -> Iterator[Transaction]:
        with super().transaction(role, epoch) as transaction:
            yield transaction
            self.doom.pass_by("before commit")
        self.doom.pass_by("after commit")

    @classmethod
    def begin(cls, path: str, doom: Doom) -> Self:
        journal = cls.open(path, Durability.FULL, clock_ns=ticking_clock())
        assert isinstance(journal, cls)
        journal.doom = doom
        return journal


class MortalVenue:
    """A venue whose client may die right before or right after a message to it."""

    def __init__(self, inner: Venue, doom: Doom) -> None:
        self._inner = inner
        self._doom = doom
        self.name = inner.name
        self.account = inner.account
        self.capabilities = inner.capabilities
        self.balances = inner.balances
        self.checkpoint = inner.checkpoint
        self.look_up = inner.look_up
        self.trades = inner.trades
        self.open_orders = inner.open_orders
        self.poll = inner.poll
        self.clock_offset_ns = inner.clock_offset_ns
        self.arm_dead_man = inner.arm_dead_man

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        self._doom.pass_by("before post")
        answer = self._inner.post(permit, intent)
        self._doom.pass_by("after post")
        return answer

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        self._doom.pass_by("before cancel")
        self._inner.cancel(client_order_id, at_ns)
        self._doom.pass_by("after cancel")

    def cancel_all(self, at_ns: int) -> None:
        self._doom.pass_by("before cancel")
        self._inner.cancel_all(at_ns)
        self._doom.pass_by("after cancel")

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        news = self._inner.read(snapshot)
        self._doom.pass_by("after read")
        return news


def mortal_venue(open_venue: OpenVenue, doom: Doom) -> OpenVenue:
    """Put the doom of a desk between it and its venue."""

    def opened(spec: AccountSpec, journal: Journal, at_ns: int) -> tuple[Venue, int]:
        venue, settled = open_venue(spec, journal, at_ns)
        return MortalVenue(venue, doom), settled

    return opened


def live_until(scene: Scene, path: str, cycles: int, doom: Doom) -> bool:
    """Start the desk and let it trade up to a cycle; False when it died on the way."""
    journal = MortalJournal.begin(path, doom)
    try:
        desk: Desk = scene.open_on(journal, mortal_venue(scene.open_venue, doom))
        desk.run(cycles - desk.coordinator.next_cycle)
    except Killed:
        return False
    finally:
        journal.close()
    return True
