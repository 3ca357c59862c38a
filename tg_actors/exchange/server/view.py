"""The market as clients see it: book, prints, candles and the day, all at market time."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, Self

import numpy as np

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO, from_float
from tg_actors.exchange.marketplace import Marketplace
from tg_actors.exchange.quotes import Quote
from tg_actors.exchange.server.quotes import Book, Candle, Day, Level, MarketTrade
from tg_actors.exchange.server.tape import Bar
from tg_actors.market.feed import Feed, RawRows

_DAY_NS = 86_400 * 10**9
#: Prints kept per symbol.
TRADES_KEPT = 5_000
#: Bars whose candles are kept.
CANDLES_KEPT = 20_000
#: About how many strangers' trades stand behind a bar's volume, for the count that candles show.
_TRADES_PER_BAR = 60


class Movement(Protocol):
    """Where the market stands."""

    @property
    def cycle(self) -> int:
        """The first bar that is not complete."""
        ...

    @property
    def part(self) -> float:
        """How much of that bar is over, 0 to 1."""
        ...

    def running(self, symbol: str) -> Bar | None:
        """The bar that is under way; None when it does not trade or nothing is under way."""
        ...


@dataclass(frozen=True, slots=True)
class _Sums:
    """What a day of bars comes to."""

    open: float
    high: float
    low: float
    last: float
    volume: float
    notional: float
    bars: float

    @classmethod
    def of(cls, rows: RawRows) -> Self | None:
        """Sum sound rows; None without any."""
        sound = np.isfinite(rows.ohlcv).all(axis=1) & (rows.ohlcv[:, :4] > 0).all(axis=1)
        bars = rows.ohlcv[sound]
        if not len(bars):
            return None
        notional = float((bars[:, :4].mean(axis=1) * bars[:, 4]).sum())
        extremes = float(bars[:, 1].max()), float(bars[:, 2].min())
        return cls(
            float(bars[0, 0]), *extremes, float(bars[-1, 3]), float(bars[:, 4].sum()), notional, len(bars)
        )

    @classmethod
    def with_part(cls, before: "_Sums | None", bar: Bar, part: float) -> "_Sums":
        """Add the bar under way."""
        open_, high, low, last = bar.between(0.0, part)
        volume = bar.volume * part
        now = cls(open_, high, low, last, volume, volume * (open_ + high + low + last) / 4, part)
        if before is None:
            return now
        return cls(
            before.open,
            max(before.high, now.high),
            min(before.low, now.low),
            now.last,
            before.volume + now.volume,
            before.notional + now.notional,
            before.bars + now.bars,
        )


class MarketView:
    """Reads of the market. Candles follow from the feed and the position alone, so a restart changes none."""

    def __init__(self, feed: Feed, instruments: Mapping[str, Instrument], marketplace: Marketplace) -> None:
        self.symbols = feed.symbols
        self._feed = feed
        self._instruments = instruments
        self._marketplace = marketplace
        self._rows = {symbol: i for i, symbol in enumerate(feed.symbols)}
        self._trades = {symbol: deque[MarketTrade](maxlen=TRADES_KEPT) for symbol in feed.symbols}
        self._books: dict[str, Book] = {}
        self._days: dict[str, tuple[int, _Sums | None]] = {}
        self._made: dict[tuple[str, int, int], tuple[Candle, ...]] = {}
        self._movement: Movement | None = None

    def follow(self, movement: Movement) -> None:
        """Take the position of the market from here on."""
        self._movement = movement

    @property
    def at_ns(self) -> int:
        """Market time."""
        cycle, part = self._position()
        return self._feed.start_ns + cycle * self._feed.bar_ns + int(part * self._feed.bar_ns)

    @property
    def bar_ns(self) -> int:
        """Length of the feed's bars."""
        return self._feed.bar_ns

    def position_text(self) -> str:
        """Where the market stands, for the ledger: the cycle and the part of it."""
        cycle, part = self._position()
        return f"{cycle}:{part!r}"

    def quote(self, symbol: str) -> Quote | None:
        """Last price, bid and ask."""
        return self._marketplace.quote(symbol)

    def book(self, symbol: str) -> Book:
        """The book; empty before the first."""
        shown = self._books.get(symbol, Book((), (), 0, self.at_ns))
        bids, asks = self._marketplace.book(symbol)
        if not bids and not asks:
            return shown
        return Book(tuple(bids), tuple(asks), shown.version, shown.at_ns)

    def trades(
        self, symbol: str, *, after: int = 0, from_ns: int = 0, limit: int = 1000
    ) -> tuple[MarketTrade, ...]:
        """The newest prints, oldest first; with ``after`` or ``from_ns`` the oldest of those that follow."""
        found = [t for t in self._trades[symbol] if t.seq > after and t.at_ns >= from_ns]
        return tuple(found[:limit] if after or from_ns else found[-limit:])

    def candles(
        self, symbol: str, frame_ns: int, *, from_ns: int = 0, to_ns: int | None = None, limit: int = 720
    ) -> tuple[Candle, ...]:
        """The newest candles that open in ``[from_ns, to_ns)``, oldest first; the last one may be running."""
        end_ns = self.at_ns + 1 if to_ns is None else min(to_ns, self.at_ns + 1)
        first_ns = max(from_ns, (end_ns - 1) // frame_ns * frame_ns - limit * frame_ns)
        if first_ns >= end_ns:
            return ()
        first_ns = -(-first_ns // frame_ns) * frame_ns
        merged: dict[int, list[Candle]] = {}
        for piece in self._pieces(symbol, frame_ns, first_ns):
            merged.setdefault(piece.open_ns // frame_ns * frame_ns, []).append(piece)
        made = (_merge(open_ns, frame_ns, pieces, self.at_ns) for open_ns, pieces in sorted(merged.items()))
        return tuple(c for c in made if first_ns <= c.open_ns < end_ns)[-limit:]

    def candle(self, symbol: str, frame_ns: int) -> Candle | None:
        """The newest candle."""
        found = self.candles(symbol, frame_ns, limit=1)
        return found[-1] if found else None

    def day(self, symbol: str) -> Day | None:
        """The last 24 hours; None before the first price."""
        sums, quote, book = self._day_sums(symbol), self.quote(symbol), self.book(symbol)
        if sums is None or quote is None:
            return None
        bid, bid_size = book.bids[0] if book.bids else (quote.bid, ZERO)
        ask, ask_size = book.asks[0] if book.asks else (quote.ask, ZERO)
        volume, notional = from_float(sums.volume), from_float(sums.notional)
        last = self._money(symbol, sums.last)
        return Day(
            open=self._money(symbol, sums.open),
            high=self._money(symbol, sums.high),
            low=self._money(symbol, sums.low),
            last=last,
            volume=self._instruments[symbol].quantise_quantity(volume),
            quote_volume=notional,
            vwap=self._on_tick(symbol, notional / volume) if volume else last,
            trades=int(sums.bars * _TRADES_PER_BAR),
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
            at_ns=self.at_ns,
        )

    # -- what the clockwork tells ------------------------------------------------------------------

    def show_book(self, symbol: str, bids: tuple[Level, ...], asks: tuple[Level, ...], at_ns: int) -> Book:
        """Remember the book that is shown now."""
        version = self._books[symbol].version + 1 if symbol in self._books else at_ns // 10**6
        book = self._books[symbol] = Book(bids, asks, version, at_ns)
        return book

    def shown_book(self, symbol: str) -> Book | None:
        """The book as it was shown last."""
        return self._books.get(symbol)

    def add_trade(self, trade: MarketTrade) -> None:
        """Remember a print."""
        self._trades[trade.symbol].append(trade)

    # -- candles -----------------------------------------------------------------------------------

    def _position(self) -> tuple[int, float]:
        return (0, 0.0) if self._movement is None else (self._movement.cycle, self._movement.part)

    def _on_tick(self, symbol: str, price: Decimal) -> Decimal:
        return price.quantize(self._instruments[symbol].tick)

    def _money(self, symbol: str, price: float) -> Decimal:
        return self._on_tick(symbol, from_float(price))

    def _day_sums(self, symbol: str) -> "_Sums | None":
        """The bars of the day in floats: 1,440 of them a tick would be slow in Decimal."""
        cycle, part = self._position()
        kept = self._days.get(symbol)
        if kept is None or kept[0] != cycle:
            rows = self._feed.history(self._rows[symbol], cycle, _DAY_NS // self._feed.bar_ns)
            kept = self._days[symbol] = (cycle, _Sums.of(rows))
        now = None if self._movement is None else self._movement.running(symbol)
        return kept[1] if now is None or part == 0 else _Sums.with_part(kept[1], now, part)

    def _pieces(self, symbol: str, frame_ns: int, first_ns: int) -> Iterator[Candle]:
        cycle, part = self._position()
        feed, i = self._feed, self._rows[symbol]
        bars = max(0, cycle - (first_ns - feed.start_ns) // feed.bar_ns + 1)
        for open_ns, bar in _bars(feed.history(i, cycle, bars)):
            yield from self._whole(symbol, bar, open_ns, frame_ns)
        if self._movement is not None and (now := self._movement.running(symbol)) is not None and part > 0:
            yield from self._cut(symbol, now, feed.start_ns + cycle * feed.bar_ns, frame_ns, part)

    def _whole(self, symbol: str, bar: Bar, open_ns: int, frame_ns: int) -> tuple[Candle, ...]:
        """The candles of a complete bar; they never change, so they are made once."""
        name = (symbol, max(1, self._feed.bar_ns // frame_ns), open_ns)
        if name not in self._made:
            if len(self._made) >= CANDLES_KEPT:
                self._made.clear()
            self._made[name] = tuple(self._cut(symbol, bar, open_ns, frame_ns, 1.0))
        return self._made[name]

    def _cut(self, symbol: str, bar: Bar, open_ns: int, frame_ns: int, until: float) -> Iterator[Candle]:
        """One bar as candles no longer than a frame, as far as it has come."""
        bar_ns = self._feed.bar_ns
        count = max(1, bar_ns // frame_ns)
        for k in range(count):
            first, last = k / count, min((k + 1) / count, until)
            if first >= until:
                return
            open_, high, low, close = (from_float(p) for p in bar.between(first, last))
            volume = self._instruments[symbol].quantise_quantity(from_float(bar.volume * (last - first)))
            yield Candle(
                open_ns=open_ns + k * (bar_ns // count),
                frame_ns=bar_ns // count,
                open=self._on_tick(symbol, open_),
                high=self._on_tick(symbol, high),
                low=self._on_tick(symbol, low),
                close=self._on_tick(symbol, close),
                volume=volume,
                vwap=self._on_tick(symbol, (open_ + high + low + close) / 4),
                trades=max(1, int(_TRADES_PER_BAR * (last - first))),
            )


def _bars(rows: RawRows) -> Iterator[tuple[int, Bar]]:
    """Sound rows in order of time; a repeated or older one is left out."""
    newest = -1
    for k in range(len(rows)):
        open_ns = int(rows.open_ns[k])
        sound = np.isfinite(rows.ohlcv[k]).all() and (rows.ohlcv[k, :4] > 0).all()
        if sound and open_ns > newest:
            newest = open_ns
            yield open_ns, Bar.of(rows.ohlcv[k], float(rows.bid[k]), float(rows.ask[k]))


def _merge(open_ns: int, frame_ns: int, pieces: list[Candle], now_ns: int) -> Candle:
    volume = sum((piece.volume for piece in pieces), ZERO)
    notional = sum((piece.volume * piece.vwap for piece in pieces), ZERO)
    close = pieces[-1].close
    return Candle(
        open_ns=open_ns,
        frame_ns=frame_ns,
        open=pieces[0].open,
        high=max(piece.high for piece in pieces),
        low=min(piece.low for piece in pieces),
        close=close,
        volume=volume,
        vwap=(notional / volume).quantize(close) if volume else close,
        trades=sum(piece.trades for piece in pieces),
        complete=open_ns + frame_ns <= now_ns,
    )
