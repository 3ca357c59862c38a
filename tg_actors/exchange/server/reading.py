"""Reading the floor: the marketplace for what is open, the ledger for all that ever was, as one view."""

from collections.abc import Iterator, Mapping

from tg_actors.exchange.marketplace import (
    AccountKind,
    Balance,
    MarginPosition,
    MarginState,
    Marketplace,
    VenueOrder,
)
from tg_actors.exchange.server.committer import Committer
from tg_actors.exchange.server.records import FillRecord, OrderRecord, Posting, Ticket
from tg_actors.exchange.server.store import Span, Store


class Reading:
    """Reads of the floor. What is staged but not on disk yet is part of every answer."""

    marketplace: Marketplace
    committer: Committer
    _store: Store
    _tickets: dict[int, Ticket]

    def open_orders(self, account: str, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Open orders in submit order."""
        shown = (self._record(account, order) for order in self.marketplace.open_orders(account, symbol))
        return tuple(record for record in shown if self.visible(record))

    def order(self, account: str, number: int) -> OrderRecord | None:
        """One order, open or ended, however old."""
        live = self.marketplace.order(account, number)
        if live is not None and live.ended_at_ns is None:
            return self._record(account, live)
        for batch in (self.committer.staged, self.committer.in_flight):
            if (staged := batch.orders.get(number)) is not None:
                return staged if staged.account == account else None
        return self._store.order(account, number)

    def newest(self, account: str, number: int) -> OrderRecord | None:
        """The order of a number, or what an amendment has made of it."""
        chain = [r for r in self._staged_orders(account) if r.memo.get("origin") == str(number)]
        stored = self._store.amended(account, number)
        last = max((r.number for r in (*chain, *stored)), default=number)
        return self.look_up(account, last)

    def look_up(self, account: str, number: int) -> OrderRecord | None:
        """As :meth:`order`, for a client: it may not see it yet."""
        record = self.order(account, number)
        return record if record is not None and self.visible(record) else None

    def by_client_id(self, account: str, client_order_id: str) -> tuple[OrderRecord, ...]:
        """Every order that ever had this id, oldest first."""
        numbers = {record.number for record in self._ever(account, client_order_id)}
        current = (self.order(account, number) for number in sorted(numbers))
        return tuple(record for record in current if record is not None and self.visible(record))

    def ended_orders(
        self,
        account: str,
        *,
        symbol: str | None = None,
        from_ns: int = 0,
        to_ns: int | None = None,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> tuple[OrderRecord, ...]:
        """Ended orders by the time of their end, ``to_ns`` exclusive."""
        span = Span(from_ns, to_ns, limit, newest_first)
        found = {record.number: record for record in self._store.ended_orders(account, span, symbol)}
        for record in self._staged_orders(account):
            at_ns, of_symbol = record.order.ended_at_ns, symbol in {None, record.order.spec.symbol}
            if at_ns is not None and of_symbol and from_ns <= at_ns and (to_ns is None or at_ns < to_ns):
                found[record.number] = record
        shown = [record for record in found.values() if self.visible(record)]
        shown.sort(key=lambda r: (r.order.ended_at_ns or 0, r.number), reverse=newest_first)
        return tuple(shown[:limit])

    def fills(
        self,
        account: str,
        *,
        symbol: str | None = None,
        number: int | None = None,
        from_ns: int = 0,
        to_ns: int | None = None,
        after: int = 0,
        limit: int | None = None,
        newest_first: bool = True,
    ) -> tuple[FillRecord, ...]:
        """Executions by their time, ``to_ns`` exclusive, ``after`` an ordinal."""
        span = Span(from_ns, to_ns, limit, newest_first)
        found = {fill.seq: fill for fill in self._store.fills(account, span, symbol, number, after)}
        for batch in (self.committer.in_flight, self.committer.staged):
            for record in batch.fills:
                fill = record.fill
                fits = fill.account == account and symbol in {None, fill.symbol} and record.seq > after
                fits &= number in {None, record.order_number} and from_ns <= fill.at_ns
                if fits and (to_ns is None or fill.at_ns < to_ns):
                    found[record.seq] = record
        shown = sorted(found.values(), key=lambda f: (f.fill.at_ns, f.seq), reverse=newest_first)
        return tuple(shown[:limit])

    def postings(
        self, account: str, *, from_ns: int = 0, to_ns: int | None = None, limit: int | None = None
    ) -> tuple[Posting, ...]:
        """Movements of money that are on disk, newest first."""
        return self._store.postings(account, Span(from_ns, to_ns, limit))

    def balances(self, account: str) -> Mapping[str, Balance]:
        """Everything owned per currency, and what of it is held."""
        return self.marketplace.balances(account)

    def positions(self, account: str) -> tuple[MarginPosition, ...]:
        """Open margin positions."""
        return self.marketplace.positions(account)

    def margins(self, account: str) -> tuple[MarginState, ...]:
        """Equity and used margin per quote currency."""
        return self.marketplace.margins(account)

    def kind(self, account: str) -> AccountKind:
        """Spot or margin."""
        return self.marketplace.kind(account)

    def visible(self, record: OrderRecord) -> bool:
        """Whether a client may see an order already."""
        raise NotImplementedError

    def _record(self, account: str, order: VenueOrder) -> OrderRecord:
        ticket = self._tickets.get(order.number)
        if ticket is None:
            # An exit that a bracket brought along: nobody posted it.
            handle = order.client_order_id
            ticket = Ticket(order.number, account, handle, handle, "", {}, order.submitted_at_ns)
            self._tickets[order.number] = ticket
        return OrderRecord(order, ticket)

    def _ever(self, account: str, client_order_id: str) -> Iterator[OrderRecord]:
        """Orders that ever had an id, perhaps one twice, seen by clients or not yet."""
        yield from self._store.by_client_id(account, client_order_id)
        for record in self._staged_orders(account):
            if record.client_order_id == client_order_id:
                yield record

    def _staged_orders(self, account: str) -> Iterator[OrderRecord]:
        for batch in (self.committer.in_flight, self.committer.staged):
            yield from (record for record in batch.orders.values() if record.account == account)
