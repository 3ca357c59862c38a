"""Instruments, fills and intents for tests of the books."""

from decimal import Decimal

from hypothesis import strategies as st

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Fill, Intent, Leg, Liquidity, OrderSpec, OrderType, Share

BTC, XRP, XRP_BTC = "BTC/USDT", "XRP/USDT", "XRP/BTC"
SYMBOLS = (BTC, XRP, XRP_BTC)
OPENING = {"USDT": Decimal(100_000), "BTC": Decimal(2)}

fractions = st.integers(1, 9_999).map(lambda n: Decimal(n) / 10_000)
quantities = st.integers(1, 10**10).map(lambda n: Decimal(n) / 10**8)
prices = st.integers(1, 10**9).map(lambda n: Decimal(n) / 10**4)
symbols = st.sampled_from(SYMBOLS)
marks = st.fixed_dictionaries(dict.fromkeys(SYMBOLS, prices))


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(Decimal(text) for text in texts)


def an_instrument(symbol: str = BTC) -> Instrument:
    return Instrument(
        symbol=symbol,
        tick=Decimal("0.01"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        notional_min=Decimal(5),
    )


INSTRUMENTS = tuple(an_instrument(symbol) for symbol in SYMBOLS)


def a_fill(
    quantity: str | Decimal = "1",
    price: str | Decimal = "100",
    fee: str | Decimal = "0",
    fee_currency: str = "USDT",
    *,
    symbol: str = BTC,
    at_ns: int = 0,
) -> Fill:
    """A fill of a signed quantity: negative is a sale."""
    signed = Decimal(quantity)
    return Fill(
        venue="practice",
        account="paper",
        trade_id="t",
        client_order_id="c",
        symbol=symbol,
        side=Side.BUY if signed > 0 else Side.SELL,
        quantity=abs(signed),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency=fee_currency,
        liquidity=Liquidity.TAKER,
        at_ns=at_ns,
    )


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    """Any fill of our instruments: buys and sells, fees and rebates, in base or in quote."""
    symbol = draw(symbols)
    quantity, price = draw(quantities), draw(prices)
    base, quote = symbol.split("/")
    in_base = draw(st.booleans())
    fee = draw(st.integers(-10, 100)) * Decimal("1e-4") * quantity * (1 if in_base else price)
    signed = quantity * draw(st.sampled_from([1, -1]))
    return a_fill(signed, price, fee, base if in_base else quote, symbol=symbol)


def an_intent(shares: dict[str, str], symbol: str = BTC, leg: Leg = Leg.ENTRY) -> Intent:
    return Intent(
        intent_id="i",
        cycle=1,
        leg=leg,
        spec=OrderSpec(symbol=symbol, side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(1)),
        reference_price=Decimal(100),
        decided_at_ns=0,
        valid_until_ns=1,
        shares=tuple(Share(agent=agent, frac=Decimal(frac)) for agent, frac in shares.items()),
    )
