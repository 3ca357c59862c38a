"""Recorded facts: funding, trades by size and flows on chain, each known when it could be known.

=========================  ===========================================  =====================================
facts                      file                                         known
=========================  ===========================================  =====================================
funding_rate_frac          ``funding/<PERPETUAL>_<PAIR>_funding``       at its timestamp, the settlement
taker_*_volume             ``trades/<VENUE>_<PAIR>_*_trades``           at the close of its bar
whale_*_usd, retail_*_usd  the same, where the pair is quoted in        likewise
                           dollars
exchange_*flow_usd         ``onchain/COINMETRICS_<BASE>_1d``            a day after the day it is about ended
=========================  ===========================================  =====================================

A bar at the edge of a file of trades, which the file covers in part, has none. Nobody records open interest
here. Sizes of Binance's coin-margined trades are contracts: those files are left alone.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.market.facts import FACT_NAMES, Known, as_known
from tg_actors.market.simulation.currencies import DOLLARS
from tg_actors.market.tables import column_names, read_numbers
from tg_actors.market.trade_flow import FLOW_COLUMNS, Trades, flow_by_size, joined
from tg_actors.market.windows import DAY_NS

#: Whose perpetual's funding belongs to a venue's spot pairs; a venue that is not here has its own.
PERPETUALS = {"BINANCE": "BINANCEUSDM"}
#: Figures of a day are published in the course of the next one (Coin Metrics, community data).
ONCHAIN_LAG_NS = DAY_NS
_BY_CONTRACT = ("BINANCECOINM",)
_CHAIN_COLUMNS = ("exchange_inflow_usd", "exchange_outflow_usd")


@dataclass(frozen=True, slots=True)
class FactFiles:
    """Where facts are looked for: the data folder, whose market, the bars, and who counts as a whale.

    ``whale_usd_min`` is the value of an order from which it is a whale's; prints of one sweep are one order.
    """

    data_dir: Path
    venue: str
    symbols: tuple[str, ...]
    bar_ns: int
    whale_usd_min: float


class RecordedFacts:
    """A :class:`~tg_actors.market.feed.FactSource` over files, read when the first instant is asked for."""

    def __init__(self, files: FactFiles) -> None:
        self._files = files
        self._known: tuple[Known, ...] | None = None

    @property
    def fact_names(self) -> tuple[str, ...]:
        """All facts where there is any file with one, else none."""
        return FACT_NAMES if self._series else ()

    def facts(self, at_ns: I64) -> tuple[F64, I64]:
        """See the port."""
        return as_known(self._series, len(self._files.symbols), at_ns)

    @property
    def _series(self) -> tuple[Known, ...]:
        if self._known is None:
            self._known = tuple(
                known
                for i in range(len(self._files.symbols))
                for read in _READERS
                for known in read(self._files, i)
                if len(known.known_ns)
            )
        return self._known


def _funding(files: FactFiles, i: int) -> Iterator[Known]:
    venue = PERPETUALS.get(files.venue, files.venue)
    path = files.data_dir / "funding" / f"{venue}_{_pair(files, i)}_funding.parquet"
    if path.is_file():
        at_ns, rates = read_numbers(path, ["funding_rate"])
        yield _ordered(path, Known(i, "funding_rate_frac", at_ns, rates[:, 0]))


def _trades(files: FactFiles, i: int) -> Iterator[Known]:
    if files.venue in _BY_CONTRACT:
        return
    pattern = f"{files.venue}_{_pair(files, i)}_*_trades.parquet"
    parts = [_flows(files, path) for path in sorted((files.data_dir / "trades").glob(pattern))]
    if not parts:
        return
    known_ns = np.concatenate([part[0] for part in parts])
    flows = np.concatenate([part[1] for part in parts])
    # Where two files cover a bar, both hold all of it; the first one counts.
    known_ns, which = np.unique(known_ns, return_index=True)
    for k, name in enumerate(("taker_buy_volume", "taker_sell_volume", *FLOW_COLUMNS)):
        if k < 2 or files.symbols[i].split("/")[1] in DOLLARS:  # noqa: PLR2004 - volumes come first
            yield Known(i, name, known_ns, flows[which, k])


def _flows(files: FactFiles, path: Path) -> tuple[I64, F64]:
    """Closes of the bars that a file covers whole, and their flows ``(bars, 2 + 4)``."""
    at_ns, numbers = read_numbers(path, ["price", "size", "side"])
    if not len(at_ns):
        return at_ns, np.empty((0, 2 + len(FLOW_COLUMNS)))
    order = np.argsort(at_ns, kind="stable")
    at_ns, price, size = at_ns[order], numbers[order, 0], numbers[order, 1]
    try:
        trades = Trades(at_ns, price, size, np.nan_to_num(numbers[order, 2]).astype(np.int64))
    except ValueError as error:
        raise UserError(f"{path} holds no tape, download it again: {error}") from None
    first, end = -(-int(at_ns[0]) // files.bar_ns), int(at_ns[-1]) // files.bar_ns
    bars = max(end - first, 0)
    start_ns = first * files.bar_ns
    by_size = flow_by_size(joined(trades), files.whale_usd_min, start_ns, files.bar_ns, bars)
    slots = (at_ns - start_ns) // files.bar_ns
    taken = [
        np.bincount(slots[which], weights=size[which], minlength=bars)
        for which in (((slots >= 0) & (slots < bars) & (trades.side == side)) for side in (1, -1))
    ]
    closes = start_ns + np.arange(1, bars + 1, dtype=np.int64) * files.bar_ns
    return closes, np.column_stack((*taken, by_size))


def _chain(files: FactFiles, i: int) -> Iterator[Known]:
    base = files.symbols[i].split("/")[0]
    path = files.data_dir / "onchain" / f"COINMETRICS_{base}_1d.parquet"
    if not path.is_file():
        return
    there = column_names(path)
    columns = [name for name in _CHAIN_COLUMNS if name in there]
    if columns:
        day_ns, numbers = read_numbers(path, columns)
        known_ns = day_ns + DAY_NS + ONCHAIN_LAG_NS
        for k, name in enumerate(columns):
            yield _ordered(path, Known(i, name, known_ns, numbers[:, k]))


_READERS: tuple[Callable[[FactFiles, int], Iterator[Known]], ...] = (_funding, _trades, _chain)


def _ordered(path: Path, known: Known) -> Known:
    """Leave out what is no number.

    Raises:
        UserError: the rows are not in the order of time.
    """
    if (np.diff(known.known_ns) <= 0).any():
        raise UserError(f"{path} is not in the order of time: download it again")
    sound = np.isfinite(known.values)
    return Known(known.i, known.name, known.known_ns[sound], known.values[sound])


def _pair(files: FactFiles, i: int) -> str:
    return files.symbols[i].replace("/", "-")
