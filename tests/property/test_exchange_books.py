"""Laws of the practice exchange under arbitrary orders, cancels, brackets and bars.

Beside the exchange under test runs a twin that is rebuilt from its checkpoint before every step
and walks every instrument in every bar, without the screen: both must always say the same.
"""

from collections import Counter
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.exchange_strategies import (
    BAR_NS,
    INSTRUMENTS,
    SYMBOLS,
    Bar,
    D,
    bars,
    cents,
    specs,
    step_of,
)
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Fill, Liquidity, OrderSpec, OrderState
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.orders import Accepted, Bracket, RefusalCode, Refused, StepReport
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.exchange.quotes import Alignment
from tg_actors.exchange.screen import Screen

OPENING = {"BTC": D(5), "USDT": D(1000), "XRP": D(5)}
CONFIG = ExchangeConfig.model_validate_json(
    '{"fees": {"maker_frac": "0.0016", "taker_frac": "0.0026"},'
    ' "slippage": {"base_bps": "3", "impact_bps": "20"}, "volume_frac_max": "0.25"}'
)
#: Worst slippage at the participation cap: 3 + 20 * 0.25 bps.
SLIPPAGE_FRAC_MAX = D("0.0008")


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
            assert (type(answer), answer.client_order_id) == (Accepted, name)

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        names = [order.client_order_id for order in self.exchange.open_orders()]
        if names:
            name = data.draw(st.sampled_from(names))
            assert self.exchange.cancel(name, self.cycle)
            assert self.twin.cancel(name, self.cycle)
            self.ended.add(name)

    @rule(drawn=st.lists(bars, min_size=len(SYMBOLS), max_size=len(SYMBOLS)))
    def trade(self, drawn: list[Bar]) -> None:
        self.cycle += 1
        step = step_of(self.cycle, drawn)
        report = self.exchange.advance(step)
        reborn = practice()
        reborn.load(self.twin.dump())
        reborn._seat.screen = Sleepless(SYMBOLS, reborn._seat.book)
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
        ledger = self.exchange._seat.ledger
        needs = {order.pool for order in self.exchange._seat.book.open.values()}
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
