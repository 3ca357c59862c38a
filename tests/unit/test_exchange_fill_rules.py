"""The exchange's named rules besides next_open and ohlc_path."""

import json
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.kernel_words import HOUR_NS, through_desk
from tg_actors.backtest.fills import FillRule
from tg_actors.backtest.kernel import KernelRules, replay
from tg_actors.desk.experiment import Extras
from tg_actors.domain.blocks import Depth
from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Liquidity, OrderSpec, OrderState, OrderType, Protection, TimeInForce
from tg_actors.exchange.config import ExchangeConfig, Intrabar
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.marketplace import Marketplace
from tg_actors.exchange.orders import Accepted, Refused
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange

D = Decimal
SYMBOL = "BTC/USDT"
INSTRUMENT = Instrument(
    symbol=SYMBOL, tick=D("0.01"), lot=D("0.001"), quantity_min=D("0.001"), notional_min=D(0)
)


def config(**changes: Any) -> ExchangeConfig:
    plain: dict[str, Any] = {
        "fees": {"maker_frac": "0", "taker_frac": "0.01"},
        "slippage": {"base_bps": "0", "impact_bps": "0"},
        "volume_frac_max": "1",
    }
    return ExchangeConfig.model_validate_json(json.dumps(plain | changes))


def exchange(cash: str = "1000", **changes: Any) -> PracticeExchange:
    return PracticeExchange([INSTRUMENT], config(**changes), {"USDT": D(cash), "BTC": D(5)}, "test")


def step(cycle: int, *, traded: bool = True, depth: Depth | None = None, volume: float = 100) -> MarketStep:
    return MarketStep(
        cycle,
        (cycle + 1) * HOUR_NS,
        HOUR_NS,
        (SYMBOL,),
        np.array([[100.0, 110.0, 90.0, 104.0, volume]]),
        np.array([103.0]),
        np.array([105.0]),
        np.array([traded]),
        depth,
    )


def market_order(quantity: str, side: Side = Side.BUY, tif: TimeInForce = TimeInForce.IOC) -> OrderSpec:
    return OrderSpec(
        symbol=SYMBOL, side=side, order_type=OrderType.MARKET, quantity=D(quantity), time_in_force=tif
    )


def book(bids: list[tuple[float, float]], asks: list[tuple[float, float]]) -> Depth:
    price, size = np.full((1, 2, 3), np.nan), np.full((1, 2, 3), np.nan)
    for side, levels in enumerate((bids, asks)):
        for k, (at, how_much) in enumerate(levels):
            price[0, side, k], size[0, side, k] = at, how_much
    return Depth(price, size, np.array([1], dtype=np.int64), (), np.empty((1, 0)))


def test_signal_close_fills_at_the_close_and_tells_with_the_next_bar() -> None:
    floor = exchange(fill_rule="signal_close")
    floor.advance(step(0))
    assert isinstance(floor.submit("a", market_order("1"), 7), Accepted)
    shown = floor.look_up("a")
    assert shown is not None
    assert shown.state is OrderState.FILLED
    assert floor.balances()["USDT"] == D(1000) - D(105) * D("1.01")
    told = floor.advance(step(1)).fills
    assert [(fill.price, fill.at_ns) for fill in told] == [(D(105), 7)]
    assert floor.advance(step(2)).fills == ()


def test_signal_close_takes_no_more_than_the_bar_traded() -> None:
    floor = exchange(fill_rule="signal_close", volume_frac_max="0.5")
    floor.advance(step(0, volume=4))
    floor.submit("a", market_order("1.5"), 1)
    floor.submit("b", market_order("1.5"), 1)
    assert [fill.quantity for fill in floor.advance(step(1)).fills] == [D("1.5"), D("0.5")]


def test_at_the_close_buys_and_sells_share_what_the_bar_traded() -> None:
    floor = exchange(fill_rule="signal_close", volume_frac_max="0.5")
    floor.advance(step(0, volume=4))
    floor.submit("a", market_order("1.5"), 1)
    floor.submit("b", market_order("1.5", Side.SELL), 1)
    assert [fill.quantity for fill in floor.advance(step(1)).fills] == [D("1.5"), D("0.5")]


def test_what_did_not_trade_in_this_cycle_has_no_close_to_fill_at() -> None:
    floor = exchange(fill_rule="signal_close")
    floor.advance(step(0))
    floor.advance(step(1, traded=False))
    answer = floor.submit("a", market_order("1"), 1)
    assert isinstance(answer, Refused)
    assert "shows nothing" in answer.detail


def test_book_walk_pays_level_by_level_and_sells_no_level_twice() -> None:
    floor = exchange("10000", fill_rule="book_walk")
    floor.advance(step(0, depth=book([(103.0, 1.0)], [(105.0, 1.0), (107.0, 2.0)])))
    floor.submit("a", market_order("2"), 1)
    floor.submit("b", market_order("2"), 1)
    floor.submit("c", market_order("3", Side.SELL), 1)
    fills = floor.advance(step(1)).fills
    assert [(fill.quantity, fill.price) for fill in fills] == [(D(2), D(106)), (D(1), D(107)), (D(1), D(103))]
    ended = floor.look_up("b")
    assert ended is not None
    assert ended.state is OrderState.CANCELED


def test_without_a_book_there_is_nothing_to_walk() -> None:
    floor = exchange(fill_rule="book_walk")
    floor.advance(step(0))
    assert isinstance(floor.submit("a", market_order("1"), 1), Refused)


def test_without_a_cap_any_size_fills_at_full_impact() -> None:
    floor = exchange("1000000", volume_frac_max=None, slippage={"base_bps": "0", "impact_bps": "100"})
    floor.advance(step(0))
    floor.submit("a", market_order("500"), 1)
    (fill,) = floor.advance(step(1)).fills
    assert fill.quantity == 500
    half_spread = D(1) / D(104)
    assert fill.price == (D(100) * (1 + half_spread + D("0.01"))).quantize(D("0.01"), "ROUND_CEILING")


def test_funds_at_fill_cut_a_buy_to_what_the_cash_covers() -> None:
    strict, lenient = exchange(funds="held"), exchange(funds="at_fill")
    for floor, kind in ((strict, Refused), (lenient, Accepted)):
        floor.advance(step(0))
        assert isinstance(floor.submit("a", market_order("20"), 1), kind)
    (fill,) = lenient.advance(step(1)).fills
    assert fill.quantity == (D(1000) / (fill.price * D("1.01"))).quantize(D("0.001"), "ROUND_FLOOR")


@pytest.mark.parametrize(("intrabar", "leg_price"), [(Intrabar.OHLC_PATH, 110.0), (Intrabar.LOW_FIRST, 95.0)])
def test_low_first_meets_the_stop_before_the_take(intrabar: Intrabar, leg_price: float) -> None:
    falling = [100.0, 111.0, 94.0, 99.0, 50.0]  # closes below its open: ohlc_path goes up first
    ohlcv = np.array([[100.0, 100.0, 100.0, 100.0, 50.0], [100.0, 100.0, 100.0, 100.0, 50.0], falling])
    extras = Extras(Protection(stop_frac=D("0.05"), take_frac=D("0.10")), intrabar)
    done = through_desk(ohlcv, np.array([0.5, 0.5, 0.5]), KernelRules(), extras=extras)
    assert done.fills["price"].tolist() == [100.0, leg_price]
    assert done.quantity == 0


def test_the_desk_walks_the_book_that_it_was_shown() -> None:
    flat = np.full((3, 5), 100.0)
    shown = book([(99.0, 5.0)], [(101.0, 2.0), (102.0, 4.0), (103.0, 1.0)])
    rules = KernelRules(fill=FillRule.BOOK_WALK)
    done = through_desk(flat, np.array([0.05, 1.0, 0.0]), rules, 1_000, depth=lambda _: shown)
    assert done.fills["bar"].tolist() == [0, 1, 2]
    assert done.fills["quantity"].tolist() == pytest.approx([0.5, 7, -5])
    first, second, third = done.fills["price"].tolist()
    assert (first, third) == (101, 99)
    assert second == pytest.approx((2 * 101 + 4 * 102 + 103) / 7)
    assert done.quantity == pytest.approx(2.5)


def late(ms: int) -> PracticeExchange:
    floor = exchange("100000", latency_ms=ms, slippage={"base_bps": "0", "impact_bps": "0"})
    floor.advance(step(0))
    return floor


@pytest.mark.parametrize(
    ("minutes", "mid", "cycle"),
    [
        (0, "100", 1),
        (10, "95", 1),
        (20, "90", 1),
        (30, "100", 1),
        (50, "107", 1),
        (60, "104", 1),
        (70, "95", 2),
    ],
)
def test_a_late_order_meets_the_path_where_it_is_by_then(minutes: int, mid: str, cycle: int) -> None:
    floor = late(minutes * 60_000)
    floor.submit("a", market_order("1"), HOUR_NS)  # as the bar closes: open 100, low 90, high 110, close 104
    told = [fill for at in (1, 2) for fill in floor.advance(step(at)).fills]
    (fill,) = told
    shown = floor.look_up("a")
    assert shown is not None
    assert shown.state is OrderState.FILLED
    expected = D(mid) * (1 + D(1) / D(104))
    assert fill.price == expected.quantize(D("0.01"), "ROUND_CEILING")
    assert (fill.at_ns - 1) // HOUR_NS == cycle or minutes == 0


def test_a_late_stop_does_not_see_what_was_before_it() -> None:
    spec = OrderSpec(
        symbol=SYMBOL, side=Side.SELL, order_type=OrderType.STOP, quantity=D(1), stop_price=D(95)
    )
    for minutes, fills in ((0, 1), (15, 1), (25, 1), (31, 0)):
        floor = late(minutes * 60_000)
        floor.submit("a", spec, HOUR_NS)
        assert len(floor.advance(step(1)).fills) == fills


def test_a_late_limit_takes_what_it_finds() -> None:
    floor = late(10 * 60_000)
    spec = OrderSpec(
        symbol=SYMBOL, side=Side.BUY, order_type=OrderType.LIMIT, quantity=D(1), limit_price=D(99)
    )
    floor.submit("a", spec, HOUR_NS)
    (fill,) = floor.advance(step(1)).fills
    assert fill.price == (D(95) * (1 + D(1) / D(104))).quantize(D("0.01"), "ROUND_CEILING")
    assert fill.liquidity is Liquidity.TAKER


def test_what_fills_at_once_has_no_latency() -> None:
    with pytest.raises(ValidationError, match="latency_ms"):
        config(fill_rule="signal_close", latency_ms=5)


def test_a_marketplace_fills_by_its_own_rules() -> None:
    with pytest.raises(UserError, match="signal_close"):
        Marketplace([INSTRUMENT], config(fill_rule="signal_close"))


def test_funds_at_fill_are_not_for_margin() -> None:
    margin = {"leverage_max": "2", "call_level": "1.5", "liquidation_level": "1.1"}
    with pytest.raises(ValidationError, match="at_fill"):
        config(funds="at_fill", margin=margin)


def test_an_experiment_says_what_it_cannot_do() -> None:
    flat, one = np.full((3, 5), 10.0), np.array([0.0, -0.5, 0.0])
    with pytest.raises(UserError, match="bar 2 is short"):
        through_desk(flat, one, KernelRules())
    with pytest.raises(ValueError, match="one for each"):
        through_desk(flat, one[:2], KernelRules(fill=FillRule.SIGNAL_CLOSE))


@pytest.mark.parametrize("cash", ["1.00000001", "7.3", "1000"])
def test_of_a_cheap_coin_a_buy_is_cut_by_more_than_a_lot_when_the_fee_is_rounded_up(cash: str) -> None:
    coin = INSTRUMENT.model_copy(update={"tick": D("1E-8"), "lot": D("1E-8"), "quantity_min": D("1E-8")})
    tariff = Tariff(config(fees={"maker_frac": "0", "taker_frac": "0.0026"}))
    price = D("0.07123457")
    quantity = tariff.affordable(coin, D(10**9), price, Liquidity.TAKER, D(cash))
    cost = quantity * price + tariff.fee(quantity * price, Liquidity.TAKER)
    assert D(cash) - D("2E-8") <= cost <= D(cash)


def test_the_desk_buys_cheap_coins_with_all_it_has() -> None:
    bars = np.tile([1.0234567e-4, 1.1e-4, 0.9e-4, 1.0345678e-4, 1e9], (6, 1))
    targets = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    done = through_desk(bars, targets, KernelRules(fee_frac=0.001), 2405.17)
    kernel = replay(bars[:, 0], bars[:, 3], targets, KernelRules(fee_frac=0.001), 2405.17)
    assert done.final_equity == pytest.approx(kernel.final_equity, rel=1e-9)
    assert len(done.fills) == len(kernel.fills) == 3
