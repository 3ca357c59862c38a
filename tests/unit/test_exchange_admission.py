"""What the practice exchange refuses, why, and what it needs to hold for what it takes."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import OrderSpec, OrderType, TimeInForce
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.orders import Accepted, Bracket, RefusalCode, Refused
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange

D = Decimal
CONFIG = ExchangeConfig.model_validate_json(
    '{"fees": {"maker_frac": "0.001", "taker_frac": "0.002"},'
    ' "slippage": {"base_bps": "1", "impact_bps": "20"}, "volume_frac_max": "0.1"}'
)
SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT")


def instrument(symbol: str) -> Instrument:
    return Instrument(symbol=symbol, tick=D("0.01"), lot=D("0.01"), quantity_min=D("0.02"), notional_min=D(5))


@pytest.fixture
def exchange() -> PracticeExchange:
    """BTC at 100 with a spread of 1, nothing known of SOL; 1000 USDT, 2 BTC, no ETH."""
    balances = {"USDT": D(1000), "BTC": D(2), "ETH": D(0)}
    practice = PracticeExchange([instrument(symbol) for symbol in SYMBOLS], CONFIG, balances, "acc")
    bars = np.tile([100.0, 100.0, 100.0, 100.0, 50.0], (4, 1))
    trades = np.array([True, True, True, False])
    practice.advance(MarketStep(1, 60, 60, SYMBOLS, bars, np.full(4, 99.5), np.full(4, 100.5), trades))
    return practice


def spec(**fields: Any) -> OrderSpec:
    wish = {"symbol": "BTC/USDT", "side": Side.BUY, "order_type": OrderType.MARKET, "quantity": D(1)}
    return OrderSpec(**{**wish, **fields})


LIMIT = {"order_type": OrderType.LIMIT, "limit_price": D(90)}
STOP = {"order_type": OrderType.STOP, "stop_price": D(90), "side": Side.SELL}
REFUSALS: list[tuple[RefusalCode, dict[str, Any]]] = [
    (RefusalCode.UNKNOWN_SYMBOL, {"symbol": "XRP/USDT"}),
    (RefusalCode.LOT_SIZE, {"quantity": D("1.005")}),
    (RefusalCode.TICK_SIZE, LIMIT | {"limit_price": D("90.001")}),
    (RefusalCode.TICK_SIZE, STOP | {"stop_price": D("90.001")}),
    (RefusalCode.NO_MARKET, {"symbol": "SOL/USDT"}),
    (
        RefusalCode.NO_MARKET,
        {"symbol": "SOL/USDT", "order_type": OrderType.TRAILING_STOP, "trail_frac": D("0.1")},
    ),
    (RefusalCode.BELOW_MINIMUM, {"quantity": D("0.01")}),
    (RefusalCode.BELOW_MINIMUM, {"quantity": D("0.04")}),
    (RefusalCode.BELOW_MINIMUM, LIMIT | {"quantity": D("0.05")}),
    (RefusalCode.POST_ONLY_UNSUITABLE, {"post_only": True}),
    (RefusalCode.POST_ONLY_UNSUITABLE, LIMIT | {"post_only": True, "time_in_force": TimeInForce.IOC}),
    (RefusalCode.POST_ONLY_WOULD_CROSS, LIMIT | {"post_only": True, "limit_price": D("100.5")}),
    (
        RefusalCode.POST_ONLY_WOULD_CROSS,
        LIMIT | {"post_only": True, "limit_price": D("99.5"), "side": Side.SELL},
    ),
    (RefusalCode.NOTHING_TO_REDUCE, {"reduce_only": True}),
    (RefusalCode.NOTHING_TO_REDUCE, {"reduce_only": True, "side": Side.SELL, "symbol": "ETH/USDT"}),
    (RefusalCode.INSUFFICIENT_FUNDS, {"quantity": D(10)}),
    (RefusalCode.INSUFFICIENT_FUNDS, LIMIT | {"quantity": D("11.09")}),
    (RefusalCode.INSUFFICIENT_FUNDS, {"side": Side.SELL, "quantity": D("2.01")}),
]


@pytest.mark.parametrize(("code", "fields"), REFUSALS)
def test_refuses_and_changes_nothing(
    exchange: PracticeExchange, code: RefusalCode, fields: dict[str, Any]
) -> None:
    before = exchange.dump()
    answer = exchange.submit("x", spec(**fields), 60)
    assert isinstance(answer, Refused)
    assert (answer.client_order_id, answer.code) == ("x", code)
    assert answer.detail
    assert exchange.dump() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"quantity": D("9.92")},  # 100 * 1.005 * 1.0003 on the tick: 100.54, with the fee 100.74108
        LIMIT | {"quantity": D("11.08")},  # 90 with the fee: 90.18
        LIMIT | {"post_only": True, "limit_price": D("100.49")},
        STOP | {"quantity": D(2)},
        {"side": Side.SELL, "quantity": D(5), "reduce_only": True},
        LIMIT | {"symbol": "SOL/USDT"},
    ],
)
def test_accepts_up_to_the_last_lot(exchange: PracticeExchange, fields: dict[str, Any]) -> None:
    assert exchange.submit("x", spec(**fields), 60) == Accepted("x", 1)


def test_an_id_is_taken_while_open_and_after(exchange: PracticeExchange) -> None:
    exchange.submit("x", spec(**LIMIT), 60)
    for _ in range(2):
        again = exchange.submit("x", spec(**LIMIT), 60)
        assert isinstance(again, Refused)
        assert again.code is RefusalCode.DUPLICATE
        exchange.cancel("x", 60)


def test_children_of_a_bracket_reserve_their_ids(exchange: PracticeExchange) -> None:
    bracket = Bracket(stop_price=D(80), stop_client_order_id="x-stop")
    exchange.submit("x", spec(**LIMIT), 60, bracket)
    for client_id, children in (("x-stop", None), ("y", bracket), ("x-new", bracket)):
        answer = exchange.submit(client_id, spec(**LIMIT), 60, children)
        assert isinstance(answer, Refused)
        assert answer.code is RefusalCode.DUPLICATE


@pytest.mark.parametrize(
    ("fields", "stop_price", "code"),
    [
        ({"side": Side.SELL}, D(80), RefusalCode.BRACKET_INVALID),
        ({}, D("80.001"), RefusalCode.TICK_SIZE),
    ],
)
def test_refuses_a_bracket_that_protects_nothing(
    exchange: PracticeExchange, fields: dict[str, Any], stop_price: Decimal, code: RefusalCode
) -> None:
    bracket = Bracket(stop_price=stop_price, stop_client_order_id="x-stop")
    answer = exchange.submit("x", spec(**fields), 60, bracket)
    assert isinstance(answer, Refused)
    assert answer.code is code


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"take_price": D(120)}, "together or neither"),
        ({"take_client_order_id": "t"}, "together or neither"),
        ({"take_price": D(80), "take_client_order_id": "t"}, "above stop_price"),
        ({"take_price": D(120), "take_client_order_id": "s"}, "two client order ids"),
    ],
)
def test_bracket_refuses_halves_and_contradictions(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Bracket(stop_price=D(80), stop_client_order_id="s", **fields)


def test_oco_siblings_share_one_hold_but_one_instrument(exchange: PracticeExchange) -> None:
    whole = {"quantity": D(2), "oco_group": "g"}
    assert isinstance(exchange.submit("stop", spec(**STOP | whole), 60), Accepted)
    take = {"order_type": OrderType.TAKE_PROFIT, "stop_price": D(110), "side": Side.SELL}
    assert isinstance(exchange.submit("take", spec(**take | whole), 60), Accepted)
    other = exchange.submit("eth", spec(symbol="ETH/USDT", oco_group="g"), 60)
    assert isinstance(other, Refused)
    assert other.code is RefusalCode.OCO_MISMATCH
    third = exchange.submit("more", spec(**STOP), 60)
    assert isinstance(third, Refused)
    assert third.code is RefusalCode.INSUFFICIENT_FUNDS


def test_reduce_only_leaves_alone_what_another_order_holds(exchange: PracticeExchange) -> None:
    # 1.5 of 2 BTC are held to buy ETH, so the stop can sell 0.5 and keeps waiting for the rest.
    buy = {"symbol": "ETH/BTC", "order_type": OrderType.LIMIT, "limit_price": D("0.5"), "quantity": D("10")}
    assert isinstance(exchange.submit("buy", spec(**buy), 60), Refused)
    assert isinstance(exchange.submit("sell", spec(**LIMIT, side=Side.SELL, quantity=D("1.5")), 60), Accepted)
    exchange.cancel("sell", 60)
    resting = {"order_type": OrderType.LIMIT, "limit_price": D(150), "side": Side.SELL, "quantity": D("1.5")}
    assert isinstance(exchange.submit("rest", spec(**resting), 60), Accepted)
    assert isinstance(
        exchange.submit("out", spec(side=Side.SELL, quantity=D(2), reduce_only=True), 60), Accepted
    )
    bars = np.tile([100.0, 100.0, 100.0, 100.0, 50.0], (4, 1))
    book, trades = np.full(4, 100.0), np.ones(4, dtype=bool)
    report = exchange.advance(MarketStep(2, 120, 60, SYMBOLS, bars, book, book, trades))
    assert [fill.quantity for fill in report.fills] == [D("0.5")]
    assert [order.client_order_id for order in exchange.open_orders()] == ["rest", "out"]
