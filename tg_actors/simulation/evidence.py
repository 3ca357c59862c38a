"""What the checker looks at: raw events of the journal and the exchange's own ledger, replayed in order.

Nothing here knows the executor. Orders are rebuilt from the text of the events alone.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO

#: Nothing more may happen to an order here but a late fill.
ENDED = frozenset({"filled", "canceled", "expired", "rejected", "not_found", "denied", "refused"})
#: Orders of these legs shrink a position or do nothing.
PROTECTIVE = frozenset({"stop", "take"})


@dataclass(frozen=True, slots=True)
class RawEvent:
    """One row of the journal's record as it stands in the database, with the time at which it got there."""

    seq: int
    epoch: int
    role: str
    type: str
    ref: str
    cycle: int
    at_ns: int
    wall_ns: int
    payload: str
    prev_hash: str
    hash: str
    begun_ns: int
    written_ns: int
    writer: str


@dataclass(frozen=True, slots=True)
class VenueRecord:
    """An order in the exchange's books."""

    client_order_id: str
    venue_order_id: str
    at_ns: int
    is_open: bool
    filled: Decimal


@dataclass(frozen=True, slots=True)
class VenueTrade:
    """An execution in the exchange's books."""

    trade_id: str
    client_order_id: str
    symbol: str
    sign: int
    quantity: Decimal
    price: Decimal
    fee: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers that must have held, as configured."""

    order_notional_max: Decimal
    gross_exposure_frac_max: Decimal
    price_band_frac: Decimal
    snapshot_age_bars_max: Decimal
    clock_offset_ns_max: int
    approval_above: Decimal | None
    starts_max: int
    starts_window_ns: int
    bar_ns: int


@dataclass(slots=True)
class Evidence:
    """Everything that a run leaves behind."""

    events: list[RawEvent]
    orders: list[VenueRecord]
    trades: list[VenueTrade]
    posts: Mapping[str, int]
    opening: Mapping[str, Decimal]
    balances: Mapping[str, Decimal]
    foreign: Mapping[str, Decimal]
    rules: Rules
    #: Mid price of an instrument in the snapshot of a cycle, None for a cycle nobody has seen.
    mid: Callable[[str, int], Decimal | None]
    #: The snapshots that there were: (cycle, market time), in order.
    snapshots: Sequence[tuple[int, int]]
    ended_ns: int
    #: By how much the machine's clock was wrong, and since when; when each executor process began.
    skews_ns: Sequence[tuple[int, int]]
    born_ns: Mapping[str, int]
    #: What happened from outside that must halt the desk: (time, what).
    causes: Sequence[tuple[int, str]] = ()
    #: From when to when the kill switch lay there as a file.
    halt_files: Sequence[tuple[int, int | None]] = ()
    crashes: Sequence[str] = ()

    def desk_ns(self, event: RawEvent) -> int:
        """What the desk's machine took the time to be when an event was begun; it may have been wrong."""
        set_before = [skew_ns for when_ns, skew_ns in self.skews_ns if when_ns <= event.begun_ns]
        return event.begun_ns + set_before[-1]

    def looked_at(self, event: RawEvent) -> list[int]:
        """Cycles whose snapshot the writer of an event may have had before it, the newest last.

        An order is of the cycle that wanted it; it may leave in a later one.
        """
        seen = [cycle for cycle, at_ns in self.snapshots if at_ns <= event.begun_ns]
        return [cycle for cycle in seen if cycle >= event.cycle]

    def count(self, kind: str) -> int:
        """How many such causes there were."""
        return sum(1 for _, what in self.causes if what == kind)


@dataclass(slots=True)
class Followed:
    """An order as its events tell it."""

    client_order_id: str
    symbol: str
    leg: str
    sign: int
    quantity: Decimal
    limit_price: Decimal
    reference_price: Decimal
    reduce_only: bool
    state: str = "permitted"
    filled: Decimal = ZERO

    @property
    def is_live(self) -> bool:
        """Whether it may still fill."""
        return self.state not in ENDED


@dataclass(slots=True)
class Word:
    """What a person was asked about an order, and where that stands."""

    intent: Mapping[str, Any]
    expires_ns: int
    state: str


@dataclass(slots=True)
class Replay:
    """The desk as it stood before an event, from the events before it."""

    orders: dict[str, Followed] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    cash: dict[str, Decimal] = field(default_factory=dict)
    state: str = "ACTIVE"
    epochs: dict[str, int] = field(default_factory=dict)
    words: dict[str, Word] = field(default_factory=dict)

    def apply(self, event: RawEvent, content: Mapping[str, Any]) -> None:
        """Take in one event."""
        step = _STEPS.get(event.type)
        if step is not None:
            step(self, event, content)
        self.epochs[event.role] = max(self.epochs.get(event.role, 0), event.epoch)


def _permitted(replay: Replay, event: RawEvent, content: Mapping[str, Any]) -> None:
    replay.orders[event.ref] = follow(event.ref, content["intent"])


def _changed(replay: Replay, event: RawEvent, content: Mapping[str, Any]) -> None:
    order = replay.orders.get(event.ref)
    if order is not None:
        order.state, order.filled = content["state"], Decimal(content["filled_quantity"])


def _filled(replay: Replay, _: RawEvent, content: Mapping[str, Any]) -> None:
    base, quote = content["symbol"].split("/")
    sign = 1 if content["side"] == "buy" else -1
    quantity, price = Decimal(content["quantity"]), Decimal(content["price"])
    symbol = content["symbol"]
    replay.positions[symbol] = replay.positions.get(symbol, ZERO) + sign * quantity
    replay.cash[base] = replay.cash.get(base, ZERO) + sign * quantity
    replay.cash[quote] = replay.cash.get(quote, ZERO) - sign * quantity * price
    fee_currency = content["fee_currency"]
    replay.cash[fee_currency] = replay.cash.get(fee_currency, ZERO) - Decimal(content["fee"])


def _switched(replay: Replay, _: RawEvent, content: Mapping[str, Any]) -> None:
    replay.state = content["state"]


def _asked(replay: Replay, event: RawEvent, content: Mapping[str, Any]) -> None:
    replay.words[event.ref] = Word(content["intent"], content["expires_ns"], "pending")


def _answered(replay: Replay, event: RawEvent, content: Mapping[str, Any]) -> None:
    if event.ref in replay.words:
        replay.words[event.ref].state = content["state"]


_STEPS: dict[str, Callable[[Replay, RawEvent, Mapping[str, Any]], None]] = {
    "OrderPermitted": _permitted,
    "OrderChanged": _changed,
    "OrderFilled": _filled,
    "TradingStateChanged": _switched,
    "ApprovalRequested": _asked,
    "ApprovalGranted": _answered,
    "ApprovalUsed": _answered,
    "ApprovalRefused": _answered,
    "ApprovalLapsed": _answered,
}


def follow(client_order_id: str, intent: Mapping[str, Any]) -> Followed:
    """Read the order that an intent asks for."""
    spec = intent["spec"]
    return Followed(
        client_order_id=client_order_id,
        symbol=spec["symbol"],
        leg=intent["leg"],
        sign=1 if spec["side"] == "buy" else -1,
        quantity=Decimal(spec["quantity"]),
        limit_price=Decimal(spec["limit_price"] or 0),
        reference_price=Decimal(intent["reference_price"]),
        reduce_only=spec["reduce_only"],
    )


def content_of(event: RawEvent) -> dict[str, Any]:
    """The payload, parsed; decimals stay texts. Nobody may change it: it is parsed once."""
    return _parsed(event.payload)


@functools.lru_cache(maxsize=2_048)
def _parsed(payload: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(payload)
    return content
