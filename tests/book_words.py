"""Words of the order books' tests: messages of made-up venues, and captures written to a folder."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from tg_actors.market.books.messages import BookMessage, Level

T0_NS = 1_700_000_000 * 10**9
MS = 10**6

BIDS: tuple[Level, ...] = ((99.0, 1.0), (98.0, 2.0), (97.0, 3.0))
ASKS: tuple[Level, ...] = ((101.0, 1.0), (102.0, 2.0), (103.0, 3.0))


def snapshot(
    final_id: int = 0, bids: Sequence[Level] = BIDS, asks: Sequence[Level] = ASKS, at_ms: int = 0
) -> BookMessage:
    return BookMessage(T0_NS + at_ms * MS, True, final_id, final_id, None, bids, asks)


def delta(
    first_id: int,
    final_id: int,
    bids: Sequence[Level] = (),
    asks: Sequence[Level] = (),
    previous_id: int | None = None,
    at_ms: int = 0,
    checksum: int | None = None,
) -> BookMessage:
    return BookMessage(T0_NS + at_ms * MS, False, first_id, final_id, previous_id, bids, asks, checksum)


def write_capture(folder: Path, name: str, messages: Sequence[BookMessage]) -> Path:
    """Write messages to ``folder/l2/<name>.parquet`` as the data folder has them."""
    rows = [
        (one.at_ns // MS, seq, int(not one.is_snapshot), side, price, size, one.first_id, one.final_id)
        for seq, one in enumerate(messages)
        for side, levels in ((1, one.bids), (-1, one.asks))
        for price, size in levels
    ]
    names = ("ms::BIGINT", "seq::BIGINT", "kind::INT", "side::INT", "price::DOUBLE", "size::DOUBLE", "a", "b")
    plain = ", ".join(f"unnest(?) AS {one.split(':')[0]}" for one in names)
    typed = ", ".join(f"{one} AS {one.split(':')[0]}" for one in names[1:6])
    columns = f"epoch_ms(ms::BIGINT) AS timestamp, 0 AS recv_ns, {typed}, a AS first_id, b AS final_id"
    (folder / "l2").mkdir(exist_ok=True)
    path = folder / "l2" / f"{name}.parquet"
    with duckdb.connect(":memory:") as connection:
        lists = [list(column) for column in zip(*rows, strict=True)]
        connection.execute(f"COPY (SELECT {columns} FROM (SELECT {plain})) TO '{path}'", lists)
    return path
