from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.market.filters import InstrumentFilters, instrument, spread_bps

FILTERS = InstrumentFilters.model_validate_json("""
{"quotes": {"USDT": {"tick": "0.01", "lot": "0.1", "quantity_min": "0.2", "notional_min": "5",
                     "spread_bps": "4"}},
 "symbols": {"DOGE/USDT": {"tick": "0.00001", "spread_bps": "3"},
             "ODD/USDT": {"lot": "0.3"}}}
""")
PRACTICE = Path(__file__).parents[2] / "configs" / "venues" / "practice.yaml"


class InstrumentsOnly(Message):
    instruments: InstrumentFilters


def practice() -> InstrumentFilters:
    content = yaml.safe_load(PRACTICE.read_text())["instruments"]
    return InstrumentsOnly.model_validate({"instruments": content}, strict=False).instruments


def test_a_symbol_takes_its_own_values_and_its_quotes_for_the_rest() -> None:
    plain, own = instrument("BTC/USDT", FILTERS), instrument("DOGE/USDT", FILTERS)
    assert (plain.tick, plain.lot, plain.quantity_min, plain.notional_min) == tuple(
        map(Decimal, ("0.01", "0.1", "0.2", "5"))
    )
    assert (own.tick, own.lot) == (Decimal("0.00001"), Decimal("0.1"))
    assert spread_bps("BTC/USDT", FILTERS) == Decimal(4)
    assert spread_bps("DOGE/USDT", FILTERS) == Decimal(3)


@pytest.mark.parametrize(
    ("symbol", "sentence"),
    [
        ("BTC/EUR", "BTC/EUR: the venue has no instruments in EUR; it quotes in USDT"),
        ("BTCUSDT", "'BTCUSDT' is no instrument: write BASE/QUOTE"),
        ("btc/usdt", "'btc/usdt' is no instrument"),
        ("BTC/USDT/X", "is no instrument"),
        ("/USDT", "is no instrument"),
        ("ODD/USDT", "ODD/USDT contradict each other: quantity_min 0.2 is no multiple of lot 0.3"),
    ],
)
def test_an_instrument_that_cannot_be_is_explained(symbol: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        instrument(symbol, FILTERS)


@pytest.mark.parametrize(
    ("symbol", "lowest", "highest"),
    [
        ("BTC/USDT", "3000", "70000"),
        ("ETH/USDT", "80", "4800"),
        ("XRP/USDT", "0.2", "2"),
        ("DOGE/USDT", "0.002", "0.7"),
        ("SOL/USDT", "1", "250"),
        ("XRP/BTC", "0.00001", "0.0001"),
        ("ETH/BTC", "0.02", "0.1"),
        ("PEPE/USDT", "0.0000005", "0.00002"),
    ],
)
def test_the_practice_venue_can_trade_every_price_of_the_past(symbol: str, lowest: str, highest: str) -> None:
    traded = instrument(symbol, practice())
    # A tick is never a large part of a price, a smallest order never worth much more than the minimum.
    assert traded.tick <= Decimal(lowest) / 100 / (1 if traded.quote == "BTC" else 2)
    assert traded.quantity_min * Decimal(highest) <= 2 * max(traded.notional_min, Decimal("0.0005"))


def test_every_row_of_the_practice_venue_makes_an_instrument() -> None:
    filters = practice()
    symbols = [*filters.symbols, *(f"NEW/{quote}" for quote in filters.quotes)]
    assert [instrument(symbol, filters).symbol for symbol in symbols] == symbols
    assert all(0 < spread_bps(symbol, filters) < 100 for symbol in symbols)
