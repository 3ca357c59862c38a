"""The floor: accounts, orders and history for every dialect; nothing leaves it before it is durable."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.marketplace import (
    AccountEvent,
    DeadManFired,
    Dedupe,
    Marketplace,
    NewOrder,
    OrderEnded,
    OrderFilled,
    Trade,
    VenueOrder,
)
from tg_actors.exchange.orders import RefusalCode, Refused
from tg_actors.exchange.server.bookkeeping import Bookkeeping
from tg_actors.exchange.server.committer import Committer
from tg_actors.exchange.server.config import ServerConfig
from tg_actors.exchange.server.faults import Faults
from tg_actors.exchange.server.hub import AccountNews, AccountTopic, Hub
from tg_actors.exchange.server.keys import Key, KeyRing
from tg_actors.exchange.server.limits import RequestLimits
from tg_actors.exchange.server.reading import Reading
from tg_actors.exchange.server.records import (
    Barred,
    FillRecord,
    OrderRecord,
    Placed,
    PlaceOrder,
    Post,
    Ticket,
    Trouble,
    VenueState,
)
from tg_actors.exchange.server.store import Batch, Store
from tg_actors.exchange.server.view import MarketView

_BARS: dict[VenueState, Trouble] = {
    VenueState.MAINTENANCE: Trouble.MAINTENANCE,
    VenueState.CANCEL_ONLY: Trouble.CANCEL_ONLY,
}
_NOTHING_LEFT = Refused("", RefusalCode.LOT_SIZE, "the order has filled more than that already")


class Floor(Reading):
    """What every dialect works on; used on the event loop only. See the module's docstring for the rule.

    Writing is synchronous and changes memory alone; :meth:`settled` makes it durable, and the server's
    middleware awaits it before every HTTP answer.
    """

    def __init__(
        self,
        *,
        config: ServerConfig,
        exchange: ExchangeConfig,
        instruments: Mapping[str, Instrument],
        marketplace: Marketplace,
        market: MarketView,
        store: Store,
        keys: KeyRing,
        faults: Faults,
        clock_ns: Callable[[], int],
    ) -> None:
        self.config = config
        self.exchange = exchange
        self.fees = exchange.fees
        self.instruments = instruments
        self.marketplace = marketplace
        self.market = market
        self.keys = keys
        self.faults = faults
        self.hub = Hub(faults.disturb)
        self.committer = Committer(store, self.hub, self._fill_in)
        self._store = store
        self._clock_ns = clock_ns
        self._limits = RequestLimits(config.limits)
        self._tickets = {record.number: record.ticket for record in store.open_orders()}
        self._nonces = store.nonces()
        self._books = Bookkeeping(store.last_posting())
        self._dirty: set[str] = set()
        self._handles = 0
        self._dead_men: dict[str, int] = json.loads(store.meta().get("dead_men", "{}"))
        #: Requests to dialects, and how many of them hit a mistake of ours.
        self.requests = 0
        self.failures = 0

    # -- time, keys, limits ------------------------------------------------------------------------

    def market_ns(self) -> int:
        """Market time: what orders, trades and bars are stamped with."""
        return self.market.at_ns

    def wall_ns(self) -> int:
        """The server's own clock, with its fault: nonces, windows and deadlines are held against it."""
        return self._clock_ns() + self.faults.clock_skew_ns

    @property
    def state(self) -> VenueState:
        """Open, or closed for some or all."""
        return self.faults.venue_state

    def admit(self, dialect: str, caller: str, cost: int = 1) -> bool:
        """Take a request's cost from the caller's bucket; False: refuse it as rate limited."""
        return self._limits.admit(dialect, caller, cost, self._clock_ns())

    def usage(self, dialect: str, caller: str) -> int:
        """What the caller has in its bucket."""
        return self._limits.usage(dialect, caller, self._clock_ns())

    def take_nonce(self, key: Key, nonce: int) -> bool:
        """Accept a nonce above the key's last one, for good; False: too old."""
        if nonce <= self._nonces.get(key.api_key, -1):
            return False
        self._nonces[key.api_key] = nonce
        self.committer.stage().nonces[key.api_key] = nonce
        return True

    async def settled(self) -> None:
        """Return once everything done so far is on disk."""
        await self.committer.settled()

    # -- orders ------------------------------------------------------------------------------------

    def place(self, account: str, wish: PlaceOrder, kind: str = "new") -> Placed | Refused | Barred:
        """Take an order, refuse it with a code, or say that the venue is closed for it.

        ``kind`` is for the ledger: who wanted it, a client's new order or something else.
        """
        wall_ns = self.wall_ns()
        barred = self._barred(wish)
        if barred is not None:
            self._note_post(account, wish, None, kind, barred.trouble.value, "", wall_ns)
            return barred
        self._handles += 1
        handle = wish.client_order_id or f"~{wall_ns}-{self._handles}"
        answer = self._submit(account, handle, wish, wall_ns)
        if isinstance(answer, Refused):
            self._note_post(account, wish, None, kind, answer.code.value, answer.detail, wall_ns)
            return answer
        self._note_post(account, wish, answer, kind, "", "", wall_ns)
        memo = {**wish.memo, "stops_hold": "yes"} if wish.stops_hold else dict(wish.memo)
        self._tickets[answer] = Ticket(
            answer, account, handle, wish.client_order_id, wish.dialect, memo, wall_ns
        )
        fills = tuple(fill for fill in self.collect() if fill.order_number == answer)
        record = self.order(account, answer)
        if record is None:
            raise LookupError(f"order {answer} was taken, yet the marketplace did not tell of it")
        return Placed(record, fills)

    def cancel(self, account: str, number: int) -> bool:
        """Take an order off the book; False when it is not open."""
        done = self.marketplace.cancel(account, number, self.market_ns())
        self.collect()
        return done

    def cancel_all(self, account: str, symbol: str | None = None) -> tuple[OrderRecord, ...]:
        """Take every order (of one symbol) off the book and show how each ended."""
        numbers = [record.number for record in self.open_orders(account, symbol)]
        self.marketplace.cancel_all(account, self.market_ns(), symbol)
        self.collect()
        found = (self.order(account, number) for number in numbers)
        return tuple(record for record in found if record is not None)

    def amend(
        self,
        account: str,
        number: int,
        *,
        quantity: Decimal | None = None,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        memo: Mapping[str, str] | None = None,
    ) -> Placed | Refused | Barred | None:
        """Cancel an order and place what is left of it with other numbers; None when it is not open.

        ``quantity`` is the new total, what has filled included. The new order has a new number and the
        old client order id; ``memo["origin"]`` is the number of the first of the chain, and every older
        one says ``memo["superseded"]``. A refusal puts the old order back, at the end of its queue.
        """
        old = self.order(account, number)
        if old is None or old.order.ended_at_ns is not None:
            return None
        # Said before it ends, so that streams know that this is no cancellation.
        self._tickets[number] = replace(old.ticket, memo={**old.memo, "superseded": "yes"})
        self.cancel(account, number)
        spec, left = old.order.spec, old.order.quantity - old.order.filled_quantity
        wish = PlaceOrder(
            spec=spec.model_copy(update={"quantity": left}),
            client_order_id=old.client_order_id,
            dialect=old.dialect,
            memo={**old.memo, **(memo or {}), "origin": old.memo.get("origin", str(number))},
            leverage=old.order.leverage,
            expires_at_ns=old.order.expires_at_ns,
            stops_hold=old.memo.get("stops_hold") == "yes",
        )
        if quantity is not None:
            left = quantity - old.order.filled_quantity
        changes = {"quantity": left, "limit_price": limit_price, "stop_price": stop_price}
        given = {name: value for name, value in changes.items() if value is not None}
        changed = replace(wish, spec=wish.spec.model_copy(update=given))
        answer = self.place(account, changed, kind="amend") if left > ZERO else _NOTHING_LEFT
        if not isinstance(answer, Placed):
            self.place(account, wish, kind="restore")
        return answer

    def arm_dead_man(self, account: str, timeout_s: int) -> None:
        """Cancel everything of the account unless asked again within the timeout; 0 disarms.

        Seconds of the wall clock: a client's heart beats there, however fast the market runs. Durable.
        """
        if timeout_s > 0:
            self._dead_men[account] = self._clock_ns() + timeout_s * 10**9
        else:
            self._dead_men.pop(account, None)
        self.committer.stage().meta["dead_men"] = json.dumps(self._dead_men, sort_keys=True)

    def watch_dead_men(self) -> None:
        """Cancel the orders of accounts whose timer has run out; called often."""
        fallen = [account for account, due_ns in self._dead_men.items() if due_ns <= self._clock_ns()]
        for account in fallen:
            self.arm_dead_man(account, 0)
            news = AccountNews(account, DeadManFired(self.market_ns()), None, None, self.market_ns())
            self.committer.say(AccountTopic(account), news)
            self.marketplace.cancel_all(account, self.market_ns())
            self.collect()

    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        """Bring money in, or out when negative.

        Raises:
            ValueError: more is taken than is free.
        """
        self.marketplace.deposit(account, currency, amount, self.market_ns())
        self.collect()

    # -- what follows ------------------------------------------------------------------------------

    def collect(self) -> tuple[FillRecord, ...]:
        """Take what the marketplace tells into the ledger and the streams; returns what was filled."""
        filled = []
        for account, event in self.marketplace.drain():
            record = self._stage_order(account, event)
            fill = self._stage_fill(event, record)
            if fill is not None:
                filled.append(fill)
            batch = self.committer.stage()
            batch.postings.extend(self._books.postings(account, event, self.instruments))
            self._dirty.add(account)
            news = AccountNews(account, event, record, fill, event.at_ns)
            self.committer.say(AccountTopic(account), news)
        return tuple(filled)

    def visible(self, record: OrderRecord) -> bool:
        """Whether a client may see it already; the read lag hides what is younger than it (wall time)."""
        return self.wall_ns() - record.ticket.wall_ns >= self.faults.read_lag_ns

    def opened(self, account: str) -> None:
        """Note an account that has just been opened: its opening balances become postings."""
        at_ns = self.market_ns()
        self.committer.stage().postings.extend(
            self._books.opening(account, self.marketplace.balances(account), at_ns)
        )
        self._dirty.add(account)

    def resumed(self, account: str) -> None:
        """Note an account that came back from the ledger."""
        self._books.resume(account, self.marketplace.balances(account))

    def _submit(self, account: str, handle: str, wish: PlaceOrder, wall_ns: int) -> int | Refused:
        if wish.deadline_ns is not None and wall_ns > wish.deadline_ns:
            late_ms = (wall_ns - wish.deadline_ns) // 10**6
            return Refused(handle, RefusalCode.DEADLINE, f"it arrived {late_ms} ms after its deadline")
        known = wish.client_order_id is not None and wish.dedupe is Dedupe.FOREVER
        order = NewOrder(
            client_order_id=handle,
            spec=wish.spec,
            bracket=wish.bracket,
            leverage=wish.leverage,
            expires_at_ns=wish.expires_at_ns,
            dedupe=wish.dedupe,
            known_before=known and any(self._ever(account, handle)),
            stops_hold=wish.stops_hold,
        )
        answer = self.marketplace.submit(account, order, self.market_ns())
        return answer if isinstance(answer, Refused) else answer.number

    def _barred(self, wish: PlaceOrder) -> Barred | None:
        if self.state is VenueState.POST_ONLY and not wish.spec.post_only:
            return Barred(Trouble.POST_ONLY)
        trouble = _BARS.get(self.state)
        return None if trouble is None else Barred(trouble)

    def _note_post(
        self,
        account: str,
        wish: PlaceOrder,
        number: int | None,
        kind: str,
        code: str,
        detail: str,
        wall_ns: int,
    ) -> None:
        post = Post(
            account=account,
            kind=kind,
            dialect=wish.dialect,
            client_order_id=wish.client_order_id,
            number=number,
            code=code,
            detail=detail,
            wall_ns=wall_ns,
            market_ns=self.market_ns(),
        )
        self.committer.stage().posts.append(post)

    def _stage_order(self, account: str, event: AccountEvent) -> OrderRecord | None:
        order: VenueOrder | None = getattr(event, "order", None)
        if order is None:
            return None
        record = self._record(account, order)
        self.committer.stage().orders[order.number] = record
        if isinstance(event, OrderEnded):
            self._tickets.pop(order.number, None)
        return record

    def _stage_fill(self, event: AccountEvent, record: OrderRecord | None) -> FillRecord | None:
        if not isinstance(event, OrderFilled) or record is None:
            return None
        trade: Trade = event.trade
        fill = FillRecord(trade.fill, trade.number, record.ticket)
        self.committer.stage().fills.append(fill)
        return fill

    def _fill_in(self, batch: Batch) -> None:
        """Put the states into a batch that is about to be written."""
        for account in sorted(self._dirty):
            # What has ended stands in the ledger by this very commit; forgetting keeps the state short.
            self.marketplace.forget(account, self.marketplace.now_ns())
            batch.accounts[account] = self.marketplace.dump(account)
        self._dirty.clear()
        batch.meta["market"] = self.marketplace.dump_market().decode()
        batch.meta["position"] = self.market.position_text()
