"""Live feed: closed bars of a real venue through ccxt's public endpoints, as they close.

A bar is there once it is proven closed: the venue shows a newer one, or our clock has passed its close
by more than clocks may differ. What cannot be read is not there; it comes late, or never, and nothing
is made up for it. Quotes are the close -/+ half the typical spread, as in a replay.
"""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import ccxt
import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.market.feed import RawRows, no_rows
from tg_actors.market.timeframes import Timeframe
from tg_actors.market.transport import OneShotSession, pointed_at

_MS_NS = 1_000_000
_SECOND_NS = 1_000_000_000
_BPS = 1e-4
#: How much a venue's clock may differ from ours before a running bar could pass for a closed one.
_SKEW_NS = 5 * _SECOND_NS
#: How long a bar that has just closed is waited for, and how often it is asked for meanwhile.
_PATIENCE_S = 10.0
_AGAIN_S = 1.0
_CALL_S_MAX = 5.0
#: No venue gives more bars in one answer.
_PAGE_BARS = 1000
_COLUMNS = 6
#: What ccxt raises, and what it lets through while it digests a body that it did not expect.
_FAILURES = (
    ccxt.BaseError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    ArithmeticError,
    OSError,
)

#: Open time in milliseconds, then open, high, low, close, volume.
Candle = Sequence[float]


class Candles(Protocol):
    """Asks a venue for candles from an instant on, oldest first, the running one too; none on failure."""

    def __call__(self, symbol: str, since_ms: int, limit: int) -> Sequence[Candle]:
        """Ask once."""
        ...


class Clock(Protocol):
    """The wall clock, and waiting."""

    def now_ns(self) -> int:
        """UTC nanoseconds."""
        ...

    def wait(self, seconds: float) -> None:
        """Come back after so many seconds."""
        ...


class _WallClock:
    def now_ns(self) -> int:
        return time.time_ns()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)  # until a bar that has closed is shown


class VenueFeed:
    """A :class:`~tg_actors.market.feed.Feed` without an end; cycle 0 is the bar that opens at ``start_ns``.

    Rows of a cycle are asked for once; a cycle asked for again gives the same rows.
    """

    def __init__(
        self,
        candles: Candles,
        symbols: tuple[str, ...],
        timeframe: Timeframe,
        start_ns: int,
        spread_bps: Mapping[str, float],
        clock: Clock | None = None,
        days: Candles | None = None,
    ) -> None:
        self.symbols = symbols
        self.bar_ns = timeframe.bar_ns
        self.start_ns = start_ns // self.bar_ns * self.bar_ns
        self.cycles: int | None = None
        self._candles = candles
        self._days = days
        self._half_spreads = [spread_bps[symbol] / 2.0 * _BPS for symbol in symbols]
        self._clock = clock or _WallClock()
        #: Rows by the cycle in which they came, per instrument.
        self._came: list[dict[int, RawRows]] = [{} for _ in symbols]
        #: Open of the newest bar that came, per instrument.
        self._newest_ns = [self.start_ns - self.bar_ns for _ in symbols]
        #: The newest history that was read, per instrument: from when, until when, and what.
        self._read: list[tuple[int, int, dict[int, Candle]]] = [(0, 0, {}) for _ in symbols]

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows of instrument ``i`` that have come by the close of the one cycle asked for.

        Raises:
            ValueError: more than one cycle at once; nobody knows the future.
        """
        if count != 1:
            raise ValueError(f"a live market is read cycle by cycle, not {count} at once")
        if first_cycle not in self._came[i]:
            rows = self._fresh(i, first_cycle)
            if not len(rows):
                return rows
            # Older cycles are never asked for again; a seek reads the history.
            self._came[i] = {first_cycle: rows}
            self._newest_ns[i] = max(self._newest_ns[i], int(rows.open_ns[-1]))
        return self._came[i][first_cycle]

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest ``n_bars`` closed bars before a cycle, as far back as the venue shows them."""
        end_ns = self._open_ns(before_cycle)
        since_ns = end_ns - n_bars * self.bar_ns
        self._newest_ns[i] = end_ns - self.bar_ns
        found = self._pages(self._candles, self.symbols[i], since_ns, end_ns, self.bar_ns)
        self._read[i] = since_ns, end_ns, found
        return self._rows(i, dict(sorted(found.items())[-n_bars:]))

    def past(self, i: int, first_cycle: int, end_cycle: int) -> RawRows:
        """Closed bars of these cycles as far back as the venue shows them; asks for what it has not read."""
        since_ns, end_ns = self._open_ns(first_cycle), self._open_ns(end_cycle)
        read_ns, until_ns, found = self._read[i]
        if until_ns != end_ns or read_ns > since_ns:
            found = self._pages(self._candles, self.symbols[i], since_ns, end_ns, self.bar_ns)
        return self._rows(i, {at_ns: found[at_ns] for at_ns in sorted(found) if at_ns >= since_ns})

    def daily(self, i: int, end_ns: int, count: int) -> RawRows:
        """The venue's own bars of whole UTC days, none where it has no such bars."""
        if self._days is None:
            return no_rows()
        day_ns = Timeframe.DAY_1.bar_ns
        found = self._pages(self._days, self.symbols[i], end_ns - count * day_ns, end_ns, day_ns)
        return self._rows(i, dict(sorted(found.items())[-count:]))

    def _pages(
        self, candles: Candles, symbol: str, since_ns: int, end_ns: int, bar_ns: int
    ) -> dict[int, Candle]:
        """Closed candles from an instant on, page after page, by their open."""
        found: dict[int, Candle] = {}
        while since_ns < end_ns:
            page = self._closed(candles(symbol, since_ns // _MS_NS, _PAGE_BARS), end_ns, bar_ns)
            fresh = {open_ns: candle for open_ns, candle in page.items() if open_ns not in found}
            if not fresh:
                break
            found |= fresh
            since_ns = max(fresh) + bar_ns
        return found

    def _fresh(self, i: int, cycle: int) -> RawRows:
        """Bars that closed since the newest known one, up to this cycle's; waits a little for the last."""
        open_ns = self._open_ns(cycle)
        close_ns = open_ns + self.bar_ns
        if self._clock.now_ns() < close_ns:
            return no_rows()
        # Counted from the close: a venue that is down costs this wait once, not once per instrument.
        deadline_ns = close_ns + int(_PATIENCE_S * _SECOND_NS)
        since_ns = min(self._newest_ns[i] + self.bar_ns, open_ns)
        while True:
            shown = self._candles(self.symbols[i], since_ns // _MS_NS, _PAGE_BARS)
            closed = self._closed(shown, close_ns, self.bar_ns)
            if open_ns in closed or self._clock.now_ns() > deadline_ns:
                return self._rows(i, {at: candle for at, candle in closed.items() if at >= since_ns})
            self._clock.wait(_AGAIN_S)

    def _closed(self, candles: Sequence[Candle], before_ns: int, bar_ns: int) -> dict[int, Candle]:
        """Candles that are proven closed and closed not after ``before_ns``, by their open, in order."""
        shown = {int(candle[0]) * _MS_NS: candle for candle in candles if _is_candle(candle)}
        newest_ns = max(shown, default=0)
        sure_ns = self._clock.now_ns() - _SKEW_NS
        return {
            open_ns: shown[open_ns]
            for open_ns in sorted(shown)
            if open_ns + bar_ns <= before_ns and (open_ns < newest_ns or open_ns + bar_ns <= sure_ns)
        }

    def _rows(self, i: int, candles: Mapping[int, Candle]) -> RawRows:
        if not candles:
            return no_rows()
        ohlcv: F64 = np.array([candle[1:] for candle in candles.values()], dtype=np.float64)
        closes, half = ohlcv[:, 3], self._half_spreads[i]
        return RawRows(
            np.array(list(candles), dtype=np.int64), ohlcv, closes * (1.0 - half), closes * (1.0 + half)
        )

    def _open_ns(self, cycle: int) -> int:
        return self.start_ns + cycle * self.bar_ns


def _is_candle(candle: Candle) -> bool:
    is_numeric = all(isinstance(part, int | float) for part in candle)
    return len(candle) == _COLUMNS and is_numeric and isinstance(candle[0], int)


def open_venue_feed(
    exchange: str,
    url: str | None,
    symbols: tuple[str, ...],
    timeframe: Timeframe,
    start_ns: int,
    spread_bps: Mapping[str, float],
) -> VenueFeed:
    """Connect to a venue's public endpoints and read its markets.

    Raises:
        UserError: ccxt knows no such exchange, it does not answer, or it lacks a symbol or the timeframe.
    """
    client = _client(exchange, url)
    try:
        client.load_markets()
    except _FAILURES as error:
        sentence = (
            f"cannot read the markets of {exchange} ({type(error).__name__}): check the network, or wait"
        )
        raise UserError(sentence) from None
    for symbol in symbols:
        if symbol not in client.markets:
            raise UserError(f"{exchange} does not trade {symbol}: leave it out, or name another exchange")
    if timeframe.value not in (client.timeframes or {}):
        raise UserError(f"{exchange} has no bars of {timeframe.value}: choose another timeframe")
    has_days = Timeframe.DAY_1.value in client.timeframes
    days = _candles(client, Timeframe.DAY_1) if has_days else None
    return VenueFeed(_candles(client, timeframe), symbols, timeframe, start_ns, spread_bps, days=days)


def _client(exchange: str, url: str | None) -> Any:
    if exchange not in ccxt.exchanges:
        raise UserError(f"ccxt knows no exchange {exchange!r}: write its id in small letters, such as kraken")
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    client = getattr(ccxt, exchange)(
        {
            "enableRateLimit": url is None,
            "timeout": int(_CALL_S_MAX * 1000),
            "session": OneShotSession(_CALL_S_MAX),
            "options": {"maxRetriesOnFailure": 0, "defaultType": "spot", "fetchMarkets": {"types": ["spot"]}},
        }
    )
    client.has["fetchCurrencies"] = False
    if url is not None:
        client.urls["api"] = pointed_at(client.urls["api"], url)
    return client


def _candles(client: Any, timeframe: Timeframe) -> Candles:
    def candles(symbol: str, since_ms: int, limit: int) -> Sequence[Candle]:
        try:
            found: Sequence[Candle] = client.fetch_ohlcv(symbol, timeframe.value, since_ms, limit)
        except _FAILURES as error:
            logging.getLogger(__name__).warning("no bars of %s: %s", symbol, type(error).__name__)
            return ()
        return found

    return candles
