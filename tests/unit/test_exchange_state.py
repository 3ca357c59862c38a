"""Checkpoints, steps that cannot be, and what the exchange remembers."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.orders import Refused
from tg_actors.exchange.path import BarPath, MarketStep
from tg_actors.exchange.practice import FILLS_KEPT, PracticeExchange

D = Decimal
CONFIG = ExchangeConfig.model_validate_json(
    '{"fees": {"maker_frac": "0", "taker_frac": "0"},'
    ' "slippage": {"base_bps": "0", "impact_bps": "0"}, "volume_frac_max": "1"}'
)
BTC = Instrument(symbol="BTC/USDT", tick=D("0.01"), lot=D("0.01"), quantity_min=D("0.01"), notional_min=D(0))
ETH = BTC.model_copy(update={"symbol": "ETH/USDT"})
BUY = OrderSpec(symbol="BTC/USDT", side=Side.BUY, order_type=OrderType.MARKET, quantity=D("0.01"))
REST = OrderSpec(
    symbol="BTC/USDT", side=Side.BUY, order_type=OrderType.LIMIT, quantity=D(1), limit_price=D(50)
)


def practice(*instruments: Instrument, account: str = "acc") -> PracticeExchange:
    return PracticeExchange(instruments or (BTC, ETH), CONFIG, {"USDT": D(1000)}, account)


def step(cycle: int, symbols: tuple[str, ...] = ("BTC/USDT",), price: float = 100.0) -> MarketStep:
    n = len(symbols)
    bars = np.tile([price, price, price, price, 10.0], (n, 1))
    book = np.full(n, price)
    return MarketStep(cycle, cycle * 60, 60, symbols, bars, book, book, np.ones(n, dtype=bool))


def traded() -> PracticeExchange:
    exchange = practice()
    exchange.advance(step(1))
    exchange.submit("a", BUY, 60)
    exchange.submit("rest", REST, 60)
    exchange.advance(step(2))
    return exchange


def test_a_restored_exchange_shows_the_same_and_acts_the_same() -> None:
    first, second = traded(), practice()
    second.load(first.dump())
    assert second.dump() == first.dump()
    assert second.balances() == first.balances()
    assert second.trades() == first.trades()
    assert second.open_orders() == first.open_orders()
    assert second.look_up("a") == first.look_up("a")
    for exchange in (first, second):
        exchange.submit("b", BUY, 120)
    assert first.advance(step(3, price=49.0)) == second.advance(step(3, price=49.0))
    assert second.dump() == first.dump()


@pytest.mark.parametrize(
    ("target", "raw", "sentence"),
    [
        (practice(), b"{", "damaged at the text"),
        (practice(), traded().dump().replace(b'"account":"acc"', b'"account":1'), "damaged at account"),
        (practice(), traded().dump().replace(b'"version":2', b'"version":9'), "version 9"),
        (practice(account="other"), traded().dump(), "practice/acc"),
        (practice(ETH), traded().dump(), "rest of BTC/USDT"),
    ],
)
def test_refuses_a_checkpoint_it_cannot_continue(target: PracticeExchange, raw: bytes, sentence: str) -> None:
    before = target.dump()
    with pytest.raises(UserError, match=sentence):
        target.load(raw)
    assert target.dump() == before


@pytest.mark.parametrize("cycle", [1, 2])
def test_a_cycle_is_traded_once(cycle: int) -> None:
    exchange = traded()
    before = exchange.dump()
    with pytest.raises(ValueError, match="traded before"):
        exchange.advance(step(cycle))
    assert exchange.dump() == before
    assert exchange.cycle == 2


@pytest.mark.parametrize(
    ("column", "number"),
    [(0, np.nan), (1, np.inf), (2, 0.0), (2, 101.0), (1, 99.0), (4, -1.0), (4, np.nan), (3, 102.0)],
)
def test_impossible_bars_are_refused_where_they_trade(column: int, number: float) -> None:
    exchange, bad = practice(), step(1, ("ETH/USDT", "BTC/USDT"))
    bad.ohlcv[1, column] = number
    with pytest.raises(ValueError, match="BTC/USDT"):
        exchange.advance(bad)
    exchange.advance(replace(bad, has_bar=np.array([True, False])))


@pytest.mark.parametrize(("bid", "ask"), [(101.0, 100.0), (np.nan, 100.0), (100.0, np.inf), (0.0, 100.0)])
def test_impossible_books_are_refused(bid: float, ask: float) -> None:
    with pytest.raises(ValueError, match="book"):
        practice().advance(replace(step(1), bid=np.array([bid]), ask=np.array([ask])))


def test_arrays_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 instruments"):
        practice().advance(replace(step(1), symbols=("BTC/USDT", "ETH/USDT")))


def test_steps_may_name_instruments_in_any_order_and_others_too() -> None:
    exchange = practice()
    exchange.advance(step(1, ("XRP/USDT", "ETH/USDT", "BTC/USDT")))
    exchange.submit("a", BUY, 60)
    both = step(2, ("ETH/USDT", "BTC/USDT"))
    both.ohlcv[1, :4] = 90.0
    assert [fill.price for fill in exchange.advance(both).fills] == [D(90)]


def test_a_snapshot_gives_a_step_that_trades_only_fresh_bars() -> None:
    snapshot = MarketSnapshot(
        cycle=4,
        at_ns=240,
        bar_ns=60,
        symbols=("BTC/USDT", "ETH/USDT", "SOL/USDT"),
        ohlcv=np.ones((3, 5)),
        bid=np.ones(3),
        ask=np.ones(3),
        close_ns=np.array([240, 180, 0]),
        bars_seen=np.array([4, 3, 0]),
        feature_names=(),
        features=np.empty((3, 0)),
    )
    assert MarketStep.from_snapshot(snapshot).has_bar.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("close", "points"),
    [(100.0, (100, 90, 110, 100)), (101.0, (100, 90, 110, 101)), (99.0, (100, 110, 90, 99))],
)
def test_path_goes_low_first_unless_the_bar_fell(close: float, points: tuple[int, ...]) -> None:
    bar = step(1)
    bar.ohlcv[0] = [100.0, 110.0, 90.0, close, 5.0]
    path = BarPath.of(bar, 0)
    assert path.points == tuple(D(point) for point in points)
    assert path.times_ns == (0, 20, 40, 60)


def test_trades_are_kept_up_to_a_bound_and_read_from_an_ordinal_on() -> None:
    exchange = practice()
    exchange.advance(step(1))
    for cycle in range(2, FILLS_KEPT + 4):
        side = Side.BUY if cycle % 2 == 0 else Side.SELL
        exchange.submit(str(cycle), BUY.model_copy(update={"side": side}), cycle)
        exchange.advance(step(cycle))
    ordinals = [int(fill.trade_id[1:]) for fill in exchange.trades()]
    assert ordinals == list(range(3, FILLS_KEPT + 3))
    assert exchange.trades(after=FILLS_KEPT) == exchange.trades()[-2:]


def test_forgetting_drops_what_ended_and_keeps_what_is_open() -> None:
    exchange = traded()
    exchange.forget(until_ns=59)
    assert exchange.look_up("a") is not None
    assert len(exchange.trades()) == 1
    exchange.forget(until_ns=60)
    assert exchange.look_up("a") is None
    assert exchange.trades() == ()
    assert [order.client_order_id for order in exchange.open_orders()] == ["rest"]


@pytest.mark.parametrize("amount", ["-1", "NaN", "Infinity"])
def test_opening_balances_are_real_money(amount: str) -> None:
    with pytest.raises(ValueError, match="opening balance of USDT"):
        PracticeExchange([BTC], CONFIG, {"USDT": D(amount)}, "acc")


def test_a_checkpoint_of_version_1_is_taken_up_with_its_ended_orders() -> None:
    old = json.loads(traded().dump())
    old["version"] = 1
    for order in old["ended"]:
        for key in ("number", "leverage", "expires_at_ns", "triggered", "stop_level"):
            del order[key]
    for order in old["open_orders"]:
        for key in ("leverage", "expires_at_ns", "stops_hold", "rank", "queue_ahead"):
            del order[key]
    exchange = practice()
    exchange.load(json.dumps(old).encode())
    ended, rest = exchange.look_up("a"), exchange.look_up("rest")
    assert ended is not None
    assert (ended.number, ended.filled_quantity) == (-1, D("0.01"))
    assert rest is not None
    assert rest.number == 2
    again = exchange.submit("a", BUY, 120)
    assert isinstance(again, Refused)
