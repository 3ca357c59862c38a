"""Arithmetic on levels that more than one dialect needs. Pure."""

from decimal import Decimal

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO
from tg_actors.exchange.server.quotes import Level


def quantity_for(spend: Decimal, levels: tuple[Level, ...], instrument: Instrument) -> Decimal:
    """The most that ``spend`` of quote currency buys or brings on these levels, in whole lots."""
    left, quantity = spend, ZERO
    for price, size in levels:
        taken = min(size, left / price)
        quantity, left = quantity + taken, left - taken * price
        if left <= ZERO:
            break
    return instrument.quantise_quantity(quantity)


def changed(before: tuple[Level, ...], after: tuple[Level, ...]) -> tuple[Level, ...]:
    """The levels that are others than before; those that are gone come first, with size zero."""
    old, new = dict(before), dict(after)
    gone = tuple((price, ZERO) for price in old if price not in new)
    return (*gone, *((price, size) for price, size in after if old.get(price) != size))
