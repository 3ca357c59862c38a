"""The simulated venue: a small exchange with a ledger of its own, which is the truth of every run.

It shares no code with the desk's books. It enforces deadlines at arrival by its own clock, refuses a
repeated client id among open orders only, fills in one go or in parts, and cancels on its own at times.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill, Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.execution.venues.port import Capabilities
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.market import TICK_NS, Prices
from tg_actors.simulation.scheduler import NS, Scheduler

VENUE, ACCOUNT = "simulated", "sim"
_FEE_FRAC = Decimal("0.0026")
#: They rest until the market comes to them.
_RESTING_TYPES = frozenset({OrderType.STOP, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP})
_ENDED = (OrderState.FILLED, OrderState.CANCELED, OrderState.EXPIRED)


@dataclass(slots=True)
class Placed:
    """An order the exchange has accepted; ``past`` is (time, state, filled) after every change."""

    client_order_id: str
    venue_order_id: str
    spec: OrderSpec
    at_ns: int
    state: OrderState = OrderState.OPEN
    filled: Decimal = ZERO
    #: What siblings have taken off its quantity.
    taken: Decimal = ZERO
    reason: str = ""
    best: Decimal | None = None
    triggered: bool = False
    past: list[tuple[int, OrderState, Decimal, str]] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it may still fill."""
        return self.state not in _ENDED

    @property
    def remaining(self) -> Decimal:
        """What is not filled yet."""
        return self.spec.quantity - self.taken - self.filled


#: A fill, or the end of an order: (client order id, state, reason).
News = Fill | tuple[str, OrderState, str]


class Exchange:
    """One account at one venue. Everything it has ever done stays readable."""

    def __init__(
        self,
        scheduler: Scheduler,
        prices: Prices,
        opening: dict[str, Decimal],
        dice: Dice,
        manners: Capabilities,
        closes_ns: int,
    ) -> None:
        self.manners = manners
        self.opening = dict(opening)
        self.placed: list[Placed] = []
        self.trades: list[Fill] = []
        #: (time, currency, amount): all that has ever moved, deposits and withdrawals by hand included.
        self.movements: list[tuple[int, str, Decimal]] = []
        self.news: list[tuple[int, News]] = []
        #: From then on nothing trades, so that all news can arrive before the run is judged.
        self.closes_ns = closes_ns
        #: Moved by somebody else with the account's keys or at its web site; and every act of theirs.
        self.foreign: dict[str, Decimal] = {}
        self.meddled: list[tuple[int, str]] = []
        self._dead_man_ns: int | None = None
        self._scheduler = scheduler
        self._prices = prices
        self._dice = dice
        self._instruments: dict[str, Instrument] = {i.symbol: i for i in prices.instruments}
        self._listeners: list[list[tuple[int, News]]] = []

    def tick(self) -> None:
        """Trade what has become executable, then come back with the next price, until it closes."""
        now_ns = self._scheduler.now_ns
        if now_ns >= self.closes_ns:
            return
        if self._dead_man_ns is not None and now_ns >= self._dead_man_ns:
            self._dead_man_ns = None
            self.cancel_all()
        for order in [order for order in self.placed if order.is_open]:
            if order.is_open and self._is_executable(order):
                self._execute(order)
            elif order.is_open and order.client_order_id and self._dice.roll("venue_cancel"):
                self._end(order, OrderState.CANCELED, "canceled by the venue")
        self._scheduler.after(TICK_NS, self.tick)

    def submit(self, client_order_id: str, spec: OrderSpec, deadline_ns: int) -> tuple[bool, str]:
        """Take an order, or refuse it: (accepted, venue order id or reason)."""
        now_ns = self._scheduler.now_ns
        if self.manners.expiry_s_max and now_ns > deadline_ns:
            return False, "EOrder:Deadline elapsed"
        if any(order.is_open and order.client_order_id == client_order_id for order in self.placed):
            return False, "EOrder:Client order id is in use"
        if not self._is_affordable(spec):
            return False, "EOrder:Insufficient funds"
        order = Placed(client_order_id, f"V{len(self.placed) + 1:04d}", spec, now_ns)
        order.past.append((now_ns, order.state, ZERO, ""))
        self.placed.append(order)
        self._scheduler.trace.note(now_ns, "exchange", f"{order.venue_order_id} is {client_order_id[:8]}")
        if self._is_executable(order):
            self._execute(order)
        return True, order.venue_order_id

    def cancel(self, client_order_id: str) -> None:
        """Cancel an open order; nothing happens when there is none."""
        for order in self.placed:
            if order.client_order_id == client_order_id and order.is_open:
                self._end(order, OrderState.CANCELED, "canceled by us")

    def cancel_all(self) -> None:
        """Cancel everything that is open."""
        for order in self.placed:
            if order.is_open and order.client_order_id:
                self._end(order, OrderState.CANCELED, "canceled by us")

    def arm(self, timeout_s: int) -> None:
        """Cancel everything unless armed again in time; 0 disarms."""
        self._dead_man_ns = self._scheduler.now_ns + timeout_s * NS if timeout_s else None

    def meddle(self, kind: str) -> None:
        """Let somebody else use the account: move money, rest an order, or trade."""
        now_ns = self._scheduler.now_ns
        self.meddled.append((now_ns, kind))
        if kind == "order":
            spec = OrderSpec(
                symbol=self._prices.instruments[0].symbol,
                side=Side.BUY,
                order_type=OrderType.LIMIT,
                quantity=Decimal("0.01"),
                limit_price=Decimal(10_000),
            )
            self.placed.append(Placed("", f"V{len(self.placed) + 1:04d}", spec, now_ns))
            return
        currency, amount = ("USDT", Decimal("-7.25")) if kind == "withdrawal" else ("BTC", Decimal("0.001"))
        self.foreign[currency] = self.foreign.get(currency, ZERO) + amount
        self.movements.append((now_ns, currency, amount))

    def listen(self) -> list[tuple[int, News]]:
        """Open a stream of news: a list that fills with (delivery time, item), faults included."""
        inbox: list[tuple[int, News]] = []
        self._listeners.append(inbox)
        return inbox

    def hang_up(self, inbox: list[tuple[int, News]]) -> None:
        """Close a stream."""
        self._listeners = [listener for listener in self._listeners if listener is not inbox]

    def balances(self, at_ns: int) -> dict[str, Decimal]:
        """What the account held at an instant, per currency."""
        held = dict(self.opening)
        for when_ns, currency, amount in self.movements:
            if when_ns <= at_ns:
                held[currency] = held.get(currency, ZERO) + amount
        return held

    def _is_affordable(self, spec: OrderSpec) -> bool:
        instrument = self._instruments[spec.symbol]
        held = self.balances(self._scheduler.now_ns)
        if spec.side is Side.SELL:
            free = held.get(instrument.base, ZERO) - self._locked(spec)
            rests_free = spec.order_type in _RESTING_TYPES and not self._locks
            return rests_free or free >= spec.quantity
        cost = spec.quantity * self._price(spec) * (1 + _FEE_FRAC)
        return held.get(instrument.quote, ZERO) >= cost

    @property
    def _locks(self) -> bool:
        return self.manners.stops_hold_balance

    def _locked(self, spec: OrderSpec) -> Decimal:
        """What resting orders of the instrument hold back, where they do; a tied group holds once."""
        if not self._locks:
            return ZERO
        held: dict[str, Decimal] = {}
        for order in self.placed:
            if order.is_open and order.spec.symbol == spec.symbol and order.spec.side is Side.SELL:
                group = order.spec.oco_group or order.venue_order_id
                held[group] = max(held.get(group, ZERO), order.remaining)
        held.pop(spec.oco_group or "", None)
        return sum(held.values(), ZERO)

    def _price(self, spec: OrderSpec) -> Decimal:
        """Where a market order trades now: one tick worse than the mid."""
        tick = self._instruments[spec.symbol].tick
        return self._prices.mid(spec.symbol, self._scheduler.now_ns) + spec.side.sign * tick

    def _is_executable(self, order: Placed) -> bool:
        spec = order.spec
        if order.triggered or spec.order_type is OrderType.MARKET:
            return True
        mid = self._prices.mid(spec.symbol, self._scheduler.now_ns)
        order.best = mid if order.best is None else _better(order.best, mid, spec.side)
        order.triggered = _is_triggered(spec, mid, order.best)
        return order.triggered

    def _execute(self, order: Placed) -> None:
        """Fill what fills now; a market order without rest or time loses the remainder."""
        if self._dice.roll("slow_fill"):
            self._scheduler.after(self._dice.between(NS // 2, 20 * NS), lambda: self._fill(order))
            return
        self._fill(order)

    def _fill(self, order: Placed) -> None:
        if order.state in _ENDED:
            return
        quantity = self._slice(order)
        if quantity > ZERO:
            self._trade(order, quantity)
        if order.is_open and (quantity <= ZERO or order.spec.time_in_force is TimeInForce.IOC):
            self._end(order, OrderState.CANCELED, "no more to be had")

    def _slice(self, order: Placed) -> Decimal:
        """How much fills now: all, or a part when liquidity is short; never more than the account has."""
        instrument, spec = self._instruments[order.spec.symbol], order.spec
        quantity = order.remaining
        if self._dice.roll("partial_fill"):
            quantity = max(instrument.quantise_quantity(quantity / 2), min(instrument.lot, quantity))
        held = self.balances(self._scheduler.now_ns)
        if spec.side is Side.SELL:
            # A venue that ties nothing and holds nothing back lends what is sold twice.
            lends = not (self.manners.oco or self._locks)
            has = instrument.quantise_quantity(max(held.get(instrument.base, ZERO), ZERO))
            if self.manners.reduce_only and spec.reduce_only:
                has = min(has, self._position(spec.symbol))
            return quantity if lends else min(quantity, has)
        affordable = held.get(instrument.quote, ZERO) / (self._price(spec) * (1 + _FEE_FRAC))
        return min(quantity, instrument.quantise_quantity(max(affordable, ZERO)))

    def _position(self, symbol: str) -> Decimal:
        """What our orders have bought and not sold."""
        return sum((f.side.sign * f.quantity for f in self.trades if f.symbol == symbol), ZERO)

    def _trade(self, order: Placed, quantity: Decimal) -> None:
        now_ns, spec = self._scheduler.now_ns, order.spec
        instrument, price = self._instruments[spec.symbol], self._price(spec)
        fee = quantity * price * _FEE_FRAC
        fill = Fill(
            venue=VENUE,
            account=ACCOUNT,
            trade_id=f"T{len(self.trades) + 1:04d}",
            client_order_id=order.client_order_id,
            symbol=spec.symbol,
            side=spec.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=instrument.quote,
            liquidity=Liquidity.TAKER,
            at_ns=now_ns,
        )
        self.trades.append(fill)
        self.movements += [
            (now_ns, instrument.base, spec.side.sign * quantity),
            (now_ns, instrument.quote, -spec.side.sign * quantity * price - fee),
        ]
        order.filled += quantity
        self._tell(fill)
        self._become(order, OrderState.FILLED if order.filled == spec.quantity else OrderState.PARTIAL, "")
        if order.is_open and order.remaining == ZERO:
            self._end(order, OrderState.CANCELED, "its sibling filled")
        self._reduce_siblings(order, quantity)

    def _reduce_siblings(self, order: Placed, quantity: Decimal) -> None:
        """A fill takes its quantity off the other orders of its group."""
        group = order.spec.oco_group
        if group is None or not self.manners.oco:
            return
        for other in self.placed:
            if other is order or not other.is_open or other.spec.oco_group != group:
                continue
            other.taken += min(quantity, other.remaining)
            if other.remaining == ZERO:
                self._end(other, OrderState.CANCELED, "its sibling filled")

    def _end(self, order: Placed, state: OrderState, reason: str) -> None:
        self._become(order, state, reason)
        self._tell((order.client_order_id, state, reason))

    def _become(self, order: Placed, state: OrderState, reason: str) -> None:
        order.state, order.reason = state, reason
        order.past.append((self._scheduler.now_ns, state, order.filled, reason))
        self._scheduler.trace.note(
            self._scheduler.now_ns, "exchange", f"{order.venue_order_id} {state} {order.filled} {reason}"
        )

    def _tell(self, item: News) -> None:
        for inbox in self._listeners:
            for deliver_ns in self._deliveries():
                inbox.append((deliver_ns, item))

    def _deliveries(self) -> Iterator[int]:
        """When one listener hears one item: not at all, once, twice, late."""
        now_ns, dice = self._scheduler.now_ns, self._dice
        if dice.roll("news_lost"):
            return
        late_ns = dice.between(NS, 90 * NS) if dice.roll("news_late") else 0
        yield now_ns + late_ns
        if dice.roll("news_duplicated"):
            yield now_ns + late_ns + dice.between(0, 30 * NS)


def _better(best: Decimal, mid: Decimal, side: Side) -> Decimal:
    return max(best, mid) if side is Side.SELL else min(best, mid)


def _is_triggered(spec: OrderSpec, mid: Decimal, best: Decimal) -> bool:
    """Whether a stop, a take or a trailing stop has been reached by the mid."""
    if spec.order_type is OrderType.TRAILING_STOP and spec.trail_frac is not None:
        return (best - mid) * spec.side.opposite.sign >= best * spec.trail_frac
    if spec.stop_price is None:
        return False
    beyond = (spec.stop_price - mid) * spec.side.opposite.sign
    return beyond >= ZERO if spec.order_type is OrderType.STOP else beyond <= ZERO
