"""The pure parts of the Binance dialect: parameters, signatures, numbers, filters, depth events."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exchange_words import BTC
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.server.dialects.binance import access, reports, streams
from tg_actors.exchange.server.dialects.binance.orders import Scene, place_order
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.refusals import Refusal
from tg_actors.exchange.server.dialects.binance.words import Symbols, text8
from tg_actors.exchange.server.hub import BookShown, BookTopic
from tg_actors.exchange.server.quotes import Book, Level

D = Decimal
BOOK = Book(bids=((D(99), D(1)), (D(98), D(2))), asks=((D(101), D(1)), (D(102), D(2))), version=7, at_ns=0)
SCENE = Scene(BTC, BOOK, D(100))
MS = 1_000_000


def code_of(error: pytest.ExceptionInfo[Refusal]) -> int:
    return error.value.code


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00000000"),
        ("1.5", "1.50000000"),
        ("0.00000000001", "0.00000000001"),
        ("1E+3", "1000.00000000"),
    ],
)
def test_numbers_have_eight_places_or_as_many_as_they_need(amount: str, text: str) -> None:
    assert text8(D(amount)) == text


@given(st.decimals("0.00000001", "1e9", places=10))
def test_no_digit_is_lost_in_a_number(amount: D) -> None:
    assert D(text8(amount)) == amount


def test_the_documented_signature_of_binance() -> None:
    """The example of Binance's own API documentation."""
    key = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        "&recvWindow=5000&timestamp=1499827319559"
    )
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert access.sign(key, query) == signature
    access.check_signature(key, access.seal_of_query(f"{query}&signature={signature}", ""))
    access.check_signature(key, access.seal_of_query("", f"{query}&signature={signature}"))
    # Split between query and form, with nothing in between, as Binance documents it.
    head, tail = query[:44], query[44:]
    access.check_signature(key, access.seal_of_query(head, f"{tail}&signature={signature}"))
    for forged in (signature[::-1], "", "é"):
        with pytest.raises(Refusal):
            access.check_signature(key, access.Sealed(query, forged))


@pytest.mark.parametrize(
    ("sent_ms", "window_ms", "code"),
    [
        (100_000, None, 0),
        (95_000, None, 0),
        (94_999, None, -1021),
        (100_999, None, 0),
        (101_000, None, -1021),
        (40_000, 60_000, 0),
        (40_000, 60_001, -1131),
    ],
)
def test_the_receive_window_to_the_millisecond(sent_ms: int, window_ms: int | None, code: int) -> None:
    fields = {"timestamp": str(sent_ms)} | ({} if window_ms is None else {"recvWindow": str(window_ms)})
    if code:
        with pytest.raises(Refusal) as error:
            access.deadline_ns(Params(fields), 100_000 * MS)
        assert code_of(error) == code
        return
    assert access.deadline_ns(Params(fields), 100_000 * MS) == (sent_ms + (window_ms or 5_000)) * MS


@given(st.text(max_size=30))
def test_whatever_stands_in_an_amount_is_an_amount_or_refused(text: str) -> None:
    with suppress(Refusal):
        amount = Params({"quantity": text}).amount("quantity")
        assert amount is None or (amount.is_finite() and amount > 0)


def order(**fields: str) -> OrderSpec:
    wish = {"type": "LIMIT", "side": "BUY", "quantity": "1", "price": "50", "timeInForce": "GTC", **fields}
    return place_order(Params({name: text for name, text in wish.items() if text}), SCENE, None).spec


def test_money_becomes_the_quantity_that_the_book_sells_for_it() -> None:
    market = {"type": "MARKET", "timeInForce": "", "price": "", "quantity": ""}
    # 101 for the first one, the other 50 at 102.
    assert order(**market, quoteOrderQty="151").quantity == D("1.490")
    assert order(**market, side="SELL", quoteOrderQty="99").quantity == D("1.000")
    with pytest.raises(Refusal, match="Combination"):
        order(quoteOrderQty="100", quantity="")


def test_a_trailing_stop_counts_in_basis_points() -> None:
    spec = order(type="STOP_LOSS", side="SELL", price="", timeInForce="", trailingDelta="150")
    assert (spec.order_type, spec.trail_frac, spec.stop_price) == (OrderType.TRAILING_STOP, D("0.015"), None)
    with pytest.raises(Refusal, match="TRAILING_DELTA"):
        order(type="STOP_LOSS", side="SELL", price="", timeInForce="", trailingDelta="9")
    with pytest.raises(Refusal, match="Combination"):
        order(type="STOP_LOSS_LIMIT", side="SELL", stopPrice="90", trailingDelta="150")


@pytest.mark.parametrize(
    ("kind", "side", "stop", "goes_off"),
    [
        ("STOP_LOSS", "SELL", "99", False),
        ("STOP_LOSS", "SELL", "100", True),
        ("STOP_LOSS", "BUY", "101", False),
        ("STOP_LOSS", "BUY", "100", True),
        ("TAKE_PROFIT", "SELL", "101", False),
        ("TAKE_PROFIT", "SELL", "100", True),
        ("TAKE_PROFIT", "BUY", "99", False),
        ("TAKE_PROFIT", "BUY", "100", True),
    ],
)
def test_a_stop_that_would_go_off_at_once_is_refused(kind: str, side: str, stop: str, goes_off: bool) -> None:
    fields = {"type": kind, "side": side, "stopPrice": stop, "price": "", "timeInForce": ""}
    if goes_off:
        with pytest.raises(Refusal, match="trigger immediately"):
            order(**fields)
        return
    assert order(**fields).side is Side(side.lower())


levels = st.dictionaries(st.integers(1, 50).map(D), st.integers(1, 9).map(D), max_size=10).map(
    lambda side: tuple(sorted(side.items()))
)


@given(before=levels, after=levels)
def test_a_book_is_rebuilt_from_its_changes(before: tuple[Level, ...], after: tuple[Level, ...]) -> None:
    previous, book = Book(before, (), 4, 0), Book(after, (), 5, 0)
    told = reports.depth_update(BookShown("BTC/USDT", book, previous))
    rebuilt = dict(before)
    for price, size in told["b"]:
        rebuilt[D(price)] = D(size)
    assert {price: size for price, size in rebuilt.items() if size} == dict(after)
    assert (told["U"], told["u"]) == (5, 5)


def test_streams_by_name() -> None:
    symbols = Symbols([BTC])
    known = [
        "ticker",
        "miniTicker",
        "bookTicker",
        "trade",
        "aggTrade",
        "depth",
        "depth@100ms",
        "depth20@1000ms",
    ]
    known += ["kline_1m", "kline_1w"]
    for name in known:
        assert streams.find(f"btcusdt@{name}", symbols) is not None, name
    for name in (
        "btcusdt@nothing",
        "BTCUSDT@trade",
        "ethusdt@trade",
        "btcusdt@depth7",
        "btcusdt@kline_1M",
        "",
        "@",
    ):
        assert streams.find(name, symbols) is None, name
    found = streams.find("btcusdt@depth", symbols)
    assert found is not None
    assert found.topics == (BookTopic("BTC/USDT"),)


def test_two_instruments_of_one_name_cannot_be_served() -> None:
    rest = {"tick": D(1), "lot": D(1), "quantity_min": D(1), "notional_min": D(0)}
    with pytest.raises(ValueError, match="apart"):
        Symbols([Instrument(symbol="AB/C", **rest), Instrument(symbol="A/BC", **rest)])
