"""Reading a journal: what was decided, permitted, filled, and where everything stands."""

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import Connection, Engine, Executable, RowMapping, Select, func, select

from tg_actors.domain.approvals import Approval, ApprovalState
from tg_actors.domain.decisions import Decision
from tg_actors.domain.orders import TERMINAL_STATES, Fill, Order, Permit, TradingState
from tg_actors.journal.engine import Place, locate, read_engine
from tg_actors.journal.facts import read_control
from tg_actors.journal.failures import journal_errors
from tg_actors.journal.halt_file import NAME, HaltFile
from tg_actors.journal.records import (
    CancelRequested,
    Control,
    Event,
    EventType,
    Instruction,
    Lease,
    OrderPermitted,
    Request,
)
from tg_actors.journal.schema import require, require_current
from tg_actors.journal.tables import (
    approvals,
    cycles,
    events,
    fills,
    lease,
    meta,
    orders,
    outcomes,
    permits,
    requests,
    starts,
    venue_state,
)
from tg_actors.journal.transaction import IDENTITY

_T = TypeVar("_T")
#: Events are read in pages, so that a slow reader never holds a transaction open.
_PAGE = 1_000

_TERMINAL = sorted(state.value for state in TERMINAL_STATES)
_DECISIONS = select(events.c.payload, cycles.c.block).join(cycles, cycles.c.seq == events.c.seq)
#: In the order of their permits.
_ORDERS = (
    select(orders.c.payload)
    .join(permits, permits.c.client_order_id == orders.c.client_order_id)
    .order_by(permits.c.seq)
)
_OPEN = (ApprovalState.PENDING.value, ApprovalState.GRANTED.value)
_APPROVALS = select(approvals.c.payload).order_by(approvals.c.seq)
_DEADLINES = select(permits.c.client_order_id, permits.c.venue_deadline_ns).join(
    orders, permits.c.client_order_id == orders.c.client_order_id
)
_PENDING = (
    select(requests)
    .outerjoin(outcomes, outcomes.c.request_id == requests.c.id)
    .where(outcomes.c.request_id.is_(None))
    .order_by(requests.c.id)
)


class JournalReader:
    """Reads committed facts through connections that cannot write; any number may look on.

    Each call sees one instant and raises ``JournalError`` when the database fails.
    """

    def __init__(self, place: Place, halt_file: Path | None = None) -> None:
        self.place = place
        beside = None if place.path is None else place.path.with_name(NAME)
        path = halt_file or beside
        #: The kill switch as a file; None for a database without a folder of ours.
        self.halt_file = None if path is None else HaltFile(path)
        self._reads: Engine = read_engine(place)

    @classmethod
    def read_only(cls, url_or_path: str | Path, halt_file: Path | None = None) -> "JournalReader":
        """Open an existing journal without touching it.

        Raises:
            UserError: there is none, or its schema is older or newer than this program's.
            JournalError: it is damaged or cannot be opened.
        """
        place = locate(url_or_path)
        require(place)
        reader = JournalReader(place, halt_file)
        try:
            with journal_errors(place.name), reader._reads.connect() as connection:
                require_current(connection, place)
        except BaseException:
            reader.close()
            raise
        return reader

    def close(self) -> None:
        """Give every connection back."""
        self._reads.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def trading_state(self) -> TradingState:
        """Return what may leave the desk."""
        return self.control().state

    def control(self) -> Control:
        """Return the kill switch with its reason and actor; a halt file is believed at once."""
        control = self.switch()
        file = self.halt_file
        if control.state is TradingState.HALTED or file is None or not file.is_there:
            return control
        return Control(TradingState.HALTED, file.reason, "file", control.at_ns, control.wall_ns)

    def switch(self) -> Control:
        """Return the kill switch as its row says, whatever file lies beside the journal."""
        self.settle()
        with self._reading() as connection:
            return read_control(connection)

    @contextmanager
    def standing_still(self) -> Iterator["JournalReader"]:
        """Yield a reader that sees one instant in all its calls, whatever is written meanwhile."""
        self.settle()
        with journal_errors(self.place.name), self._reads.begin() as connection:
            yield _StillReader(self, connection)

    def lease(self, role: str) -> Lease | None:
        """Return who holds a role, None before its first lease."""
        rows = self.query(select(lease).where(lease.c.role == role))
        return Lease(**rows[0]) if rows else None

    def starts(self, role: str, since_wall_ns: int) -> int:
        """Count the starts of a role at or after an instant of the machine's clock."""
        recent = (starts.c.role == role) & (starts.c.wall_ns >= since_wall_ns)
        return int(self._scalar(select(func.count()).select_from(starts).where(recent)))

    def identity(self) -> dict[str, Any] | None:
        """Return what run this journal belongs to, None when nobody said."""
        value = self._scalar(select(meta.c.value).where(meta.c.key == IDENTITY))
        identity: dict[str, Any] | None = None if value is None else json.loads(value)
        return identity

    def approvals(self, *, open_only: bool = False) -> list[Approval]:
        """Return what people were asked about single orders, in the order of the questions.

        With ``open_only`` those whose order may still leave.
        """
        query = _APPROVALS.where(approvals.c.state.in_(_OPEN)) if open_only else _APPROVALS
        return self._messages(query, Approval.model_validate_json)

    def deadlines(self) -> dict[str, int]:
        """Return the venue deadline of every permit whose order is live, by client order id."""
        rows = self.query(_DEADLINES.where(orders.c.state.not_in(_TERMINAL)))
        return {row["client_order_id"]: row["venue_deadline_ns"] for row in rows}

    def pending_requests(self) -> list[Request]:
        """Return what people asked for and the desk has not done, oldest first."""
        return [Request(**row) for row in self.query(_PENDING)]

    def permits(self) -> list[Permit]:
        """Return all permits in order."""
        permitted = self.events({EventType.ORDER_PERMITTED})
        return [OrderPermitted.model_validate_json(event.payload).permit for event in permitted]

    def orders(self, *, live_only: bool = False) -> list[Order]:
        """Return all orders, or those the venue may still fill, in the order of their permits."""
        query = _ORDERS.where(orders.c.state.not_in(_TERMINAL)) if live_only else _ORDERS
        return self._messages(query, Order.model_validate_json)

    def newest_orders(self, count: int) -> list[Order]:
        """Return the newest orders in the order of their permits."""
        query = _ORDERS.order_by(None).order_by(permits.c.seq.desc()).limit(count)
        return self._messages(query, Order.model_validate_json)[::-1]

    def order(self, client_order_id: str) -> Order | None:
        """Return one order, None when it was never permitted."""
        query = select(orders.c.payload).where(orders.c.client_order_id == client_order_id)
        found = self._messages(query, Order.model_validate_json)
        return found[0] if found else None

    def fills(self, after: int = 0) -> list[Fill]:
        """Return executions in the order they were learned, those after event ``after``."""
        query = select(events.c.payload).join(fills, fills.c.seq == events.c.seq)
        return self._messages(
            query.where(fills.c.seq > after).order_by(fills.c.seq), Fill.model_validate_json
        )

    def fills_of_cycle(self, cycle: int) -> list[Fill]:
        """Return the executions that one cycle settled, in order."""
        query = select(events.c.payload).join(fills, fills.c.seq == events.c.seq)
        return self._messages(
            query.where(fills.c.cycle == cycle).order_by(fills.c.seq), Fill.model_validate_json
        )

    def venue_state(self, venue: str, account: str) -> tuple[int, bytes] | None:
        """Return the cycle and state a practice venue saved last, None when it never did."""
        mine = (venue_state.c.venue == venue) & (venue_state.c.account == account)
        rows = self.query(select(venue_state.c.cycle, venue_state.c.state).where(mine))
        return (rows[0]["cycle"], rows[0]["state"]) if rows else None

    def last_decision(self) -> Decision | None:
        """Return the decision of the highest cycle, None before the first."""
        query = _DECISIONS.with_only_columns(events.c.payload).order_by(cycles.c.cycle.desc()).limit(1)
        found = self._messages(query, Decision.model_validate_json)
        return found[0] if found else None

    def last_seq(self) -> int:
        """Return the number of the newest event, 0 before the first: whoever looks often looks at this."""
        return int(self._scalar(select(func.max(events.c.seq))) or 0)

    def decided(self, cycle: int) -> Event | None:
        """Return the event by which a cycle was decided, None when it was not."""
        query = select(events).join(cycles, cycles.c.seq == events.c.seq).where(cycles.c.cycle == cycle)
        rows = self.query(query)
        return Event(**rows[0]) if rows else None

    def newest_cycle(self) -> int | None:
        """Return the number of the highest decided cycle, None before the first."""
        cycle: int | None = self._scalar(select(func.max(cycles.c.cycle)))
        return cycle

    def decision(self, cycle: int | str) -> tuple[Decision, bytes] | None:
        """Return a decision and its binary block, by cycle number or cycle id."""
        column = cycles.c.cycle if isinstance(cycle, int) else cycles.c.cycle_id
        rows = self.query(_DECISIONS.where(column == cycle))
        return (Decision.model_validate_json(rows[0]["payload"]), rows[0]["block"]) if rows else None

    def equity_curve(self) -> list[tuple[int, Decimal]]:
        """Return (UTC ns, equity in the reporting currency) per cycle, to 18 decimals."""
        rows = self.query(select(cycles.c.at_ns, cycles.c.equity).order_by(cycles.c.cycle))
        return [(row["at_ns"], row["equity"]) for row in rows]

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield (UTC ns, binary block) of every decided cycle, in order."""
        page = select(cycles.c.cycle, cycles.c.at_ns, cycles.c.block).order_by(cycles.c.cycle).limit(_PAGE)
        newest = -1
        while rows := self.query(page.where(cycles.c.cycle > newest)):
            yield from ((row["at_ns"], row["block"]) for row in rows)
            newest = rows[-1]["cycle"]

    def cycles_count(self) -> int:
        """Count decided cycles."""
        return int(self._scalar(select(func.count()).select_from(cycles)))

    def events(self, types: Collection[str] | None = None, after_seq: int = 0) -> Iterator[Event]:
        """Yield events in order, of some types or all, those after a number."""
        wanted = None if types is None else sorted(str(kind) for kind in types)
        query = select(events) if wanted is None else select(events).where(events.c.type.in_(wanted))
        query = query.order_by(events.c.seq).limit(_PAGE)
        while rows := self.query(query.where(events.c.seq > after_seq)):
            yield from (Event(**row) for row in rows)
            after_seq = rows[-1]["seq"]

    def permits_after(self, seq: int) -> list[tuple[int, Instruction]]:
        """Return a practice venue's inbox: permits and cancel requests after an event, in order."""
        inbox = self.events(_INSTRUCTIONS.keys(), seq)
        return [(e.seq, _INSTRUCTIONS[e.type].model_validate_json(e.payload)) for e in inbox]

    def query(self, statement: Executable) -> list[dict[str, Any]]:
        """Run one SELECT of our own making and return its rows by column name."""
        self.settle()
        with self._reading() as connection:
            rows: list[RowMapping] = list(connection.execute(statement).mappings())
        return [dict(row) for row in rows]

    def settle(self) -> None:
        """Make our own writes visible to every reader; one that only reads has none."""

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Open what one call reads through: one instant."""
        with journal_errors(self.place.name), self._reads.begin() as connection:
            yield connection

    def _scalar(self, statement: Executable) -> Any:
        self.settle()
        with self._reading() as connection:
            return connection.scalar(statement)

    def _messages(self, query: Select[str], parse: Callable[[str], _T]) -> list[_T]:
        self.settle()
        with self._reading() as connection:
            return [parse(payload) for payload in connection.scalars(query)]


class _StillReader(JournalReader):
    """All calls read in one transaction of another reader, which owns it."""

    def __init__(self, reader: JournalReader, connection: Connection) -> None:
        self.place = reader.place
        self.halt_file = reader.halt_file
        self._connection = connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with journal_errors(self.place.name):
            yield self._connection

    def close(self) -> None:
        """Nothing of its own to give back."""


_INSTRUCTIONS: dict[str, type[Instruction]] = {
    EventType.ORDER_PERMITTED: OrderPermitted,
    EventType.CANCEL_REQUESTED: CancelRequested,
}
