"""Laws of the marketplace under arbitrary orders, books, prints, deposits and time.

Beside the marketplace under test runs a twin that is rebuilt from its checkpoints before every call:
both must always say the same, to the byte.
"""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.exchange_strategies import BAR_NS, INSTRUMENTS, SYMBOLS, Bar, D, bars, specs, step_of
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.marketplace import (
    Accepted,
    AccountEvent,
    AccountKind,
    Dedupe,
    Deposited,
    FundingPaid,
    Level,
    Marketplace,
    NewOrder,
    OrderEnded,
    OrderFilled,
    PositionChanged,
    Refused,
    Trade,
)
from tg_actors.exchange.practice import PracticeExchange

SPOT = ("s1", "s2")
ACCOUNTS = (*SPOT, "m")
OPENING = {"BTC": D(900), "USDT": D(1200), "XRP": D(30)}
#: Little enough for a liquidation.
COLLATERAL = {"BTC": D(200), "USDT": D(250), "XRP": D(30)}
CONFIG = ExchangeConfig.model_validate_json(
    '{"fees": {"maker_frac": "0.0016", "taker_frac": "0.0026"},'
    ' "slippage": {"base_bps": "3", "impact_bps": "20"}, "volume_frac_max": "0.25",'
    ' "margin": {"leverage_max": "5", "call_level": "0.8", "liquidation_level": "0.4"},'
    ' "funding": {"interval_s": 7, "frac": "0.0013"}}'
)
S = 1_000_000_000
Answer = TypeVar("Answer")

accounts = st.sampled_from(ACCOUNTS)
names = st.sampled_from("pqrstuvwxyz")
cents = st.integers(8000, 12000).map(lambda n: D(n) / 100)
#: Sizes are finer than a lot: a feed knows nothing of our lots.
sizes = st.integers(1, 400).map(lambda n: D(n) / 37).map(lambda n: n.quantize(D("0.001")))
gaps = st.lists(st.tuples(st.integers(1, 300), sizes), max_size=4)
waits = st.sampled_from([0, 1, S, 5 * S])


def levels(best: Decimal, drawn: list[tuple[int, Decimal]], sign: int) -> list[Level]:
    shown, price = [], best
    for gap, size in drawn:
        price += sign * D(gap) / 100
        shown.append((price, size))
    return shown


def marketplace() -> Marketplace:
    return Marketplace(INSTRUMENTS, CONFIG)


class Trading(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.market, self.twin = marketplace(), marketplace()
        for each in (self.market, self.twin):
            for account in ACCOUNTS:
                kind = AccountKind.MARGIN if account == "m" else AccountKind.SPOT
                each.open_account(account, COLLATERAL if account == "m" else OPENING, kind)
        self.now = S
        self.moved = {account: defaultdict(Decimal, OPENING) for account in SPOT}
        self.moved["m"] = defaultdict(Decimal, COLLATERAL)
        self.shown: dict[str, dict[Side, dict[Decimal, Decimal]]] = {}
        self.printed: tuple[str, Decimal, Decimal, Side] | None = None
        self.accepted: dict[tuple[str, str], list[int]] = {}

    @rule(symbol=st.sampled_from(SYMBOLS), mid=cents, bids=gaps, asks=gaps, wait=waits)
    def show(
        self,
        symbol: str,
        mid: Decimal,
        bids: list[tuple[int, Decimal]],
        asks: list[tuple[int, Decimal]],
        wait: int,
    ) -> None:
        self.now += wait
        book = levels(mid, bids, -1), levels(mid, asks, 1)
        self.shown[symbol] = {Side.SELL: dict(book[0]), Side.BUY: dict(book[1])}
        self.both(lambda market: market.show_book(symbol, *book, self.now))

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        away=cents,
        size=sizes,
        side=st.sampled_from(Side),
        wait=waits,
        data=st.data(),
    )
    def print(
        self, symbol: str, away: Decimal, size: Decimal, side: Side, wait: int, data: st.DataObject
    ) -> None:
        # Mostly where somebody stands: at random prices a queue would never be met.
        standing = self.market._grounds.pits[symbol].standing.resting(side.opposite)
        price = data.draw(st.sampled_from([*(party.order.level for party in standing), away]))
        self.now += wait
        self.printed = (symbol, price, size, side.opposite)
        self.both(lambda market: market.print_trade(symbol, price, size, side, self.now))
        self.printed = None

    @initialize(mids=st.tuples(cents, cents, cents))
    def open_market(self, mids: tuple[Decimal, ...]) -> None:
        for symbol, mid in zip(SYMBOLS, mids, strict=True):
            self.show(symbol, mid, [(1, D(3)), (10, D(9))], [(1, D(3)), (10, D(9))], 0)

    @rule(drawn=st.lists(st.tuples(accounts, names, specs), min_size=1, max_size=4), data=st.data())
    def submit(self, drawn: list[tuple[str, str, OrderSpec]], data: st.DataObject) -> None:
        for account, name, spec in drawn:
            # Reducing a spot balance is one thing among many; reducing a position comes up often enough.
            keeps = data.draw(st.booleans()) if account == "m" else data.draw(st.integers(0, 4)) == 0
            kept = spec if keeps else spec.model_copy(update={"reduce_only": False})
            quote = self.market.quote(spec.symbol)
            if spec.order_type is OrderType.LIMIT and quote is not None and data.draw(st.booleans()):
                # At its own side of the book, where it rests behind a queue.
                kept = kept.model_copy(
                    update={"limit_price": quote.bid if spec.side is Side.BUY else quote.ask}
                )
            self.submit_one(account, name, kept, data)

    def submit_one(self, account: str, name: str, spec: OrderSpec, data: st.DataObject) -> None:
        order = NewOrder(
            name,
            spec,
            leverage=data.draw(st.sampled_from([D(5), D(3), D(1)])) if account == "m" else D(1),
            deadline_ns=data.draw(st.sampled_from([None] * 8 + [self.now - 1, self.now])),
            expires_at_ns=data.draw(st.sampled_from([None, None, self.now + 6 * S])),
            dedupe=data.draw(st.sampled_from([Dedupe.OPEN, Dedupe.OPEN, Dedupe.FOREVER])),
            stops_hold=data.draw(st.booleans()),
        )
        before = self.market.dump(account)
        used = [o.state for o in self.market.by_client_id(account, name)]
        answer = self.both(lambda market: market.submit(account, order, self.now))
        if isinstance(answer, Refused):
            assert self.market.dump(account) == before
            return
        assert isinstance(answer, Accepted)
        assert order.deadline_ns is None or self.now <= order.deadline_ns
        assert all(state not in (OrderState.OPEN, OrderState.PARTIAL) for state in used)
        assert not (used and order.dedupe is Dedupe.FOREVER)
        numbers = self.accepted.setdefault((account, name), [])
        numbers.append(answer.number)
        assert [o.number for o in self.market.by_client_id(account, name)] == numbers

    @rule(account=accounts, data=st.data())
    def cancel(self, account: str, data: st.DataObject) -> None:
        numbers = [order.number for order in self.market.open_orders(account)]
        if numbers:
            number = data.draw(st.sampled_from(numbers))
            assert self.both(lambda market: market.cancel(account, number, self.now)) is True
            assert self.both(lambda market: market.cancel(account, number, self.now)) is False

    @rule(wait=waits, account=accounts, timeout_s=st.sampled_from([None, 0, 3]))
    def wait(self, wait: int, account: str, timeout_s: int | None) -> None:
        if timeout_s is not None:
            self.both(lambda market: market.arm_dead_man(account, self.now, timeout_s))
        self.now += wait
        self.both(lambda market: market.pass_time(self.now))
        for each in ACCOUNTS:
            for order in self.market.open_orders(each):
                assert order.expires_at_ns is None or order.expires_at_ns > self.now

    @rule(account=accounts, currency=st.sampled_from(["USDT", "BTC"]), amount=st.sampled_from([D(3), D(-2)]))
    def deposit(self, account: str, currency: str, amount: Decimal) -> None:
        losses = [min(m.unrealised, D(0)) for m in self.market.margins(account) if m.currency == currency]
        if amount > 0 or self.market.balances(account)[currency].free + sum(losses, D(0)) + amount >= 0:
            self.both(lambda market: market.deposit(account, currency, amount, self.now))

    def both(self, call: Callable[[Marketplace], Answer]) -> Answer:
        """Do the same to the marketplace and to a twin fresh from its checkpoints."""
        reborn = marketplace()
        reborn.load_market(self.twin.dump_market())
        for account in reversed(ACCOUNTS):
            reborn.load(account, self.twin.dump(account))
        answer = call(self.market)
        assert call(reborn) == answer
        events = self.market.drain()
        assert reborn.drain() == events
        for account in ACCOUNTS:
            assert reborn.dump(account) == self.market.dump(account)
        assert reborn.dump_market() == self.market.dump_market()
        self.twin = reborn
        self.check(events)
        return answer

    def check(self, events: tuple[tuple[str, AccountEvent], ...]) -> None:
        offered = self.printed[2] if self.printed else D(0)
        for account, event in events:
            if isinstance(event, Deposited):
                self.moved[account][event.currency] += event.amount
            elif isinstance(event, FundingPaid):
                self.moved[account][event.currency] -= event.amount
                owed = event.quantity * event.mark * D("0.0013")
                assert D(0) <= event.amount - owed < D("1e-8"), "rounded against the account"
            elif isinstance(event, OrderEnded) and event.order.state is OrderState.FILLED:
                assert event.order.filled_quantity == event.order.spec.quantity
            elif isinstance(event, OrderFilled):
                self.check_price(event)
                self.book(account, event)
                offered -= self.check_size(event.trade)
        assert offered >= 0 or self.printed is None, "a print is handed out once"
        # A position that an event shows is the one that stands, unless a later event moved it.
        last = {(a, e.symbol): e.position for a, e in events if isinstance(e, PositionChanged)}
        for (account, symbol), position in last.items():
            held = {p.symbol: p.quantity for p in self.market.positions(account)}
            assert held.get(symbol) == (None if position is None else position.quantity)

    def check_price(self, event: OrderFilled) -> None:
        """Never better than the market: takers at a shown level, makers at their own limit."""
        fill, limit = event.trade.fill, event.order.spec.limit_price
        if fill.liquidity is Liquidity.TAKER:
            assert not event.order.spec.post_only
            assert fill.price in self.shown[fill.symbol][fill.side]
            assert limit is None or fill.side.sign * fill.price <= fill.side.sign * limit
        else:
            assert fill.price == limit
        rate = D("0.0016") if fill.liquidity is Liquidity.MAKER else D("0.0026")
        assert D(0) <= fill.fee - rate * fill.quantity * fill.price < D("1e-8")

    def check_size(self, trade: Trade) -> Decimal:
        """Take a fill off the level it came from, or off the print; nothing is sold twice."""
        fill = trade.fill
        at_print = self.printed is not None and fill.liquidity is Liquidity.MAKER
        if at_print:
            return fill.quantity
        side = self.shown[fill.symbol][fill.side]
        if fill.liquidity is Liquidity.TAKER:
            side[fill.price] -= fill.quantity
            assert side[fill.price] >= 0
            return D(0)
        crossed = [price for price in side if fill.side.sign * price <= fill.side.sign * fill.price]
        left = fill.quantity
        for price in sorted(crossed, reverse=fill.side is Side.SELL):
            taken = min(side[price], left)
            side[price], left = side[price] - taken, left - taken
        assert left == 0, "a maker is filled by what crosses it"
        return D(0)

    def book(self, account: str, event: OrderFilled) -> None:
        """What a fill must move: coins, or the realised profit of borrowed ones; fees in both cases."""
        fill, moved = event.trade.fill, self.moved[account]
        base, quote = fill.symbol.split("/")
        if event.order.leverage > 1:
            moved[quote] += event.trade.realised - fill.fee
        else:
            assert event.trade.realised == 0
            moved[base] += fill.side.sign * fill.quantity
            moved[quote] -= fill.side.sign * fill.quantity * fill.price + fill.fee

    @invariant()
    def money_is_conserved_to_the_last_decimal(self) -> None:
        for account in ACCOUNTS:
            totals = {c: balance.total for c, balance in self.market.balances(account).items()}
            assert totals == dict(self.moved[account])

    @invariant()
    def spot_accounts_owe_nothing_and_holds_are_covered(self) -> None:
        for account in SPOT:
            for balance in self.market.balances(account).values():
                assert D(0) <= balance.held <= balance.total

    @invariant()
    def nobody_waits_behind_a_later_or_worse_order(self) -> None:
        """The lines are in price-time order, hold every resting order once, and nothing stands crossed."""
        for symbol in SYMBOLS:
            pit = self.market._grounds.pits[symbol]
            for side in Side:
                orders = [party.order for party in pit.standing.resting(side)]
                keys = [(-side.sign * order.level, order.rank) for order in orders]
                assert keys == sorted(keys)
                queues: dict[Decimal, Decimal] = defaultdict(Decimal)
                for order in orders:
                    assert order.queue_ahead >= queues[order.level], (
                        "a later order stands behind a longer queue"
                    )
                    queues[order.level] = order.queue_ahead
                top = pit.depth.top(side)
                if orders and top is not None:
                    assert side.sign * orders[0].level < side.sign * top[0] or orders[0].spec.post_only
        numbers = [order.number for account in ACCOUNTS for order in self.market.open_orders(account)]
        assert len(numbers) == len(set(numbers))

    @invariant()
    def margin_adds_up(self) -> None:
        positions = self.market.positions("m")
        for state in self.market.margins("m"):
            ours = [p for p in positions if p.symbol.endswith(f"/{state.currency}")]
            assert state.used == sum((p.margin for p in ours), D(0)) >= 0
            assert state.unrealised == sum((p.unrealised for p in ours), D(0))
            assert state.equity == self.market.balances("m")[state.currency].total + state.unrealised
        for position in positions:
            assert position.quantity % D("0.1") == 0
            assert position.quantity * position.cost > 0


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@settings(max_examples=25, deadline=None)
@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(SPOT), specs), max_size=3),
            st.lists(bars, min_size=len(SYMBOLS), max_size=len(SYMBOLS)),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_bar_by_bar_every_account_is_a_practice_exchange(
    rounds: list[tuple[list[tuple[str, OrderSpec]], list[Bar]]],
) -> None:
    market = marketplace()
    alone = {account: PracticeExchange(INSTRUMENTS, CONFIG, OPENING, account) for account in SPOT}
    for account in SPOT:
        market.open_account(account, OPENING)
    for cycle, (orders, drawn) in enumerate(rounds, start=1):
        now = (cycle - 1) * BAR_NS
        for row, (account, spec) in enumerate(orders):
            name = f"{cycle}-{row}"
            order = NewOrder(name, spec, dedupe=Dedupe.FOREVER, stops_hold=True)
            answer = market.submit(account, order, now)
            assert type(answer) is type(alone[account].submit(name, spec, now))
        step = step_of(cycle, drawn)
        market.trade_bar(step)
        for account, exchange in alone.items():
            exchange.advance(step)
            unnumbered = {"number", "trade_id"}
            ours = [trade.fill.model_dump(exclude=unnumbered) for trade in market.trades(account)]
            assert ours == [fill.model_dump(exclude=unnumbered) for fill in exchange.trades()]
            assert {c: b.total for c, b in market.balances(account).items()} == exchange.balances()
            open_orders = [order.model_dump(exclude=unnumbered) for order in market.open_orders(account)]
            assert open_orders == [order.model_dump(exclude=unnumbered) for order in exchange.open_orders()]
