"""Laws of the practice exchange under arbitrary orders, cancels, brackets and bars.

Beside the exchange under test runs a twin that is rebuilt from its checkpoint before every step
and walks every instrument in every bar, without the screen: both must always say the same.
"""

from collections import Counter
from decimal import Decimal

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Fill, Liquidity, OrderSpec, OrderState, OrderType, TimeInForce
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.orders import Accepted, Bracket, RefusalCode, Refused, StepReport
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.exchange.quotes import Alignment
from tg_actors.exchange.screen import Screen

D = Decimal
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
INSTRUMENTS = tuple(
    Instrument(symbol=symbol, tick=D("0.01"), lot=D("0.1"), quantity_min=D("0.1"), notional_min=D(1))
    for symbol in SYMBOLS
)
OPENING = {"BTC": D(5), "USDT": D(1000), "XRP": D(5)}
CONFIG = ExchangeConfig.model_validate_json(
    '{"fees": {"maker_frac": "0.0016", "taker_frac": "0.0026"},'
    ' "slippage": {"base_bps": "3", "impact_bps": "20"}, "volume_frac_max": "0.25"}'
)
#: Worst slippage at the participation cap: 3 + 20 * 0.25 bps.
SLIPPAGE_FRAC_MAX = D("0.0008")
BAR_NS = 60

cents = st.integers(8000, 12000).map(lambda n: D(n) / 100)
lots = st.integers(1, 60).map(lambda n: D(n) / 10)
fracs = st.sampled_from([D("0.01"), D("0.05")])
sides = st.sampled_from(Side)
groups = st.sampled_from([None, None, "g", "h"])
#: What each order type draws beside the common fields.
PRICES_OF: dict[OrderType, dict[str, st.SearchStrategy[Decimal]]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": cents},
    OrderType.STOP: {"stop_price": cents},
    OrderType.STOP_LIMIT: {"stop_price": cents, "limit_price": cents},
    OrderType.TAKE_PROFIT: {"stop_price": cents},
    OrderType.TRAILING_STOP: {"trail_frac": fracs},
}
specs = st.sampled_from(list(PRICES_OF)).flatmap(
    lambda order_type: st.builds(
        OrderSpec,
        symbol=st.sampled_from(SYMBOLS),
        side=sides,
        order_type=st.just(order_type),
        quantity=lots,
        time_in_force=st.sampled_from(TimeInForce),
        post_only=st.just(value=False) if order_type is not OrderType.LIMIT else st.booleans(),
        reduce_only=st.booleans(),
        oco_group=groups,
        **PRICES_OF[order_type],
    )
)
bars = st.tuples(
    cents.map(float),  # open
    cents.map(float),  # close
    st.integers(0, 500).map(lambda n: n / 100),  # high above both
    st.integers(0, 500).map(lambda n: n / 100),  # low below both
    st.sampled_from([0.0, 0.3, 4.0, 100.0]),  # volume
    st.sampled_from([0.0, 0.02, 1.0]),  # spread
    st.booleans(),  # whether it trades
)


class Sleepless(Screen):
    """No screen at all: every instrument that trades is walked."""

    def awake(self, step: MarketStep, alignment: Alignment) -> list[tuple[str, int]]:
        rows = zip(alignment.ours.tolist(), alignment.theirs.tolist(), strict=True)
        return [(SYMBOLS[our], their) for our, their in rows if step.has_bar[their]]


def practice() -> PracticeExchange:
    return PracticeExchange(INSTRUMENTS, CONFIG, OPENING, "acc")


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.exchange, self.twin = practice(), practice()
        self.cycle = self.named = 0
        self.fills: list[Fill] = []
        self.ended: set[str] = set()
        self.step: MarketStep | None = None

    @initialize(prices=st.tuples(*(cents.map(float) for _ in SYMBOLS)))
    def open_market(self, prices: tuple[float, ...]) -> None:
        self.trade([(price, price, 0.0, 0.0, 1.0, 0.0, True) for price in prices])

    @rule(spec=specs, bracket=st.none() | st.tuples(cents, cents))
    def submit(self, spec: OrderSpec, bracket: tuple[Decimal, Decimal] | None) -> None:
        self.named += 1
        name = f"o{self.named}"
        children = None
        if bracket is not None and bracket[0] != bracket[1]:
            children = Bracket(
                stop_price=min(bracket),
                take_price=max(bracket),
                stop_client_order_id=f"{name}-stop",
                take_client_order_id=f"{name}-take",
            )
        before = self.exchange.dump()
        answer = self.exchange.submit(name, spec, self.cycle, children)
        assert answer == self.twin.submit(name, spec, self.cycle, children)
        if isinstance(answer, Refused):
            assert self.exchange.dump() == before
        else:
            again = self.exchange.submit(name, spec, self.cycle, children)
            assert isinstance(again, Refused)
            assert again.code is RefusalCode.DUPLICATE
            assert answer == Accepted(name)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        names = [order.client_order_id for order in self.exchange.open_orders()]
        if names:
            name = data.draw(st.sampled_from(names))
            assert self.exchange.cancel(name, self.cycle)
            assert self.twin.cancel(name, self.cycle)
            self.ended.add(name)

    @rule(drawn=st.lists(bars, min_size=len(SYMBOLS), max_size=len(SYMBOLS)))
    def trade(self, drawn: list[tuple[float, float, float, float, float, float, bool]]) -> None:
        self.cycle += 1
        rows = [(o, max(o, c) + up, min(o, c) - down, c, volume) for o, c, up, down, volume, *_ in drawn]
        close, spread = np.array([row[3] for row in rows]), np.array([bar[5] for bar in drawn])
        trades = np.array([bar[6] for bar in drawn])
        now = self.cycle * BAR_NS
        step = MarketStep(
            self.cycle, now, BAR_NS, SYMBOLS, np.array(rows), close - spread / 2, close + spread / 2, trades
        )
        report = self.exchange.advance(step)
        reborn = practice()
        reborn.load(self.twin.dump())
        reborn._screen = Sleepless(SYMBOLS, reborn._book)
        assert reborn.advance(step) == report
        self.twin = reborn
        self.check_report(step, report)

    def check_report(self, step: MarketStep, report: StepReport) -> None:
        self.fills += report.fills
        for fill in report.fills:
            self.check_price(step, fill)
        volumes = Counter[str]()
        for fill in report.fills:
            volumes[fill.symbol] += int(fill.quantity * 10)
        for row, symbol in enumerate(SYMBOLS):
            allowed = step.ohlcv[row, 4] * 0.25 * 10 if step.has_bar[row] else 0.0
            assert volumes[symbol] <= allowed + 1e-9
        times = [fill.at_ns for fill in report.fills]
        assert times == sorted(times)
        assert all(step.at_ns - BAR_NS <= at_ns <= step.at_ns for at_ns in times)
        for name, state, reason in report.closed:
            assert name not in self.ended, "an order ends once"
            self.ended.add(name)
            order = self.exchange.look_up(name)
            assert order is not None
            assert (order.state, order.reason) == (state, reason)

    def check_price(self, step: MarketStep, fill: Fill) -> None:
        row = SYMBOLS.index(fill.symbol)
        high, low, close = (D(repr(float(step.ohlcv[row, column]))) for column in (1, 2, 3))
        spread = D(repr(float(step.ask[row]))) - D(repr(float(step.bid[row])))
        cost_frac = SLIPPAGE_FRAC_MAX + spread / (2 * close)
        order = self.exchange.look_up(fill.client_order_id)
        assert order is not None
        limit = order.spec.limit_price
        if limit is not None:
            assert fill.side.sign * fill.price <= fill.side.sign * limit
        if fill.liquidity is Liquidity.MAKER:
            assert fill.price == limit
            assert fill.side.sign * (low if fill.side is Side.BUY else high) < fill.side.sign * fill.price
        else:
            assert not order.spec.post_only
            assert low * (1 - cost_frac) - D("0.01") <= fill.price <= high * (1 + cost_frac) + D("0.01")
        rate = D("0.0016") if fill.liquidity is Liquidity.MAKER else D("0.0026")
        assert D(0) <= fill.fee - rate * fill.quantity * fill.price < D("1e-8")

    @invariant()
    def money_is_conserved_to_the_last_decimal(self) -> None:
        expected = dict(OPENING)
        for fill in self.fills:
            base, quote = fill.symbol.split("/")
            expected[base] += fill.side.sign * fill.quantity
            expected[quote] -= fill.side.sign * fill.quantity * fill.price + fill.fee
        assert self.exchange.balances() == expected

    @invariant()
    def nothing_is_owed_and_holds_are_covered(self) -> None:
        ledger = self.exchange._ledger
        needs = {order.pool for order in self.exchange._book.open.values()}
        assert set(ledger.pools()) <= needs, "a hold without an order"
        for currency, total in self.exchange.balances().items():
            held = sum((pool.get(currency, D(0)) for pool in ledger.pools().values()), D(0))
            assert D(0) <= held <= total
            assert ledger.free(currency) == total - held

    @invariant()
    def orders_fill_what_they_ask_and_no_more(self) -> None:
        filled = Counter[str]()
        for fill in self.fills:
            filled[fill.client_order_id] += int(fill.quantity * 10)
        names = {fill.client_order_id for fill in self.fills} | self.ended
        for order in [self.exchange.look_up(name) for name in sorted(names)]:
            assert order is not None
            assert filled[order.client_order_id] == order.filled_quantity * 10
            assert order.filled_quantity <= order.quantity <= order.spec.quantity
            assert (order.state is OrderState.FILLED) == (order.filled_quantity == order.spec.quantity)

    @invariant()
    def the_twin_is_in_the_same_state(self) -> None:
        assert self.twin.dump() == self.exchange.dump()


TestBooks = Books.TestCase
TestBooks.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
