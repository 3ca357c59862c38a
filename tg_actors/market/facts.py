"""The names of all facts: numbers about instruments that are not bars, with unit and meaning.

A fact is known from its ``as_of_ns`` on and stands until a newer one comes; how old a fact may be is for
its reader to judge. What is never known is NaN, as of 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64


@dataclass(frozen=True, slots=True)
class Fact:
    """What a name means: its unit, and one line of meaning."""

    unit: str
    meaning: str


#: In this order they stand in a snapshot. "Per bar" is the bar that closed at ``as_of_ns``.
FACTS: Mapping[str, Fact] = {
    "funding_rate_frac": Fact("fraction per 8 h", "what longs of the perpetual paid to shorts last"),
    "open_interest_usd": Fact("USD", "value of all open contracts of the perpetual"),
    "taker_buy_volume": Fact("base units per bar", "traded on the initiative of buyers"),
    "taker_sell_volume": Fact("base units per bar", "traded on the initiative of sellers"),
    "whale_buy_usd": Fact("USD per bar", "taker buys in trades of at least the size threshold"),
    "whale_sell_usd": Fact("USD per bar", "taker sells in trades of at least the size threshold"),
    "retail_buy_usd": Fact("USD per bar", "taker buys in smaller trades"),
    "retail_sell_usd": Fact("USD per bar", "taker sells in smaller trades"),
    "exchange_inflow_usd": Fact("USD per bar or day", "moved on chain to exchanges' addresses"),
    "exchange_outflow_usd": Fact("USD per bar or day", "moved on chain away from exchanges' addresses"),
}
FACT_NAMES = tuple(FACTS)


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """One fact of one instrument through time: ``known_ns (m,)`` rising, ``values (m,)``."""

    i: int
    name: str
    known_ns: I64
    values: F64


def as_known(series: Sequence[Known], n: int, at_ns: I64) -> tuple[F64, I64]:
    """Lay series out as what was known at some instants, of all facts and ``n`` instruments.

    Returns:
        Values and the instants at which they became known, both ``(len(at_ns), n, len(FACT_NAMES))``.
    """
    shape = (len(at_ns), n, len(FACT_NAMES))
    values, as_of_ns = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    for one in series:
        newest = np.searchsorted(one.known_ns, at_ns, side="right") - 1
        known = newest >= 0
        column = (known, one.i, FACT_NAMES.index(one.name))
        values[column] = one.values[newest[known]]
        as_of_ns[column] = one.known_ns[newest[known]]
    return values, as_of_ns
