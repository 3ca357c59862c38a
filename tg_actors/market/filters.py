"""What a venue asks of an order's numbers, and how wide its markets are: a table, by quote and symbol."""

from decimal import Decimal

from pydantic import Field

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.message import Message


class FilterDefaults(Message):
    """Filters of every instrument with one quote currency.

    ``tick`` and ``notional_min`` are in quote currency, ``lot`` and ``quantity_min`` in base currency;
    ``spread_bps`` is the typical distance of bid and ask in basis points of the price.
    """

    tick: Decimal = Field(gt=0)
    lot: Decimal = Field(gt=0)
    quantity_min: Decimal = Field(gt=0)
    notional_min: Decimal = Field(ge=0)
    spread_bps: Decimal = Field(gt=0, lt=1000)


class FilterOverrides(Message):
    """What is different for one symbol; what is left out stays as the quote's default."""

    tick: Decimal | None = Field(default=None, gt=0)
    lot: Decimal | None = Field(default=None, gt=0)
    quantity_min: Decimal | None = Field(default=None, gt=0)
    notional_min: Decimal | None = Field(default=None, ge=0)
    spread_bps: Decimal | None = Field(default=None, gt=0, lt=1000)


class InstrumentFilters(Message):
    """The table of a venue: defaults by quote currency, overrides by symbol."""

    quotes: dict[str, FilterDefaults]
    symbols: dict[str, FilterOverrides] = Field(default_factory=dict)


def instrument(symbol: str, filters: InstrumentFilters) -> Instrument:
    """Return the instrument of a symbol with the filters of its venue.

    Raises:
        UserError: the symbol is not BASE/QUOTE, the venue has no filters for its quote currency, or
            its minimum quantity is no whole number of lots.
    """
    row = _row(symbol, filters)
    if row.quantity_min % row.lot:
        raise UserError(
            f"the filters of {symbol} contradict each other: "
            f"quantity_min {row.quantity_min} is no multiple of lot {row.lot}"
        )
    return Instrument(
        symbol=symbol,
        tick=row.tick,
        lot=row.lot,
        quantity_min=row.quantity_min,
        notional_min=row.notional_min,
    )


def spread_bps(symbol: str, filters: InstrumentFilters) -> Decimal:
    """Return the typical spread of a symbol in basis points.

    Raises:
        UserError: as for :func:`instrument`.
    """
    return _row(symbol, filters).spread_bps


def _row(symbol: str, filters: InstrumentFilters) -> FilterDefaults:
    base, slash, quote = symbol.partition("/")
    if not (slash and base.isalnum() and quote.isalnum() and symbol.isascii() and symbol.isupper()):
        raise UserError(f"{symbol!r} is no instrument: write BASE/QUOTE in capitals, such as BTC/USDT")
    if quote not in filters.quotes:
        known = ", ".join(filters.quotes)
        raise UserError(f"{symbol}: the venue has no instruments in {quote}; it quotes in {known}")
    overrides = filters.symbols.get(symbol, FilterOverrides()).model_dump(exclude_none=True)
    return filters.quotes[quote].model_copy(update=overrides)
