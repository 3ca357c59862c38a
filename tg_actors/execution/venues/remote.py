"""The venue port over any vendor's client: what all real venues have in common. No clock, no socket.

Nothing here guesses. An answer that proves nothing is a ``VenueError``; what the venue's books show
must carry our id and our instrument; trades are re-read with an overlap and told apart by their id.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import NoReturn, Protocol, TypeVar

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.orders import TERMINAL_STATES, Fill, Intent, OrderSpec, OrderState, Permit
from tg_actors.execution.venues.dialect import (
    BookedOrder,
    Dialect,
    Execution,
    SaidTime,
    Unusable,
    VenueClock,
)
from tg_actors.execution.venues.outcomes import Fate, Verb, judge, trouble
from tg_actors.execution.venues.port import (
    Acknowledged,
    OpenOrder,
    Refused,
    VenueNews,
    VenueOrder,
)
from tg_actors.execution.venues.watch import Watch

T = TypeVar("T")

_SECOND_NS = 1_000_000_000
#: How far back trades are searched before an order is called unknown; and a deadline that is further
#: from wall time is not in wall time at all.
_DAY_NS = 86_400 * _SECOND_NS
#: Trades are read again from so long before the newest one: venues book them late and out of order.
_OVERLAP_NS = 120 * _SECOND_NS
_EVERYTHING = frozenset({"*"})
#: A call that got no answer for so long was swallowed; whoever asks at once again would wait as long.
_SWALLOWED_NS = 3 * _SECOND_NS
#: For so long a venue that swallows calls is not asked: the desk must not stand still with it.
_SILENCE_NS = 10 * _SECOND_NS
#: Marks fills of orders that carry no client id: not ours.
FOREIGN = "foreign:"


class Ear(Protocol):
    """Private streams: not what happened, only that something did, and whether they can be trusted."""

    def heard(self) -> bool:
        """Whether anything came since the last question."""
        ...

    def deaf(self) -> str:
        """Why nothing can be heard right now, empty when all is well."""
        ...

    def close(self) -> None:
        """End the listening."""
        ...


class RemoteVenue:
    """One account at one real venue, or at a practice exchange that speaks its language.

    Args:
        dialect: the vendor's client.
        account: our name of the account.
        clock: the venue's clock, shared with the dialect.
        ear: private streams; without them every poll reads the books.
        account_number: the number that the venue must show, None to pin the first one seen.
        step: makes a stepped practice exchange trade the bar of a cycle before its books are read.
        may_trade: whether the key is meant for orders; without it none is ever sent.
    """

    def __init__(
        self,
        dialect: Dialect,
        account: str,
        clock: VenueClock,
        ear: Ear | None = None,
        account_number: str | None = None,
        step: Callable[[int], None] | None = None,
        *,
        may_trade: bool = True,
    ) -> None:
        self.name = dialect.name
        self.account = account
        self.capabilities = dialect.capabilities
        self._dialect = dialect
        self._clock = clock
        self._ear = ear
        self._number = account_number
        self._step = step
        self._may_trade = may_trade
        self._watch = Watch()
        #: Client id of every venue order seen, "" for an order without one.
        self._client_ids: dict[str, str] = {}
        #: Our orders of which a trade was seen.
        self._traded: set[str] = set()
        self._read_since_ns: int | None = None
        #: Whether the newest reading of the books has failed, or has left something open.
        self._owing = False
        #: Until when the venue is not asked, after it has swallowed a call.
        self._silent_until_ns = 0

    # ---------------------------------------------------------------- orders

    def post(self, permit: Permit, intent: Intent) -> Acknowledged | Refused:
        """Send the order once, unless its deadline has passed or the venue knows no such order."""
        spec = intent.spec
        deadline_ns = permit.venue_deadline_ns
        left_ns = deadline_ns - self._clock.wall_ns()
        if abs(left_ns) > _DAY_NS:
            sentence = f"the deadline of {permit.client_order_id} is in no wall time: nothing was sent"
            raise VenueError(sentence, retryable=False)
        # A process that was paused between permit and POST finds its deadline passed.
        if lacks := self._lacks(spec, left_ns):
            return Refused(f"not sent: {lacks}")
        if self._is_silent():
            return Refused("not sent: the venue does not answer at all")
        self._watch.add(permit.client_order_id, spec.symbol)
        began_ns = self._clock.wall_ns()
        try:
            number = self._dialect.place(permit.client_order_id, spec, deadline_ns + self._clock.offset_ns)
        except Unusable as lost:
            self._note_silence(lost, began_ns)
            # Of an order that may not exist nothing is read unasked: a look-up starts the watch again.
            self._watch.drop(permit.client_order_id)
            outcome = judge(self.name, Verb.PLACE, lost.answer)
            if outcome.fate is not Fate.REJECTED:
                self._raise(lost)
            return Refused(str(lost.answer), suspect=outcome.suspect)
        self._client_ids[number] = permit.client_order_id
        return Acknowledged(number)

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Ask for a cancel; that nothing rests under the id is fine."""
        del at_ns
        symbol = self._watch.symbol(client_order_id)

        def cancel() -> bool:
            self._dialect.cancel(client_order_id, symbol)
            return True

        self._ask(cancel, absent=True)

    def cancel_all(self, at_ns: int) -> None:
        """Ask for the cancel of everything that rests."""
        del at_ns
        self._ask(self._dialect.cancel_all)

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Search the books by our id, then the trades; None only when all of them deny it.

        Raises:
            AccountSuspect: the books show another order than the one asked for, or two of them.
            VenueError: the trades know the id and the books do not.
        """
        found = self._find(client_order_id)
        for row in found:
            self._check(row, client_order_id)
        if not found:
            self._watch.drop(client_order_id)
            self._deny(client_order_id)
            return None
        if len({row.venue_order_id for row in found}) > 1:
            raise AccountSuspect(f"{self.name} shows two orders under {client_order_id}", retryable=False)
        row = found[0]
        self._client_ids[row.venue_order_id] = client_order_id
        if row.state in TERMINAL_STATES:
            self._watch.drop(client_order_id)
        else:
            self._watch.add(client_order_id, row.symbol)
        return VenueOrder(row.state, row.reason, row.filled_quantity)

    def open_orders(self) -> Sequence[OpenOrder]:
        """Everything that rests at the venue, ours or not."""
        rows = self._ask(self._dialect.open_orders)
        return [_open_order(row) for row in rows]

    # ---------------------------------------------------------------- account

    def trades(self, since_ns: int = 0) -> Sequence[Fill]:
        """Every execution since an instant, oldest first, each once."""
        found = {one.trade_id: one for one in self._ask(lambda: self._dialect.executions(since_ns))}
        for one in found.values():
            if one.client_order_id is not None:
                self._client_ids[one.venue_order_id] = one.client_order_id
        unknown = {
            one.venue_order_id: one.symbol
            for one in found.values()
            if one.venue_order_id not in self._client_ids
        }
        if unknown:
            named = self._ask(lambda: self._dialect.client_ids(unknown))
            if missing := unknown.keys() - named.keys():
                sentence = f"{self.name} shows trades of an order that it does not show: {min(missing)}"
                raise VenueError(sentence, retryable=True)
            self._client_ids.update(named)
        fills = [self._fill(one) for one in found.values()]
        fills.sort(key=lambda fill: (fill.at_ns, fill.trade_id))
        self._watch.count(fills)
        self._traded.update(fill.client_order_id for fill in fills)
        return fills

    def balances(self) -> Mapping[str, Decimal]:
        """Everything the account holds; checks first that it is still the same account.

        Raises:
            AccountSuspect: the venue shows another account.
        """
        held = self._ask(self._dialect.holdings)
        if self._number is not None and held.account_number != self._number:
            sentence = f"{self.name} shows account {held.account_number!r} instead of {self._number!r}"
            raise AccountSuspect(sentence, retryable=False)
        self._number = held.account_number
        return held.amounts

    def clock_offset_ns(self) -> int:
        """Venue clock less ours, as far from zero as the measurement proves, not farther."""
        before_ns = self._clock.wall_ns()
        said = self._ask(self._dialect.time)
        self._clock.offset_ns = offset_ns(said, before_ns, self._clock.wall_ns())
        return self._clock.offset_ns

    def arm_dead_man(self, timeout_s: int) -> None:
        """Let the venue cancel everything unless asked again; nothing where it has no such timer."""
        if self.capabilities.dead_man_s:
            self._ask(lambda: self._dialect.arm_dead_man(timeout_s))

    def checkpoint(self) -> None:
        """A real venue keeps its own state."""
        return

    def close(self) -> None:
        """End streams and connections; nothing may be asked any more."""
        if self._ear is not None:
            self._ear.close()
        self._dialect.close()

    # ---------------------------------------------------------------- news

    def read(self, snapshot: MarketSnapshot) -> VenueNews:
        """Read the books at a snapshot."""
        if self._read_since_ns is None:
            self._read_since_ns = snapshot.at_ns - snapshot.bar_ns - _OVERLAP_NS
        if self._step is not None:
            try:
                self._step(snapshot.cycle)
            except AccountSuspect:
                raise
            except VenueError as error:
                return VenueNews(gap=str(error), blind=_EVERYTHING)
        return self._news()

    def poll(self) -> VenueNews:
        """Read the books between snapshots: when the streams heard something, are deaf, or do not exist."""
        if self._read_since_ns is None:
            return VenueNews()
        is_told = self._ear is not None and not self._ear.heard() and not self._ear.deaf()
        if is_told and not self._owing:
            return VenueNews()
        return self._news()

    def _news(self) -> VenueNews:
        """Fills, then ends. Deaf streams are named; only books that cannot be read make us blind."""
        gap = "" if self._ear is None else self._ear.deaf()
        fills: list[Fill] = []
        # What could not be read is read at the next poll, whether anything is heard until then or not.
        self._owing = True
        try:
            fills += self._watch.fresh(self.trades(self._read_since_ns or 0))
            newest_ns = max((fill.at_ns for fill in fills), default=0)
            ended, late = self._ended(fills)
        except AccountSuspect:
            raise
        except VenueError as error:
            return VenueNews(fills=tuple(fills), gap=str(error), blind=_EVERYTHING)
        if newest_ns:
            self._read_since_ns = max(self._read_since_ns or 0, newest_ns - _OVERLAP_NS)
            self._watch.forget_before(self._read_since_ns)
        if late:
            gap = f"{self.name} has not shown all trades of an ended order in {', '.join(sorted(late))}"
        self._owing = bool(late)
        return VenueNews(fills=tuple(fills), ended=ended, gap=gap, blind=late)

    def _ended(self, fills: list[Fill]) -> tuple[tuple[tuple[str, OrderState, str], ...], frozenset[str]]:
        """Ends of orders that rested, and the symbols where an end has come before its last trade.

        Trades that were booked later than the overlap join ``fills``: after its end nobody asks for them.
        """
        resting = {row.client_order_id for row in self._ask(self._dialect.open_orders)}
        ended: list[tuple[str, OrderState, str]] = []
        late: set[str] = set()
        for client_order_id in self._watch.missing(resting):
            rows = self._find(client_order_id)
            row = next((row for row in rows if row.state in TERMINAL_STATES), None)
            if row is None:
                continue
            self._check(row, client_order_id)
            if self._watch.filled(client_order_id) != row.filled_quantity:
                found = self.trades(row.placed_ns - _OVERLAP_NS)
                fills += self._watch.fresh([f for f in found if f.client_order_id == client_order_id])
            if self._watch.filled(client_order_id) != row.filled_quantity:
                late.add(row.symbol)
                continue
            self._watch.drop(client_order_id)
            ended.append((client_order_id, row.state, row.reason))
        return tuple(ended), frozenset(late)

    # ---------------------------------------------------------------- parts

    def _find(self, client_order_id: str) -> Sequence[BookedOrder]:
        symbol = self._watch.symbol(client_order_id)
        return self._ask(lambda: self._dialect.find(client_order_id, symbol), ())

    def _lacks(self, spec: OrderSpec, left_ns: int) -> str:
        """Why this order must not or cannot be sent here, empty when it can."""
        row = self.capabilities
        if not self._may_trade:
            return "the key is meant for reading"
        if left_ns < self._dialect.deadline_s_min * _SECOND_NS:
            return "its deadline has passed or is too near"
        if spec.order_type not in row.order_types:
            return f"{self.name} has no {spec.order_type} orders"
        if spec.post_only and not row.post_only:
            return f"{self.name} has no post-only orders"
        return self._dialect.lacks(spec)

    def _deny(self, client_order_id: str) -> None:
        """Make sure that no trade carries the id either."""
        if client_order_id not in self._traded:
            self.trades(max(0, (self._read_since_ns or self._clock.wall_ns()) - _DAY_NS))
        if client_order_id in self._traded:
            sentence = f"{self.name} shows trades of {client_order_id} but not the order"
            raise VenueError(sentence, retryable=True)

    def _check(self, row: BookedOrder, client_order_id: str) -> None:
        symbol = self._watch.symbol(client_order_id)
        if row.client_order_id != client_order_id or (symbol is not None and row.symbol != symbol):
            shown = f"{row.client_order_id or 'an order without id'} in {row.symbol}"
            raise AccountSuspect(f"{self.name} shows {shown} for {client_order_id}", retryable=False)

    def _fill(self, one: Execution) -> Fill:
        return Fill(
            venue=self.name,
            account=self.account,
            trade_id=one.trade_id,
            client_order_id=self._client_ids[one.venue_order_id] or f"{FOREIGN}{one.venue_order_id}",
            symbol=one.symbol,
            side=one.side,
            quantity=one.quantity,
            price=one.price,
            fee=one.fee,
            fee_currency=one.fee_currency,
            liquidity=one.liquidity,
            at_ns=one.at_ns,
        )

    def _ask(self, call: Callable[[], T], absent: T | None = None) -> T:
        if self._is_silent():
            raise VenueError(f"{self.name} does not answer at all: nothing was asked", retryable=True)
        began_ns = self._clock.wall_ns()
        try:
            return call()
        except Unusable as lost:
            self._note_silence(lost, began_ns)
            if absent is not None and judge(self.name, lost.verb, lost.answer).fate is Fate.ABSENT:
                return absent
            self._raise(lost)

    def _is_silent(self) -> bool:
        # A clock that was set back must not make the silence longer.
        return 0 < self._silent_until_ns - self._clock.wall_ns() <= _SILENCE_NS

    def _note_silence(self, lost: Unusable, began_ns: int) -> None:
        """Remember a call that was swallowed: no answer, after a long wait."""
        now_ns = self._clock.wall_ns()
        if not lost.answer.status and now_ns - began_ns >= _SWALLOWED_NS:
            self._silent_until_ns = now_ns + _SILENCE_NS

    def _raise(self, lost: Unusable) -> NoReturn:
        raise trouble(self.name, lost.verb, lost.answer) from None


def _open_order(row: BookedOrder) -> OpenOrder:
    remaining = None if row.quantity is None else row.quantity - row.filled_quantity
    return OpenOrder(row.venue_order_id, row.client_order_id, row.symbol, remaining, row.limit_price)


def offset_ns(said: SaidTime, before_ns: int, after_ns: int) -> int:
    """The smallest clock difference that agrees with what a venue said between two of our instants."""
    low, high = said.at_ns - after_ns, said.at_ns + said.resolution_ns - before_ns
    return 0 if low <= 0 <= high else min(low, high, key=abs)
