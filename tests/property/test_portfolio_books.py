from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.portfolio_words import INSTRUMENTS, OPENING, SYMBOLS, fills, marks
from tg_actors.domain.orders import Fill
from tg_actors.portfolio.books import Books

histories = st.lists(fills(), max_size=12)


def balances_by_hand(history: list[Fill]) -> dict[str, Fraction]:
    """What a venue does, in exact rationals: move base and quote, take the fee."""
    held = {currency: Fraction(amount) for currency, amount in OPENING.items()} | {"XRP": Fraction(0)}
    for fill in history:
        base, quote = fill.symbol.split("/")
        held[base] += fill.side.sign * Fraction(fill.quantity)
        held[quote] -= fill.side.sign * Fraction(fill.quantity) * Fraction(fill.price)
        held[fill.fee_currency] -= Fraction(fill.fee)
    return held


@given(history=histories)
def test_balances_are_the_venues_to_the_last_decimal(history: list[Fill]) -> None:
    books = Books(OPENING, INSTRUMENTS, "USDT")
    for fill in history:
        books.apply(fill)
    assert {c: Fraction(amount) for c, amount in books.expected_balances().items()} == balances_by_hand(
        history
    )


@given(history=histories, mids=marks)
def test_equity_is_balances_at_market(history: list[Fill], mids: dict[str, Decimal]) -> None:
    books = Books(OPENING, INSTRUMENTS, "USDT")
    for fill in history:
        books.apply(fill)
    value = books.mark(mids)
    rate = {"USDT": Fraction(1), "BTC": Fraction(mids["BTC/USDT"])}
    by_hand = sum((Fraction(books.cash[c]) * rate[c] for c in rate), Fraction(0))
    for symbol, position in books.positions.items():
        by_hand += Fraction(position.quantity) * Fraction(mids[symbol]) * rate[symbol.split("/")[1]]
    # 38 digits hold every sum here but for the last places of the products of three.
    assert abs(Fraction(value.equity) - by_hand) <= abs(by_hand) * Fraction(1, 10**30) + Fraction(1, 10**20)
    assert not value.unknown


@given(history=histories, mids=marks)
def test_realised_and_unrealised_less_fees_is_all_that_cash_and_positions_gained(
    history: list[Fill], mids: dict[str, Decimal]
) -> None:
    books = Books(OPENING, INSTRUMENTS, "USDT")
    trades = [trade for fill in history if (trade := books.apply(fill)) is not None]
    for symbol in SYMBOLS:
        position = books.positions[symbol]
        of_symbol = [fill for fill in history if fill.symbol == symbol]
        alone = Books(OPENING, INSTRUMENTS, "USDT")
        for fill in of_symbol:
            alone.apply(fill)
        quote = symbol.split("/")[1]
        gained = alone.cash[quote] - OPENING[quote] + position.quantity * mids[symbol]
        assert position.realised + position.unrealised(mids[symbol]) - position.fees == gained
        if position.quantity == 0:
            # Every round trip is over: their profits are everything that was gained.
            assert sum((t.pnl for t in trades if t.symbol == symbol), Decimal(0)) == gained


@given(history=histories)
def test_average_price_lies_within_the_prices_paid(history: list[Fill]) -> None:
    books = Books(OPENING, INSTRUMENTS, "USDT")
    for fill in history:
        books.apply(fill)
        position = books.positions[fill.symbol]
        paid = [past.price for past in history if past.symbol == fill.symbol]
        if position.average_price is not None and abs(position.quantity) > Decimal("1e-6"):
            slack = Decimal("1e-9")
            assert min(paid) - slack <= position.average_price <= max(paid) + slack
        else:
            assert position.quantity != 0 or position.cost == 0
