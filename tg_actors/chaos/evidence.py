"""What the judge is shown: the exchange's own ledger, and the raw events of a journal. Nothing else."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO


@dataclass(frozen=True, slots=True)
class Post:
    """A request for a new order as the exchange saw it; ``taken`` when it became an order."""

    client_order_id: str
    taken: bool
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution, as either side has it."""

    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str


@dataclass(frozen=True, slots=True)
class Truth:
    """The exchange's ledger. ``open_ids`` are the client ids of the orders that rest there."""

    posts: tuple[Post, ...]
    trades: tuple[Trade, ...]
    open_ids: frozenset[str]
    opening: dict[str, Decimal]
    balances: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of the journal, its payload parsed; amounts of money are still text."""

    seq: int
    epoch: int
    role: str
    type: str
    ref: str
    wall_ns: int
    content: dict[str, Any]


def truth_of(ledger: Mapping[str, list[dict[str, Any]]]) -> Truth:
    """Read what ``tg exchange ledger --json`` prints."""
    named = {order["number"]: order["client_order_id"] or "" for order in ledger["orders"]}
    opening: dict[str, Decimal] = {}
    balances: dict[str, Decimal] = {}
    for posting in ledger["postings"]:
        currency = posting["currency"]
        balances[currency] = Decimal(posting["balance"])
        if posting["kind"] == "deposit":
            opening[currency] = opening.get(currency, ZERO) + Decimal(posting["amount"])
    return Truth(
        posts=tuple(
            Post(post["client_order_id"] or "", post["number"] is not None, post["wall_ns"])
            for post in ledger["posts"]
        ),
        trades=tuple(_trade(fill, named[fill["number"]]) for fill in ledger["fills"]),
        open_ids=frozenset(named[order["number"]] for order in ledger["orders"] if order["ended_ns"] is None),
        opening=opening,
        balances=balances,
    )


def fact_of(seq: int, epoch: int, role: str, type_: str, ref: str, wall_ns: int, payload: str) -> Fact:
    """Parse one event of a journal."""
    return Fact(seq, epoch, role, type_, ref, wall_ns, json.loads(payload))


def journal_trades(facts: Iterable[Fact]) -> tuple[Trade, ...]:
    """Every execution that the journal knows."""
    fills = (fact.content for fact in facts if fact.type == "OrderFilled")
    return tuple(_trade(fill, fill["client_order_id"]) for fill in fills)


def _trade(fill: Mapping[str, Any], client_order_id: str) -> Trade:
    return Trade(
        client_order_id=client_order_id,
        symbol=fill["symbol"],
        side=fill["side"],
        quantity=Decimal(fill["quantity"]),
        price=Decimal(fill["price"]),
        fee=Decimal(fill["fee"]),
        fee_currency=fill["fee_currency"],
    )
