"""A flatten closes everything once, and is done only when nothing is left."""

from decimal import Decimal
from pathlib import Path

from tests.desk_words import OPENING, SYMBOLS, UP, XRP, Scene, says
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg, OrderState, TradingState

BUY = says({0: {XRP: UP}})


def test_flatten_closes_everything_and_leaves_nothing_at_the_venue(tmp_path: Path) -> None:
    with Scene(script=says({0: dict.fromkeys(SYMBOLS, UP)})).open(tmp_path) as desk:
        desk.run_to(2)
        assert desk.held.keys() == set(SYMBOLS)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "enough", "a person", 0)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        desk.run_to(4)
        assert desk.held == {}
        assert [order.state for order in desk.orders(Leg.FLATTEN)] == [OrderState.FILLED] * 3
        assert desk.journal.orders(live_only=True) == []


def test_a_flatten_repeated_sells_nothing_twice(tmp_path: Path) -> None:
    with Scene(script=BUY).open(tmp_path) as desk:
        desk.run_to(2)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "flatten", "a person", 0)
        for _ in range(3):
            desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        desk.run_to(4)
        assert len(desk.orders(Leg.FLATTEN)) == 1
        assert desk.held == {}
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []


def test_a_flatten_closes_what_a_partial_exit_leaves_and_is_done_only_then(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}})
    with Scene(script=script).open(tmp_path) as desk:
        desk.run_to(3)
        assert [order.is_live for order in desk.orders(Leg.EXIT)] == [True]
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, "flatten", "a person", 0)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        assert len(desk.journal.pending_requests()) == 1
        desk.run_to(5)
        assert desk.held == {}
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []


def test_a_flatten_ends_when_a_person_resumes(tmp_path: Path) -> None:
    with Scene(script=BUY).open(tmp_path) as desk:
        desk.run_to(2)
        desk.journal.request("flatten", "", "a person")
        desk.coordinator.obey()
        assert desk.journal.pending_requests() == []
        assert desk.orders(Leg.FLATTEN) == []


def _falling(*prices: float, **limits: Decimal) -> Scene:
    """XRP is bought and falls, its stop far away; every instrument is wanted from cycle 3 on."""
    return Scene(
        script=says({0: {XRP: UP}, 1: {}, 2: {}}, otherwise=dict.fromkeys(SYMBOLS, UP)),
        paths={s: [OPENING[s]] * 40 for s in SYMBOLS} | {XRP: [*prices, *[prices[-1]] * (40 - len(prices))]},
        risk={**limits, "drawdown_action": "flatten", "stop_atr_multiple": Decimal(40)},
    )


def test_a_drawdown_is_flattened_where_the_desk_says_so_and_stays_flat(tmp_path: Path) -> None:
    scene = _falling(0.5, 0.5, 0.5, 0.45, drawdown_frac_max=Decimal("0.005"))
    with scene.open(tmp_path) as desk:
        desk.run_to(3)
        assert desk.journal.trading_state() is TradingState.REDUCE_ONLY
        assert set(desk.denials(3)) <= {DenialCode.DRAWDOWN_LIMIT}
        desk.run_to(31)
        assert {order.intent.spec.symbol for order in desk.orders(Leg.EXIT)} == {XRP}
        assert desk.reports[-1].settlement.account.positions == {}
        # Over midnight too: this is no daily loss.
        assert desk.journal.trading_state() is TradingState.REDUCE_ONLY
        assert len(desk.orders(Leg.ENTRY)) == 1


def test_a_drawdown_after_a_daily_loss_says_what_holds_the_desk_back(tmp_path: Path) -> None:
    limits = {"daily_loss_frac_max": Decimal("0.0008"), "drawdown_frac_max": Decimal("0.005")}
    with _falling(0.5, 0.5, 0.5, 0.495, 0.45, **limits).open(tmp_path) as desk:
        desk.run_to(3)
        assert desk.journal.control().reason.startswith("DAILY_LOSS_LIMIT")
        desk.run_to(4)
        assert desk.journal.control().reason.startswith("DRAWDOWN_LIMIT"), "tomorrow it will not be over"
        desk.run_to(31)
        assert desk.journal.trading_state() is TradingState.REDUCE_ONLY
