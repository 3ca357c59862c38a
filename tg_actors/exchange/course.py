"""How the market and the clock move a marketplace: bars or books, expiries, funding, margin levels."""

from collections.abc import Sequence
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.exchange.alarms import Alarm, Alarms, Kind
from tg_actors.exchange.clearing import Counters
from tg_actors.exchange.config import ExchangeConfig, FillRule
from tg_actors.exchange.depth import Level
from tg_actors.exchange.events import DeadManFired
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.member import Grounds, Member
from tg_actors.exchange.orders import EndReason, VenueOrder, WorkingOrder
from tg_actors.exchange.path import N_POINTS, BarPath, MarketStep
from tg_actors.exchange.pit import Pit
from tg_actors.exchange.quotes import LastMarket
from tg_actors.exchange.standing import Party
from tg_actors.exchange.state import VERSION, MarketCheckpoint, ShownMarket, market_bytes, market_from_bytes

NS_PER_S = 1_000_000_000


class Course:
    """The half of a marketplace that the market drives; see :class:`Marketplace` for the other."""

    def __init__(
        self, instruments: Sequence[Instrument], config: ExchangeConfig, venue: str = "practice"
    ) -> None:
        if config.fill_rule is not FillRule.NEXT_OPEN:
            raise UserError(
                f"fill_rule: {config.fill_rule} is for backtests on one account: leave it out here"
            )
        self._config = config
        by_symbol = {instrument.symbol: instrument for instrument in instruments}
        self._grounds = Grounds(venue, by_symbol, config, Tariff(config))
        for symbol, instrument in by_symbol.items():
            self._grounds.pits[symbol] = Pit(instrument, self._grounds.marks, self._grounds.turns)
        self._market = LastMarket(list(by_symbol))
        self._members: dict[str, Member] = {}
        self._alarms = Alarms()
        self._now_ns = 0
        self._cycle = -1
        self._has_books = False

    def trade_bar(self, step: MarketStep) -> None:
        """Move by one bar: for every account what PracticeExchange.advance does.

        Raises:
            ValueError: the cycle is not newer than the last, the market is impossible or shows books.
        """
        if self._has_books:
            raise ValueError("this marketplace shows books: it does not trade bars")
        if step.cycle <= self._cycle:
            raise ValueError(f"cycle {step.cycle} was traded before: the marketplace is at {self._cycle}")
        step.check()
        if step.at_ns < self._now_ns:
            raise ValueError(f"time went back: {step.at_ns} after {self._now_ns}")
        borrowed = self._borrowed_paths(step)
        alignment = self._market.align(step.symbols)
        walks = [
            walk
            for member in self._members.values()
            for walk in member.seat.walks(step, alignment, member.borrowed())
        ]
        # Point by point over all accounts, so that fills and what is due happen in the order of time.
        for point in range(N_POINTS):
            legs = N_POINTS - 1
            point_ns = max(step.at_ns - step.bar_ns * (legs - point) // legs, self._now_ns)
            self._pass(point_ns)
            for walk in walks:
                walk.visit(point)
            for symbol, path in borrowed.items():
                self._grounds.marks[symbol] = path.points[point]
            self._watch_margins(point_ns)
        for walk in walks:
            walk.finish()
        self._market.update(step)
        self._cycle = step.cycle
        self._tell(step.at_ns)

    def show_book(self, symbol: str, bids: Sequence[Level], asks: Sequence[Level], at_ns: int) -> None:
        """Replace the book of an instrument; what it crosses is filled, what it triggers goes off.

        Raises:
            ValueError: a level is impossible, out of order or crossed, or the market trades bars.
        """
        self._pass_before_books(at_ns)
        self._grounds.pits[symbol].show(bids, asks, at_ns)
        self._has_books = True
        self._watch_margins(at_ns)
        self._tell(at_ns)

    def print_trade(
        self, symbol: str, price: Decimal, quantity: Decimal, taker_side: Side, at_ns: int
    ) -> None:
        """Let others trade: resting orders at or better than the price are filled, after their queue."""
        if price <= ZERO or quantity <= ZERO:
            raise ValueError(f"impossible print: {quantity} at {price}")
        self._pass_before_books(at_ns)
        self._grounds.pits[symbol].print(price, quantity, taker_side, at_ns)
        self._has_books = True
        self._watch_margins(at_ns)
        self._tell(at_ns)

    def pass_time(self, at_ns: int) -> None:
        """Let expiries, dead-man timers and funding happen that are due up to this instant."""
        self._pass(at_ns)
        self._watch_margins(at_ns)
        self._tell(at_ns)

    def dump_market(self) -> bytes:
        """Clock, quotes, marks and shown books: all that :meth:`dump` of the accounts does not hold."""
        grounds = self._grounds
        shown = {}
        if self._has_books:
            for symbol, pit in grounds.pits.items():
                bids, asks = pit.depth.shown()
                shown[symbol] = ShownMarket(list(bids), list(asks), pit.bid, pit.ask)
        return market_bytes(
            MarketCheckpoint(
                version=VERSION,
                venue=grounds.venue,
                now_ns=self._now_ns,
                cycle=self._cycle,
                orders_numbered=grounds.counters.orders,
                trades_numbered=grounds.counters.trades,
                ranked=grounds.turns.given,
                quotes=self._market.known(),
                marks=grounds.marks,
                shown=shown,
            )
        )

    def load_market(self, state: bytes) -> None:
        """Take back what :meth:`dump_market` gave; instruments no longer traded are dropped.

        Raises:
            UserError: the bytes are damaged or of another version.
        """
        checkpoint, grounds = market_from_bytes(state), self._grounds
        self._now_ns, self._cycle = checkpoint.now_ns, checkpoint.cycle
        self._has_books = bool(checkpoint.shown)
        self._market.restore(checkpoint.quotes)
        grounds.turns.given = max(grounds.turns.given, checkpoint.ranked)
        grounds.counters.rise_to(Counters(checkpoint.orders_numbered, checkpoint.trades_numbered))
        grounds.marks.clear()
        grounds.marks.update({s: mark for s, mark in checkpoint.marks.items() if s in grounds.pits})
        for symbol, shown in checkpoint.shown.items():
            if symbol in grounds.pits:
                grounds.pits[symbol].restore(shown)

    def _arrive(self, member: Member, order: WorkingOrder, at_ns: int) -> None:
        """Let an order that has just opened meet the shown book; bars it meets when the next one comes."""
        if self._has_books:
            self._grounds.pits[order.spec.symbol].arrive(Party(order, member.seat.clearing), at_ns)

    def _pass(self, at_ns: int) -> None:
        """Let everything happen that is due up to an instant, in the order it is due."""
        if at_ns < self._now_ns:
            raise ValueError(f"time went back: {at_ns} after {self._now_ns}")
        while (due_ns := self._next_due(at_ns)) is not None:
            # Funding first: who is cancelled at that instant held until then.
            self._fund(due_ns)
            while self._alarms.first_ns() == due_ns:
                self._ring(self._alarms.pop(), due_ns)
            self._now_ns = max(due_ns, self._now_ns)
        self._now_ns = at_ns

    def _next_due(self, until_ns: int) -> int | None:
        due = [at_ns for at_ns in (self._alarms.first_ns(), self._funding_ns()) if at_ns is not None]
        return min((at_ns for at_ns in due if at_ns <= until_ns), default=None)

    def _funding_ns(self) -> int | None:
        """The next funding instant, None while nobody holds a position."""
        funding = self._config.funding
        if funding is None or not any(member.positions.holdings for member in self._members.values()):
            return None
        interval_ns = funding.interval_s * NS_PER_S
        return (self._now_ns // interval_ns + 1) * interval_ns

    def _fund(self, at_ns: int) -> None:
        funding = self._config.funding
        if funding is not None and at_ns == self._funding_ns():
            for member in self._members.values():
                member.fund(funding.frac, at_ns)

    def _ring(self, alarm: Alarm, at_ns: int) -> None:
        """Do what an alarm was set for, if that still holds."""
        member = self._members[alarm.account]
        if alarm.kind is Kind.DEAD_MAN:
            if member.dead_man_at_ns == alarm.at_ns:
                member.dead_man_at_ns = None
                member.diary.note(DeadManFired(at_ns))
                self._end_all(member, EndReason.DEAD_MAN, at_ns)
            return
        order = member.seat.book.numbered(alarm.number)
        if order is not None:
            member.seat.clearing.end(order, EndReason.EXPIRED, at_ns)

    def _end_all(
        self, member: Member, reason: EndReason, at_ns: int, symbol: str | None = None
    ) -> tuple[VenueOrder, ...]:
        book = member.seat.book
        wanted = tuple(book.open.values()) if symbol is None else book.of(symbol)
        for order in wanted:
            member.seat.clearing.end(order, reason, at_ns)
        return tuple(order for order in map(book.show, (one.number for one in wanted)) if order is not None)

    def _watch_margins(self, at_ns: int) -> None:
        for member in self._members.values():
            for order in member.watch(at_ns) if member.positions.holdings else ():
                self._arrive(member, order, at_ns)

    def _tell(self, at_ns: int) -> None:
        """Write down the balances that the call has changed."""
        for account in self._grounds.touched:
            self._members[account].tell_balances(at_ns)
        self._grounds.touched.clear()

    def _pass_before_books(self, at_ns: int) -> None:
        if self._cycle >= 0:
            raise ValueError("this marketplace trades bars: it does not show books")
        self._pass(at_ns)

    def _borrowed_paths(self, step: MarketStep) -> dict[str, BarPath]:
        """The paths along which margin positions are valued."""
        symbols = dict.fromkeys(symbol for m in self._members.values() for symbol in m.borrowed())
        rows = {symbol: step.symbols.index(symbol) for symbol in symbols if symbol in step.symbols}
        rule = self._config.intrabar
        return {symbol: BarPath.of(step, row, rule) for symbol, row in rows.items() if step.has_bar[row]}
