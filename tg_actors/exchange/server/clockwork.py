"""What moves the market: by itself through every bar, or a whole bar when the operator says so."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, I64, MarketSnapshot
from tg_actors.domain.errors import UserError
from tg_actors.exchange.marketplace import Marketplace, MarketStep
from tg_actors.exchange.server.config import PacedClock, SteppedClock
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.hub import (
    BookShown,
    BookTopic,
    CandleMoved,
    CandleTopic,
    DayMoved,
    DayTopic,
    TradePrinted,
    TradeTopic,
)
from tg_actors.exchange.server.quotes import MarketTrade
from tg_actors.exchange.server.tape import Bar, Print, book_around, draw, prints_of
from tg_actors.indicators.bank import FEATURES, IndicatorBank
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import Feed

_SECOND_NS = 10**9
#: Every corner of a bar's path is met, however fast the market runs.
_STEPS_MIN = 6
#: Bars worked out at once; few, since the market is read as it goes.
_PREFETCH = 16
_PRINTS_PER_STEP = 8


class NoIndicators(IndicatorBank):
    """A bank for whom nobody asks: every feature is NaN, and costs nothing."""

    def block(self, i: int, close_ns: I64, ohlcv: F64) -> F64:
        """Nothing is known of any bar."""
        del i, ohlcv
        return np.full((len(close_ns), len(FEATURES)), np.nan)


@dataclass(frozen=True, slots=True)
class Position:
    """The first bar that is not complete, and how much of it is over."""

    cycle: int = 0
    part: float = 0.0

    @classmethod
    def of(cls, text: str) -> "Position":
        """Read what :meth:`MarketView.position_text` wrote."""
        cycle, _, part = text.partition(":")
        return cls(int(cycle), float(part))


class _Movement:
    """What both clocks share: bars through the same border as the desk's, and how they become visible."""

    def __init__(self, floor: Floor, feed: Feed, position: Position, levels: int) -> None:
        self._floor = floor
        self._feed = feed
        self._levels = levels
        self._builder = SnapshotBuilder(feed, NoIndicators, _PREFETCH)
        self._bars: dict[str, Bar] = {}
        self.cycle = position.cycle
        self.part = position.part
        self.ended = False
        floor.market.follow(self)

    @property
    def _marketplace(self) -> Marketplace:
        return self._floor.marketplace

    def running(self, symbol: str) -> Bar | None:
        """The bar under way."""
        return self._bars.get(symbol)

    def _take(self, snapshot: MarketSnapshot) -> None:
        fresh = snapshot.is_fresh
        self._bars = {
            symbol: Bar.of(snapshot.ohlcv[k], float(snapshot.bid[k]), float(snapshot.ask[k]))
            for k, symbol in enumerate(snapshot.symbols)
            if fresh[k] and symbol in self._floor.instruments
        }

    def _print(self, symbol: str, prints: Iterator[Print] | tuple[Print, ...], ordinal: int) -> None:
        view, hub = self._floor.market, self._floor.hub
        for k, one in enumerate(prints, start=1):
            trade = MarketTrade(
                ordinal * _PRINTS_PER_STEP + k, symbol, one.price, one.quantity, one.taker_side, view.at_ns
            )
            view.add_trade(trade)
            hub.publish(TradeTopic(symbol), TradePrinted(trade))

    def _show(self, symbol: str, bar: Bar, cycle: int, part: float, step: int) -> None:
        view, hub = self._floor.market, self._floor.hub
        instrument = self._floor.instruments[symbol]
        rng = draw(self._floor.config.seed, symbol, cycle, step)
        bids, asks = book_around(rng, instrument, bar, part, view.bar_ns, self._levels)
        previous = view.shown_book(symbol)
        book = view.show_book(symbol, bids, asks, view.at_ns)
        if isinstance(self, PacedClockwork):
            self._marketplace.show_book(symbol, bids, asks, view.at_ns)
        hub.publish(BookTopic(symbol), BookShown(symbol, book, previous))

    def _publish_sums(self) -> None:
        view, hub = self._floor.market, self._floor.hub
        for topic in hub.topics():
            if isinstance(topic, CandleTopic):
                for candle in view.candles(topic.symbol, topic.frame_ns, limit=2):
                    # The one under way, and the one that has ended at this very instant.
                    if candle.open_ns + candle.frame_ns >= view.at_ns:
                        hub.publish(topic, CandleMoved(topic.symbol, candle))
            elif isinstance(topic, DayTopic):
                day = view.day(topic.symbol)
                if day is not None:
                    hub.publish(topic, DayMoved(topic.symbol, day))


class PacedClockwork(_Movement):
    """The market that runs by itself; :meth:`tick` moves it by one step of ``interval_s`` real seconds."""

    def __init__(self, floor: Floor, feed: Feed, position: Position, clock: PacedClock) -> None:
        super().__init__(floor, feed, position, clock.levels)
        bar_s = feed.bar_ns / _SECOND_NS / clock.speed
        self._steps = max(_STEPS_MIN, round(bar_s * 1000 / clock.tick_ms))
        # Rounded up: with another speed there are other steps, and time never goes back.
        self._step = math.ceil(position.part * self._steps - 1e-9)
        self.part = self._step / self._steps
        self.interval_s = bar_s / self._steps
        self._load()

    def tick(self) -> None:
        """Move on: strangers trade, the book follows, time passes; nothing once the feed has ended."""
        if self.ended:
            return
        if self._step == self._steps:
            self.cycle, self._step = self.cycle + 1, 0
            self._load()
            # A bar's end is written down even when nobody traded.
            self._floor.committer.stage()
        if self.ended:
            self.part = 0.0
            return
        before, self._step = self._step / self._steps, self._step + 1
        self._move(before)

    def _load(self) -> None:
        snapshot = self._builder.advance(self.cycle)
        self._bars = {}
        if snapshot is None:
            self.ended = True
        else:
            self._take(snapshot)

    def _move(self, before: float) -> None:
        self.part = self._step / self._steps
        ordinal = self.cycle * self._steps + self._step
        for symbol, bar in self._bars.items():
            rng = draw(self._floor.config.seed, f"{symbol} prints", self.cycle, self._step)
            prints = prints_of(rng, self._floor.instruments[symbol], bar, before, self.part)
            at_ns = self._floor.market_ns()
            for one in prints:
                self._marketplace.print_trade(symbol, one.price, one.quantity, one.taker_side, at_ns)
            self._print(symbol, prints, ordinal)
            self._show(symbol, bar, self.cycle, self.part, self._step)
        self._marketplace.pass_time(self._floor.market_ns())
        self._floor.collect()
        self._publish_sums()


class SteppedClockwork(_Movement):
    """The market that moves a whole bar at a time, exactly as the exchange inside a backtest does."""

    def __init__(self, floor: Floor, feed: Feed, position: Position, clock: SteppedClock) -> None:
        super().__init__(floor, feed, position, clock.levels)
        if self.cycle > 0:
            snapshot = self._builder.advance(self.cycle - 1)
            if snapshot is not None:
                self._take(snapshot)
                self._display()

    def advance(self) -> bool:
        """Trade the next bar; False when the feed has ended."""
        snapshot = self._builder.advance(self.cycle)
        if snapshot is None:
            self.ended = True
            return False
        self._marketplace.trade_bar(MarketStep.from_snapshot(snapshot))
        self._take(snapshot)
        self.cycle += 1
        self._marketplace.pass_time(self._floor.market_ns())
        self._floor.committer.stage()
        self._floor.collect()
        self._display()
        self._publish_sums()
        return True

    def running(self, symbol: str) -> Bar | None:
        """Nothing is ever under way: bars come whole."""
        del symbol
        return None

    def _display(self) -> None:
        """Show the book at the close and some prints, for those who look; no order meets them."""
        for symbol, bar in self._bars.items():
            rng = draw(self._floor.config.seed, f"{symbol} prints", self.cycle - 1, 0)
            instrument = self._floor.instruments[symbol]
            self._print(symbol, prints_of(rng, instrument, bar, 0.0, 1.0), self.cycle - 1)
            self._show(symbol, bar, self.cycle - 1, 1.0, 0)


Clockwork = PacedClockwork | SteppedClockwork


def clockwork(floor: Floor, feed: Feed, position: Position) -> Clockwork:
    """Return the clock that the configuration asks for.

    Raises:
        UserError: the state belongs to the middle of a bar, which a stepped clock never is in.
    """
    clock = floor.config.clock
    if isinstance(clock, PacedClock):
        return PacedClockwork(floor, feed, position, clock)
    if position.part:
        raise UserError(
            "this state was made by a paced clock and stands inside a bar: go on with --clock paced or take "
            "another --state"
        )
    return SteppedClockwork(floor, feed, position, clock)
