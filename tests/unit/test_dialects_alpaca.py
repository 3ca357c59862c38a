"""The pure parts of the Alpaca dialect and of the wire: ids, times, JSON, bodies, worth."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Fill, Liquidity, OrderType
from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.alpaca import ids, orders, worth
from tg_actors.exchange.server.dialects.alpaca.ids import Space
from tg_actors.exchange.server.dialects.alpaca.refusals import Refusal
from tg_actors.exchange.server.dialects.wire import read_json, read_time, time_text
from tg_actors.exchange.server.quotes import Book

D = Decimal
BTC = Instrument(
    symbol="BTC/USD", tick=D("0.01"), lot=D("0.001"), quantity_min=D("0.001"), notional_min=D(10)
)
BOOK = Book(bids=((D(99), D(5)),), asks=((D(100), D(5)),), version=1, at_ns=0)
SCENE = orders.Scene(BTC, BOOK)


@given(st.integers(0, 2**48 - 1), st.sampled_from(Space), st.sampled_from(Space))
def test_an_ordinal_comes_back_from_its_own_space_only(ordinal: int, space: Space, other: Space) -> None:
    made = ids.make(space, ordinal)
    assert ids.read(other, made) == (ordinal if other is space else None)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_ids(text: str) -> None:
    assert ids.read(Space.ORDER, text) is None


@given(st.integers(0, 4_000_000_000 * 10**9))
def test_times_come_back_to_the_nanosecond(at_ns: int) -> None:
    assert read_time(time_text(at_ns)) == at_ns


@pytest.mark.parametrize(
    ("text", "at_ns"),
    [
        ("2024-01-01", 1_704_067_200 * 10**9),
        ("2024-01-01T00:00:00Z", 1_704_067_200 * 10**9),
        ("2024-01-01T02:00:00.5+02:00", 1_704_067_200_500_000_000),
        ("2024-01-01T00:00:00 00:00", 1_704_067_200 * 10**9),
    ],
)
def test_times_as_clients_write_them(text: str, at_ns: int) -> None:
    assert read_time(text) == at_ns


@pytest.mark.parametrize("text", ["", "now", "2024-13-01", "2024-01-01T25:00:00Z", "1704067200"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_time(text)


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '{"a":1,"a":2}', "{", "[" * 100_000])
def test_unsound_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


def body(**fields: object) -> dict[str, object]:
    return {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "gtc", **fields}


def test_an_order_in_text_or_numbers_is_the_same_order() -> None:
    as_text = orders.read_new_order(body(qty="0.5", type="limit", limit_price="100"))
    as_numbers = orders.read_new_order(read_json('{"qty":0.5,"limit_price":100}') | body(type="limit"))
    assert as_text == as_numbers
    wish = orders.place_order(as_text, SCENE)
    assert (wish.spec.order_type, wish.spec.quantity, wish.dedupe) == (
        OrderType.LIMIT,
        D("0.5"),
        Dedupe.FOREVER,
    )


def test_money_becomes_a_quantity() -> None:
    assert orders.place_order(orders.read_new_order(body(notional=150)), SCENE).spec.quantity == D("1.500")
    limit = orders.read_new_order(body(notional=150, type="limit", limit_price=50))
    assert orders.place_order(limit, SCENE).spec.quantity == D("3.000")


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": "NaN"},
        {"qty": -1},
        {"qty": True},
        {"qty": 1, "notional": 1},
        {},
        {"qty": 1, "colour": "red"},
        {"qty": 1, "limit_price": 5},
        {"qty": 1, "type": "limit"},
        {"qty": 1, "type": "stop", "stop_price": 5},
        {"qty": 1, "type": "trailing_stop", "trail_percent": 5},
        {"qty": 1, "time_in_force": "day"},
        {"qty": 1, "side": "both"},
        {"qty": 1, "order_class": "bracket"},
        {"qty": 1, "client_order_id": "x" * 129},
    ],
)
def test_what_is_no_crypto_order_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(Refusal) as error:
        orders.place_order(orders.read_new_order(body(**fields)), SCENE)
    assert error.value.status == 422


def test_the_average_price_is_that_of_what_was_bought() -> None:
    holdings = worth.Holdings({"BTC/USD": BTC})
    holdings.learn(
        [(1, fill(Side.BUY, 1, 100)), (2, fill(Side.BUY, 3, 200)), (3, fill(Side.SELL, 2, 500))], last
    )
    assert holdings.entry_price("BTC") == D(175)
    assert holdings.newest == 3
    # More is sold than was ever bought: the rest came in from outside.
    holdings.learn([(4, fill(Side.SELL, 9, 500)), (5, fill(Side.BUY, 1, 300))], last)
    assert holdings.entry_price("BTC") == D(300)
    assert holdings.entry_price("ETH") == D(0)


def last(symbol: str) -> D | None:
    return {"BTC/USD": D(100), "ETH/USDT": D(10)}.get(symbol)


def test_dollars_through_the_pair_that_is_there() -> None:
    eth = Instrument(symbol="ETH/USDT", tick=D(1), lot=D(1), quantity_min=D(1), notional_min=D(0))
    pairs = {"BTC/USD": BTC, "ETH/USDT": eth}
    assert [worth.dollars(name, pairs, last) for name in ("BTC", "ETH", "USDT", "USD", "XRP")] == [
        D(100),
        D(10),
        D(1),
        D(1),
        D(0),
    ]


def fill(side: Side, quantity: int, price: int) -> Fill:
    return Fill(
        venue="practice",
        account="a",
        trade_id="1",
        client_order_id="1",
        symbol="BTC/USD",
        side=side,
        quantity=D(quantity),
        price=D(price),
        fee=D(0),
        fee_currency="USD",
        liquidity=Liquidity.TAKER,
        at_ns=0,
    )
