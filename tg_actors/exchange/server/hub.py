"""Live events to their readers: bounded queues, market data newest first to survive, account news never lost.

What is published here is durable already. Faults of streams are applied on the way into a queue, so
that no dialect needs to know them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Self

from tg_actors.exchange.marketplace import AccountEvent
from tg_actors.exchange.server.quotes import Book, Candle, Day, MarketTrade
from tg_actors.exchange.server.records import FillRecord, OrderRecord

#: Items a slow reader may lag behind.
QUEUE_MAX = 4096


@dataclass(frozen=True, slots=True)
class AccountTopic:
    """Everything that happens to an account."""

    account: str


@dataclass(frozen=True, slots=True)
class BookTopic:
    """The book of a symbol whenever it changes."""

    symbol: str


@dataclass(frozen=True, slots=True)
class TradeTopic:
    """Prints of a symbol."""

    symbol: str


@dataclass(frozen=True, slots=True)
class CandleTopic:
    """The running candle of a symbol, and its end."""

    symbol: str
    frame_ns: int


@dataclass(frozen=True, slots=True)
class DayTopic:
    """The rolling day of a symbol."""

    symbol: str


Topic = AccountTopic | BookTopic | TradeTopic | CandleTopic | DayTopic


@dataclass(frozen=True, slots=True)
class AccountNews:
    """Something happened to an account; ``record`` and ``fill`` are there when it concerns an order."""

    account: str
    event: AccountEvent
    record: OrderRecord | None
    fill: FillRecord | None
    at_ns: int


@dataclass(frozen=True, slots=True)
class BookShown:
    """The book changed; ``previous`` is None for the first one."""

    symbol: str
    book: Book
    previous: Book | None


@dataclass(frozen=True, slots=True)
class TradePrinted:
    """Somebody traded."""

    trade: MarketTrade


@dataclass(frozen=True, slots=True)
class CandleMoved:
    """A candle changed or ended."""

    symbol: str
    candle: Candle


@dataclass(frozen=True, slots=True)
class DayMoved:
    """The rolling day changed."""

    symbol: str
    day: Day


Item = AccountNews | BookShown | TradePrinted | CandleMoved | DayMoved


@dataclass(frozen=True, slots=True)
class Delivery:
    """One item for one reader; ``skipped`` items of its topic were lost right before it."""

    topic: Topic
    item: Item
    skipped: int = 0


#: Takes what is due for a reader and returns what reaches it, and after how many seconds. Part of the faults.
Disturbance = Callable[[Delivery], Iterable[tuple[Delivery, float]]]


class Subscription:
    """One reader's queue; an asynchronous iterator that ends when the reader is too slow for its orders."""

    def __init__(self, hub: "Hub", topics: Iterable[Topic]) -> None:
        self._hub = hub
        self._queue: deque[Delivery] = deque()
        self._ready = asyncio.Event()
        self._skipped: dict[Hashable, int] = {}
        self._closed = False
        self.topics: set[Topic] = set()
        self.add(*topics)

    def add(self, *topics: Topic) -> None:
        """Listen to more."""
        self.topics.update(topics)
        self._hub.join(self, topics)

    def remove(self, *topics: Topic) -> None:
        """Listen to less."""
        self.topics.difference_update(topics)
        self._hub.leave(self, topics)

    def close(self) -> None:
        """Stop listening; the iteration ends."""
        self._hub.leave(self, tuple(self.topics))
        self.topics.clear()
        self._closed = True
        self._ready.set()

    def offer(self, delivery: Delivery) -> None:
        """Put an item into the queue, dropping old market data when it is full."""
        if self._closed:
            return
        if len(self._queue) >= QUEUE_MAX and not self._make_room():
            self.close()
            return
        self._queue.append(delivery)
        self._ready.set()

    def lose(self, topic: Topic, count: int = 1) -> None:
        """Note that items of a topic did not reach the queue."""
        self._skipped[topic] = self._skipped.get(topic, 0) + count

    def _make_room(self) -> bool:
        for k, waiting in enumerate(self._queue):
            if not isinstance(waiting.topic, AccountTopic):
                del self._queue[k]
                self.lose(waiting.topic, 1 + waiting.skipped)
                return True
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self

    async def __anext__(self) -> Delivery:
        while not self._queue:
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        delivery = self._queue.popleft()
        skipped = delivery.skipped + self._skipped.pop(delivery.topic, 0)
        return Delivery(delivery.topic, delivery.item, skipped)


class Hub:
    """Who listens to what."""

    def __init__(self, disturb: Disturbance | None = None) -> None:
        self._readers: dict[Topic, dict[Subscription, None]] = {}
        self._disturb = disturb

    def subscribe(self, *topics: Topic) -> Subscription:
        """Start listening; use it as a context manager and iterate over it."""
        return Subscription(self, topics)

    def join(self, reader: Subscription, topics: Iterable[Topic]) -> None:
        """Called by the subscription."""
        for topic in topics:
            self._readers.setdefault(topic, {})[reader] = None

    def leave(self, reader: Subscription, topics: Iterable[Topic]) -> None:
        """Called by the subscription."""
        for topic in topics:
            readers = self._readers.get(topic, {})
            readers.pop(reader, None)
            if not readers:
                self._readers.pop(topic, None)

    def topics(self) -> tuple[Topic, ...]:
        """Everything that somebody listens to."""
        return tuple(self._readers)

    def publish(self, topic: Topic, item: Item) -> None:
        """Hand an item to every reader of a topic."""
        for reader in tuple(self._readers.get(topic, ())):
            delivery = Delivery(topic, item)
            if self._disturb is None:
                reader.offer(delivery)
                continue
            self._deliver(reader, delivery)

    def _deliver(self, reader: Subscription, delivery: Delivery) -> None:
        reached = False
        for changed, delay_s in self._disturb(delivery) if self._disturb is not None else ():
            reached = True
            if delay_s > 0:
                asyncio.get_running_loop().call_later(delay_s, reader.offer, changed)
            else:
                reader.offer(changed)
        if not reached:
            reader.lose(delivery.topic)
