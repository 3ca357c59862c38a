"""State machines: an order, its ledger, approvals, and an executor at the end of a bad line."""

import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.desk_words import BAR_NS, FLAT, UP, XRP, XRP_BTC, Desk, Scene
from tests.execution_words import HandClock
from tests.faulty_venue import Fate, FaultyVenue
from tests.journal_words import a_fill, an_intent, an_order
from tg_actors.desk.history import rebuilt_books
from tg_actors.domain.approvals import MOVES, ApprovalState
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import TERMINAL_STATES, Leg, OrderState, TradingState
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.execution.ledger import advance, apply_fill
from tg_actors.execution.machine import TABLE, InvalidTransition, OrderEvent
from tg_actors.execution.venues.port import VenueNews
from tg_actors.journal.verify import verify

#: What the machine's table promises, said in another way: from where one can get where at all.
_FILLS = frozenset({OrderEvent.FILL, OrderEvent.FILL_LAST})


class OrderLife(RuleBasedStateMachine):
    """One order through any sequence of facts: it never leaves its end, and its sums are its fills."""

    def __init__(self) -> None:
        super().__init__()
        self.order = an_order(an_intent(), OrderState.PROPOSED)
        self.filled, self.paid, self.fees = ZERO, ZERO, ZERO
        self.trades = 0

    @rule(event=st.sampled_from([e for e in OrderEvent if e not in _FILLS]))
    def happen(self, event: OrderEvent) -> None:
        before = self.order
        if (before.state, event) in TABLE:
            self.order = advance(before, event, event.value)
            assert self.order.reason == event.value
            assert before.state not in TERMINAL_STATES
        else:
            with pytest.raises(InvalidTransition):
                advance(before, event)

    @precondition(lambda self: (self.order.state, OrderEvent.FILL) in TABLE)
    @rule(hundredths=st.integers(1, 40), cents=st.integers(1, 10**7))
    def fill(self, hundredths: int, cents: int) -> None:
        self.trades += 1
        quantity, price = Decimal(hundredths) / 100, Decimal(cents) / 100
        fill = a_fill(self.order.intent, f"t{self.trades}", str(quantity)).model_copy(
            update={"price": price, "fee": price / 1000}
        )
        was_terminal = self.order.state in TERMINAL_STATES
        state = self.order.state
        self.order, late = apply_fill(self.order, fill)
        self.filled, self.paid = self.filled + quantity, self.paid + quantity * price
        self.fees += fill.fee
        assert late is was_terminal
        if late:
            assert self.order.state is state
        elif self.filled >= self.order.intent.spec.quantity:
            assert self.order.state is OrderState.FILLED

    @invariant()
    def sums_are_those_of_the_fills(self) -> None:
        assert self.order.filled_quantity == self.filled
        assert self.order.fees == self.fees
        if self.filled:
            assert self.order.average_price is not None
            assert abs(self.order.average_price * self.filled - self.paid) < Decimal("1e-20")


_PRICES = {"BTC/USDT": 40_000.0, XRP: 0.5, XRP_BTC: 0.0000125}
_VIEWS = st.sampled_from([UP, (0.5, 1.0), FLAT])


class ExecutorLife(RuleBasedStateMachine):
    """An executor between a market, a person, and a venue that loses messages; both may die any time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.venue = FaultyVenue()
        self.clock = HandClock()
        self.wants: dict[str, tuple[float, float]] = {}
        self.desk: Desk
        self.drifted = False

    @initialize(
        oco=st.booleans(), held=st.booleans(), remote=st.booleans(), above=st.sampled_from([None, "0"])
    )
    def start(self, *, oco: bool, held: bool, remote: bool, above: str | None) -> None:
        self.venue.capabilities = self.venue.capabilities.model_copy(
            update={"oco": oco, "stops_hold_balance": held}
        )
        self.venue.is_remote = remote
        self.scene = replace(
            Scene(script=lambda _: self.wants, open_venue=self.venue.open),
            paths={symbol: [price] * 60 for symbol, price in _PRICES.items()},
            executor={"approval": ApprovalPolicy(above_notional=None if above is None else Decimal(above))},
            clock=self.clock,
            wall_ns=self.clock.wall_ns,
        )
        self.desk = self.scene.open(Path(self.folder.name))

    @rule(views=st.fixed_dictionaries({}, optional={XRP: _VIEWS, XRP_BTC: _VIEWS}))
    def decide(self, views: dict[str, Any]) -> None:
        self.wants = views
        self.desk.run(1)

    @rule(seconds=st.integers(1, 70), late_bars=st.sampled_from([0.0, 0.0, 0.01, 0.9, 1.5]))
    def tend(self, seconds: int, late_bars: float) -> None:
        self.clock.wait(seconds)
        self.clock.late_ns = int(late_bars * BAR_NS)
        self.desk.executor.tend(self.desk.executor.at_ns)
        self.clock.late_ns = 0

    @rule(
        post=st.sampled_from([Fate.ARRIVES, Fate.ANSWER_LOST, Fate.MESSAGE_LOST, Fate.REFUSED]),
        cancel=st.sampled_from([Fate.ARRIVES, Fate.ANSWER_LOST, Fate.MESSAGE_LOST]),
        silent=st.sets(st.sampled_from(["look_up", "trades", "balances", "open_orders", "poll", "clock"])),
        repeats=st.booleans(),
        holds_back=st.booleans(),
    )
    def brew(self, post: Fate, cancel: Fate, silent: set[str], *, repeats: bool, holds_back: bool) -> None:
        self.venue.post_fate = lambda _: post
        self.venue.cancel_fate = lambda: cancel
        self.venue.silent = silent
        self.venue.repeats_itself = repeats
        self.venue.holds_fills_back = lambda _: holds_back

    @rule()
    def die(self) -> None:
        self.desk.journal.close()
        self.desk = self.scene.open(Path(self.folder.name))

    @rule(word=st.sampled_from(["grant", "refuse"]), twice=st.booleans())
    def speak(self, word: str, *, twice: bool) -> None:
        journal = self.desk.journal
        for approval in journal.approvals():
            before = approval.state
            for _ in range(1 + twice):
                try:
                    if word == "grant":
                        journal.approve(approval.intent.intent_id, "ada")
                    else:
                        journal.reject(approval.intent.intent_id, "ada", "no")
                except UserError:
                    continue
            [after] = [a.state for a in journal.approvals() if a.intent == approval.intent]
            assert after is before or after in MOVES[before]

    @rule()
    def early_news(self) -> None:
        if "poll" not in self.venue.silent:
            self.venue.news = VenueNews(fills=tuple(self.venue.exchange.trades()))

    @rule(state=st.sampled_from([TradingState.HALTED, TradingState.REDUCE_ONLY, TradingState.ACTIVE]))
    def switch(self, state: TradingState) -> None:
        self.desk.journal.set_trading_state(state, "by hand", "ada", 0)

    @invariant()
    def nothing_was_sent_twice_or_without_a_permit(self) -> None:
        assert max(self.venue.posts.values(), default=1) == 1
        assert len(self.venue.posts) <= len(self.desk.journal.permits())

    @invariant()
    def approvals_and_permits_agree(self) -> None:
        journal = self.desk.journal
        permitted = {permit.intent_id for permit in journal.permits()}
        for approval in journal.approvals():
            assert (approval.state is ApprovalState.USED) is (approval.intent.intent_id in permitted)

    @invariant()
    def nobody_halts_but_a_person(self) -> None:
        control = self.desk.journal.control()
        assert control.actor in {"", "ada"}, control.reason

    def teardown(self) -> None:
        """A quiet phase: faults off, and everything must be found."""
        try:
            self.brew(Fate.ARRIVES, Fate.ARRIVES, set(), repeats=False, holds_back=False)
            self.wants = {}
            for _ in range(4):
                self.desk.run(1)
                self.tend(70, 0.0)
            self._is_whole()
        finally:
            self.desk.journal.close()
            self.folder.cleanup()

    def _is_whole(self) -> None:
        journal, exchange = self.desk.journal, self.venue.exchange
        assert verify(journal).problems == ()
        books = rebuilt_books(journal)
        held = exchange.balances()
        for currency, amount in books.expected_balances().items():
            assert held.get(currency, ZERO) == amount, currency
        assert {f.trade_id for f in journal.fills()} == {f.trade_id for f in exchange.trades()} | {
            f.trade_id for f in journal.fills()
        }
        resting = {order.client_order_id for order in exchange.open_orders()}
        assert {order.client_order_id for order in journal.orders(live_only=True)} == resting
        for symbol, position in books.positions.items():
            stops = [
                o
                for o in journal.orders(live_only=True)
                if o.intent.leg is Leg.STOP and o.intent.spec.symbol == symbol
            ]
            assert position.quantity >= ZERO
            assert sum((o.remaining for o in stops), ZERO) <= position.quantity
            if journal.trading_state() is TradingState.ACTIVE and position.quantity:
                assert len(stops) == 1, f"{symbol} is held without its stop"


OrderLife.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
ExecutorLife.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)

test_an_order_lives_as_its_table_says = pytest.mark.timeout(120)(OrderLife.TestCase)
test_an_executor_finds_everything_again = pytest.mark.timeout(240)(ExecutorLife.TestCase)
