"""The sources of smart money: facts in, one observation per instrument out, and what each can mean.

An observation is a number whose distance from its own history matters, never its level: who buys is an
imbalance -1..1, funding a rate, open interest dollars. Each source belongs to a ``family`` of sources that
see the same thing; two families that agree are evidence, two members of one are an echo.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from tg_actors.domain.blocks import F64, I64, Facts

Observe = Callable[[Facts], F64]


class Family(StrEnum):
    """Where a source comes from."""

    TRADES = "trades"
    CHAIN = "chain"
    LEVERAGE = "leverage"


@dataclass(frozen=True, slots=True)
class Source:
    """One source: the facts it cannot do without, and how an observation is made of them.

    ``noise`` and ``noise_frac`` (of the level) are the least standard deviation that is believed: below it a
    source that hardly ever moves would shout at every move.
    """

    family: Family
    facts: tuple[str, ...]
    observe: Observe
    noise: float
    noise_frac: float = 0.0


def imbalance(bought: F64, sold: F64) -> F64:
    """``(bought - sold) / (bought + sold)`` in -1..1, 0 where nothing was traded, NaN where unknown."""
    gross = bought + sold
    return np.where(gross == 0.0, 0.0, (bought - sold) / np.where(gross == 0.0, 1.0, gross))


def whale_flow(facts: Facts) -> F64:
    """What whales bought more than they sold, as a part of all turnover that is known."""
    bought, sold = facts.column("whale_buy_usd"), facts.column("whale_sell_usd")
    retail = facts.column("retail_buy_usd") + facts.column("retail_sell_usd")
    gross = bought + sold + np.where(np.isfinite(retail), retail, 0.0)
    return np.where(gross == 0.0, 0.0, (bought - sold) / np.where(gross == 0.0, 1.0, gross))


def retail_gap(facts: Facts) -> F64:
    """Half the distance between whales' and retail's imbalance: 1 where whales buy all that retail sells."""
    whales = imbalance(facts.column("whale_buy_usd"), facts.column("whale_sell_usd"))
    retail = imbalance(facts.column("retail_buy_usd"), facts.column("retail_sell_usd"))
    return 0.5 * (whales - retail)


def exchange_flow(facts: Facts) -> F64:
    """Coins that leave exchanges against coins that come to be sold."""
    return imbalance(facts.column("exchange_outflow_usd"), facts.column("exchange_inflow_usd"))


def taker_flow(facts: Facts) -> F64:
    """Who is in a hurry: taker purchases against taker sales."""
    return imbalance(facts.column("taker_buy_volume"), facts.column("taker_sell_volume"))


def retail_flow(facts: Facts) -> F64:
    """Which way small orders press."""
    return imbalance(facts.column("retail_buy_usd"), facts.column("retail_sell_usd"))


def funding(facts: Facts) -> F64:
    """What longs pay to shorts."""
    return facts.column("funding_rate_frac")


def open_interest(facts: Facts) -> F64:
    """Dollars of open contracts."""
    return facts.column("open_interest_usd")


_WHALES = ("whale_buy_usd", "whale_sell_usd")
_RETAIL = ("retail_buy_usd", "retail_sell_usd")

#: Names are part of the configuration: agents ask for sources by them. Funding has stood at exactly one
#: basis point for 42 % of all settlements, with standard deviations of 2.4 to 4.1 (Binance 2019-2024).
SOURCES: dict[str, Source] = {
    "whale_flow": Source(Family.TRADES, _WHALES, whale_flow, noise=0.01),
    "retail_gap": Source(Family.TRADES, (*_WHALES, *_RETAIL), retail_gap, noise=0.01),
    "taker_flow": Source(Family.TRADES, ("taker_buy_volume", "taker_sell_volume"), taker_flow, noise=0.01),
    "absorption": Source(Family.TRADES, _RETAIL, retail_flow, noise=0.01),
    "exchange_flow": Source(
        Family.CHAIN, ("exchange_inflow_usd", "exchange_outflow_usd"), exchange_flow, noise=0.01
    ),
    "funding": Source(Family.LEVERAGE, ("funding_rate_frac",), funding, noise=0.5e-4),
    "open_interest": Source(
        Family.LEVERAGE, ("open_interest_usd",), open_interest, noise=0.0, noise_frac=0.01
    ),
}


def known_since(facts: Facts, names: tuple[str, ...]) -> I64:
    """When the oldest of some facts became known, ``(n,)``; 0 where one never did."""
    absent = [name for name in names if name not in facts.names]
    if absent:
        return np.zeros(len(facts.values), dtype=np.int64)
    columns = [facts.names.index(name) for name in names]
    since: I64 = facts.as_of_ns[:, columns].min(axis=1)
    return since
