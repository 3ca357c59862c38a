"""Kraken's checksum of a book: CRC32 over the ten best levels, asks first, digits only.

Every price and size is written with the pair's decimals, without the point and without leading zeros.
Source: Kraken's API documentation, "Book checksum" (websocket v1).
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from tg_actors.market.books.messages import Level

_LEVELS = 10
_DECIMALS_MAX = 10


@dataclass(frozen=True, slots=True)
class Decimals:
    """Digits behind the point with which a venue writes prices and sizes of a pair."""

    price: int
    size: int


def crc32(asks: Iterable[Level], bids: Iterable[Level], decimals: Decimals) -> int:
    """Return the sum over the best levels of both sides, given best first; only ten of each count."""
    text = [
        f"{price:.{decimals.price}f}".replace(".", "").lstrip("0")
        + f"{size:.{decimals.size}f}".replace(".", "").lstrip("0")
        for side in (asks, bids)
        for price, size in [*side][:_LEVELS]
    ]
    return zlib.crc32("".join(text).encode())


def decimals_of(asks: Iterable[Level], bids: Iterable[Level], checksum: int) -> Decimals | None:
    """Find the decimals under which a book has a checksum, None when there are none: it is another book.

    A wrong book passes by chance once in 40 million.
    """
    ten_asks, ten_bids = [*asks][:_LEVELS], [*bids][:_LEVELS]
    tries = (Decimals(price, size) for size in (8, *range(8)) for price in range(_DECIMALS_MAX + 1))
    return next((one for one in tries if crc32(ten_asks, ten_bids, one) == checksum), None)
