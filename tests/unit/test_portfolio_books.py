from decimal import Decimal

import pytest

from tests.portfolio_words import BTC, INSTRUMENTS, OPENING, XRP_BTC, a_fill, an_instrument, decimals
from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Fill
from tg_actors.portfolio.books import Books, check_convertible

MARKS = {BTC: Decimal(200), "XRP/USDT": Decimal(2), XRP_BTC: Decimal("0.01")}


def the_books() -> Books:
    return Books(OPENING, INSTRUMENTS, "USDT")


def test_average_cost_blends_entries_and_keeps_its_price_on_the_way_out() -> None:
    books = the_books()
    books.apply(a_fill("1", "100"))
    books.apply(a_fill("3", "200"))
    books.apply(a_fill("-2", "300"))
    position = books.positions[BTC]
    assert position.average_price == 175
    assert (position.quantity, position.realised) == decimals("2", "250")
    assert (position.bought, position.sold) == decimals("4", "2")
    assert books.cash["USDT"] == 100_000 - 100 - 600 + 600


def test_flip_closes_the_old_trade_and_opens_the_next_at_the_same_price() -> None:
    books = the_books()
    assert books.apply(a_fill("2", "100", at_ns=5)) is None
    trade = books.apply(a_fill("-3", "110", fee="3", at_ns=9))
    assert trade is not None
    assert (trade.quantity, trade.entry, trade.exit) == decimals("2", "100", "110")
    assert (trade.side, trade.opened_ns, trade.closed_ns, trade.bars_held(bar_ns=2)) == (Side.BUY, 5, 9, 2)
    # Two thirds of the fee belong to what was closed.
    assert (trade.fees, trade.pnl, trade.pnl_reporting) == decimals("2", "18", "18")
    position = books.positions[BTC]
    assert (position.quantity, position.average_price, position.fees) == decimals("-1", "110", "3")


def test_short_earns_when_the_price_falls() -> None:
    books = the_books()
    books.apply(a_fill("-1", "100"))
    assert books.mark({**MARKS, BTC: Decimal(90)}).unrealised[BTC] == 10
    trade = books.apply(a_fill("1", "80"))
    assert trade is not None
    assert (trade.side, trade.pnl) == (Side.SELL, Decimal(20))


def test_trade_is_one_round_trip_however_many_fills_it_took() -> None:
    books = the_books()
    steps = [a_fill("1", "100"), a_fill("1", "110"), a_fill("-0.5", "120"), a_fill("-1.5", "100")]
    trades = [books.apply(fill) for fill in steps]
    assert trades[:-1] == [None, None, None]
    last = trades[-1]
    assert last is not None
    assert (last.quantity, last.entry, last.exit, last.pnl) == decimals("2", "105", "105", "0")


@pytest.mark.parametrize(
    ("fill", "position", "cash", "fee"),
    [
        (a_fill("2", "100", "4", "USDT"), "2", "-204", "4"),
        (a_fill("2", "100", "0.01", "BTC"), "1.99", "-200", "1"),
        (a_fill("-2", "100", "4", "USDT"), "-2", "196", "4"),
        (a_fill("-2", "100", "0.01", "BTC"), "-2.01", "200", "1"),
        (a_fill("2", "100", "-1", "USDT"), "2", "-199", "-1"),
    ],
)
def test_fee_in_either_currency_is_booked_exactly(fill: Fill, position: str, cash: str, fee: str) -> None:
    books = the_books()
    books.apply(fill)
    held = books.positions[BTC]
    assert (held.quantity, held.fees) == decimals(position, fee)
    assert books.cash["USDT"] - OPENING["USDT"] == Decimal(cash)
    assert books.expected_balances() == {
        "USDT": OPENING["USDT"] + Decimal(cash),
        "BTC": OPENING["BTC"] + Decimal(position),
        "XRP": 0,
    }


def test_valuation_converts_through_the_quote_currency() -> None:
    books = the_books()
    books.apply(a_fill("1000", "0.009", symbol=XRP_BTC, fee_currency="BTC"))
    value = books.mark(MARKS)
    assert value.rates == {"USDT": 1, "BTC": 200}
    assert value.gross_exposure == 1000 * Decimal("0.01") * 200
    assert value.unrealised == {XRP_BTC: 1}
    assert value.unrealised_reporting == {XRP_BTC: 200}
    assert value.equity == 100_000 + (2 - 9 + 10) * 200
    assert value.unknown == ()


def test_profit_of_a_trade_is_converted_at_the_rate_given_and_never_guessed() -> None:
    for rates, expected in (({"BTC": Decimal(200)}, Decimal(200)), (None, None)):
        books = the_books()
        books.apply(a_fill("1000", "0.009", symbol=XRP_BTC, fee_currency="BTC"))
        trade = books.apply(a_fill("-1000", "0.01", symbol=XRP_BTC, fee_currency="BTC"), rates)
        assert trade is not None
        assert (trade.pnl, trade.pnl_reporting) == (Decimal(1), expected)


@pytest.mark.parametrize(
    ("marks", "unknown"),
    [
        ({}, ("BTC", BTC, XRP_BTC)),
        ({BTC: Decimal(200)}, (XRP_BTC,)),
        ({XRP_BTC: Decimal("0.01")}, ("BTC", BTC, XRP_BTC)),
        ({BTC: Decimal(0), XRP_BTC: Decimal(1)}, ("BTC", BTC, XRP_BTC)),
        ({BTC: Decimal("NaN"), XRP_BTC: Decimal(1)}, ("BTC", BTC, XRP_BTC)),
        (MARKS, ()),
    ],
)
def test_what_is_held_without_a_price_is_named_not_guessed(
    marks: dict[str, Decimal], unknown: tuple[str, ...]
) -> None:
    books = the_books()
    books.apply(a_fill("1", "100"))
    books.apply(a_fill("10", "0.01", symbol=XRP_BTC, fee_currency="BTC"))
    assert books.mark(marks).unknown == unknown


def test_currency_without_a_conversion_is_refused_at_configuration_time() -> None:
    with pytest.raises(UserError, match="add BTC/USDT to the instruments"):
        check_convertible([an_instrument(XRP_BTC)], "USDT")
    with pytest.raises(UserError, match="EUR cannot be valued in USDT"):
        Books({"EUR": Decimal(1)}, INSTRUMENTS, "USDT")
    assert Books({}, INSTRUMENTS, "USDT").conversion_symbols == {BTC}


@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        (a_fill(fee="1", fee_currency="BNB"), "paid its fee in BNB"),
        (a_fill(symbol="ETH/USDT"), "add it to the instruments"),
    ],
)
def test_fill_that_cannot_be_booked_changes_nothing(fill: Fill, sentence: str) -> None:
    books = the_books()
    before = books.expected_balances()
    with pytest.raises(UserError, match=sentence):
        books.apply(fill)
    assert books.expected_balances() == before
