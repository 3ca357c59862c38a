"""How venues number the messages of a book, one line a venue.

Every delta covers the updates ``(previous_id, final_id]``. What differs is where ``previous_id`` stands:

* Binance spot: ``first_id`` is the one before's ``final_id`` plus 1 (fields ``U`` and ``u``);
* Binance futures: ids of other books lie between, the link is the field ``pu``;
* Bybit: one id a message, counting up by 1; a snapshot in the stream starts again;
* Kraken: no ids, a CRC32 of the ten best levels of each side after every message;
* aggregated books: each message is a whole book.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SequenceRule:
    """The numbering of one venue.

    ``counts`` says that a delta without ``previous_id`` follows ``first_id - 1``. ``restarts`` says that a
    snapshot comes in the stream itself and always replaces the book; else it was asked for beside the
    stream, and may be older than the deltas already heard. ``levels_max`` levels a side are what the venue
    keeps up to date: it does not say which ones fall out.
    """

    counts: bool
    restarts: bool
    has_ids: bool = True
    levels_max: int | None = None


BINANCE_SPOT = SequenceRule(counts=True, restarts=False)
BINANCE_FUTURES = SequenceRule(counts=False, restarts=False)
BYBIT = SequenceRule(counts=True, restarts=True)
KRAKEN = SequenceRule(counts=False, restarts=True, has_ids=False, levels_max=1000)
WHOLE_BOOKS = SequenceRule(counts=False, restarts=True, has_ids=False)

#: By the venue names of the data folder.
RULES = {
    "BINANCE": BINANCE_SPOT,
    "BINANCEUSDM": BINANCE_FUTURES,
    "BINANCECOINM": BINANCE_FUTURES,
    "BYBIT": BYBIT,
    "KRAKEN": KRAKEN,
}
