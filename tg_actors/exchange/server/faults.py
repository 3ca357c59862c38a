"""Faults on demand: a plan, drawn from its seed or scripted, decided here and carried out by the shell."""

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Literal

import numpy as np
from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.exchange.server.hub import AccountTopic, BookTopic, CandleTopic, DayTopic, Delivery, TradeTopic
from tg_actors.exchange.server.records import VenueState

_MS_NS = 10**6
_SECOND_NS = 10**9
#: How long something that overtakes another lets it wait.
_OVERTAKEN_S = 0.1


class RequestFaultKind(StrEnum):
    """What may happen to a request. ``*_after`` happens when the exchange has done what was asked."""

    DROP_BEFORE = "drop_before"
    DELAY_BEFORE = "delay_before"
    STATUS_BEFORE = "status_before"
    BAN = "ban"
    BUSY = "busy"
    DROP_AFTER = "drop_after"
    DELAY_AFTER = "delay_after"
    STATUS_AFTER = "status_after"
    HTML = "html"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    NULL = "null"


class StreamFaultKind(StrEnum):
    """What may happen to a stream: items lost, repeated, late, overtaken; silence; a gap in the numbering."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    LATE = "late"
    REORDER = "reorder"
    STALL = "stall"
    HOLE = "hole"


class RequestFault(Message):
    """One fault of requests. ``on`` is a pattern (``*`` and ``?``) for ``METHOD /path``.

    It hits with ``probability``, at most ``times`` times. ``seconds`` is the length of a delay or a
    ban, ``status`` the HTTP status of ``status_*``.
    """

    kind: RequestFaultKind
    on: str = "*"
    probability: float = Field(default=1.0, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=1.0, ge=0, le=60)
    status: int = Field(default=503, ge=400, le=599)


class StreamFault(Message):
    """One fault of streams, for topics of one sort. ``seconds`` is the length of a delay or a silence."""

    kind: StreamFaultKind
    on: Literal["*", "account", "book", "trade", "candle", "day"] = "*"
    probability: float = Field(default=1.0, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)
    seconds: float = Field(default=1.0, ge=0, le=60)


class FaultPlan(Message):
    """Everything that is to go wrong; an empty plan is a sound venue."""

    seed: int = Field(default=1, ge=0)
    requests: tuple[RequestFault, ...] = ()
    streams: tuple[StreamFault, ...] = ()
    venue_state: VenueState = VenueState.ONLINE
    clock_skew_ms: int = Field(default=0, ge=-60_000, le=60_000)
    read_lag_ms: int = Field(default=0, ge=0, le=1_000)


_TOPIC_NAMES: dict[type, str] = {
    AccountTopic: "account",
    BookTopic: "book",
    TradeTopic: "trade",
    CandleTopic: "candle",
    DayTopic: "day",
}


class Faults:
    """The plan in force, its dice, and how often what has happened. No clock of its own."""

    def __init__(self, plan: FaultPlan, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self.counts: Counter[str] = Counter()
        self.follow(plan)

    def follow(self, plan: FaultPlan) -> None:
        """Replace the plan; counters go on."""
        self.plan = plan
        self._rng = np.random.Generator(np.random.PCG64(plan.seed))
        self._request_left = [fault.times for fault in plan.requests]
        self._stream_left = [fault.times for fault in plan.streams]
        self._silent_until_ns = 0
        self._banned_until_ns = 0

    @property
    def venue_state(self) -> VenueState:
        """What the venue pretends to be."""
        return self.plan.venue_state

    @property
    def clock_skew_ns(self) -> int:
        """How far the server's clock is off."""
        return self.plan.clock_skew_ms * _MS_NS

    @property
    def read_lag_ns(self) -> int:
        """How old an order must be before look-ups show it."""
        return self.plan.read_lag_ms * _MS_NS

    @property
    def is_silent(self) -> bool:
        """Whether streams are stalled: open, and not even a heartbeat comes."""
        return self._clock_ns() < self._silent_until_ns

    @property
    def is_banned(self) -> bool:
        """Whether every request is refused as banned."""
        return self._clock_ns() < self._banned_until_ns

    def strike(self, request: str) -> RequestFault | None:
        """Decide what happens to a request, given as ``METHOD /path``."""
        for k, fault in enumerate(self.plan.requests):
            if not fnmatch.fnmatchcase(request, fault.on):
                continue
            if self._hits(self._request_left, k, fault.probability):
                self.counts[fault.kind.value] += 1
                if fault.kind is RequestFaultKind.BAN:
                    self._banned_until_ns = self._clock_ns() + int(fault.seconds * _SECOND_NS)
                return fault
        return None

    def disturb(self, delivery: Delivery) -> Iterator[tuple[Delivery, float]]:
        """Return what reaches a reader of one item, and after how many seconds."""
        waits_s = max(0, self._silent_until_ns - self._clock_ns()) / _SECOND_NS
        fault = self._stream_fault(_TOPIC_NAMES[type(delivery.topic)])
        match fault.kind if fault is not None else None:
            case StreamFaultKind.GAP:
                return
            case StreamFaultKind.DUPLICATE:
                yield delivery, waits_s
                yield delivery, waits_s
            case StreamFaultKind.LATE if fault is not None:
                yield delivery, waits_s + fault.seconds
            case StreamFaultKind.REORDER:
                yield delivery, waits_s + _OVERTAKEN_S
            case StreamFaultKind.STALL if fault is not None:
                self._silent_until_ns = self._clock_ns() + int(fault.seconds * _SECOND_NS)
                yield delivery, fault.seconds
            case StreamFaultKind.HOLE:
                yield Delivery(delivery.topic, delivery.item, delivery.skipped + 1), waits_s
            case _:
                yield delivery, waits_s

    def _stream_fault(self, name: str) -> StreamFault | None:
        for k, fault in enumerate(self.plan.streams):
            if fault.on in {"*", name} and self._hits(self._stream_left, k, fault.probability):
                self.counts[f"stream_{fault.kind.value}"] += 1
                return fault
        return None

    def _hits(self, left: list[int | None], k: int, probability: float) -> bool:
        remaining = left[k]
        if remaining == 0 or self._rng.random() >= probability:
            return False
        if remaining is not None:
            left[k] = remaining - 1
        return True
