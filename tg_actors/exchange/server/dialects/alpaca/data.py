"""Operations on market data: history page by page, the newest of everything, snapshots."""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tg_actors.exchange.server.dialects.alpaca import market, refusals
from tg_actors.exchange.server.dialects.alpaca.assets import Assets, Json
from tg_actors.exchange.server.dialects.alpaca.call import Answer, Call, Operation
from tg_actors.exchange.server.dialects.wire import NS_PER_S
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.quotes import Candle, MarketTrade

_ROOT = "/v1beta3/crypto/{loc}"
MINUTE_NS = 60 * NS_PER_S
DAY_NS = 24 * 60 * MINUTE_NS
_ROWS, _ROWS_MAX = 1_000, 10_000
#: Candles asked for at once while a page is filled over gaps.
_CHUNK = 1_000
_SYMBOL = re.compile(r"[A-Z0-9]+/[A-Z0-9]+")
_FRAME = re.compile(r"([1-9]\d?)(Min|min|T|Hour|hour|H|Day|D|Week|W)")
_UNITS: Mapping[str, int] = {
    "Min": MINUTE_NS,
    "min": MINUTE_NS,
    "T": MINUTE_NS,
    "Hour": 60 * MINUTE_NS,
    "hour": 60 * MINUTE_NS,
    "H": 60 * MINUTE_NS,
    "Day": DAY_NS,
    "D": DAY_NS,
    "Week": 7 * DAY_NS,
    "W": 7 * DAY_NS,
}

#: One row of history: when it is, and how it is told.
Row = tuple[int, Json]
Reader = Callable[[str, int, int], Iterator[Row]]


class Data:
    """Market data, open to everybody as at Alpaca."""

    def __init__(self, floor: Floor, assets: Assets) -> None:
        self._floor = floor
        self._assets = assets

    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By verb and path."""
        pages: Mapping[str, Callable[[Call], Answer]] = {
            "bars": self._bars,
            "trades": self._trades,
            "quotes": self._quotes,
            "latest/bars": self._latest("bars", self._minute),
            "latest/trades": self._latest("trades", self._last_trade),
            "latest/quotes": self._latest("quotes", self._quote),
            "latest/orderbooks": self._latest("orderbooks", self._orderbook),
            "snapshots": self._latest("snapshots", self._snapshot),
        }
        return {
            ("GET", f"{_ROOT}/{page}"): Operation(run, "public", private=False) for page, run in pages.items()
        }

    def _symbols(self, call: Call) -> list[str]:
        named = [name for name in call.query.get("symbols", "").split(",") if name]
        strange = [name for name in named if _SYMBOL.fullmatch(name) is None]
        if strange or not named:
            raise refusals.BAD_SYMBOLS.refusal(id=",".join(strange))
        return [name for name in named if self._assets.find(name) is not None]

    # -- history -----------------------------------------------------------------------------------

    def _bars(self, call: Call) -> Answer:
        frame = _FRAME.fullmatch(call.query.get("timeframe") or "1Min")
        if frame is None:
            raise refusals.BAD_PARAMETER.refusal(name="timeframe", why="invalid timeframe")
        frame_ns = int(frame.group(1)) * _UNITS[frame.group(2)]

        def read(symbol: str, from_ns: int, to_ns: int) -> Iterator[Row]:
            return self._read_bars(symbol, frame_ns, from_ns, to_ns)

        return self._pages(call, "bars", read)

    def _read_bars(self, symbol: str, frame_ns: int, from_ns: int, to_ns: int) -> Iterator[Row]:
        first_ns = -(-from_ns // frame_ns) * frame_ns
        while first_ns < to_ns:
            next_ns = first_ns + _CHUNK * frame_ns
            end_ns = min(next_ns, to_ns)
            found = self._floor.market.candles(symbol, frame_ns, from_ns=first_ns, to_ns=end_ns, limit=_CHUNK)
            yield from ((candle.open_ns, market.bar(candle)) for candle in found)
            first_ns = next_ns

    def _trades(self, call: Call) -> Answer:
        return self._pages(call, "trades", self._read_trades)

    def _read_trades(self, symbol: str, from_ns: int, to_ns: int) -> Iterator[Row]:
        # 1 rather than 0: a bound there is, so that the oldest come first.
        for one in self._floor.market.trades(symbol, from_ns=max(from_ns, 1), limit=_ROWS_MAX):
            if one.at_ns < to_ns:
                yield one.at_ns, market.trade(one)

    def _quotes(self, call: Call) -> Answer:
        return self._pages(call, "quotes", self._read_quotes)

    def _read_quotes(self, symbol: str, from_ns: int, to_ns: int) -> Iterator[Row]:
        # The exchange keeps the newest quote only.
        book = self._floor.market.book(symbol)
        if from_ns <= book.at_ns < to_ns:
            yield book.at_ns, market.quote(book)

    def _pages(self, call: Call, name: str, read: Reader) -> Answer:
        """One page over all symbols, in the order in which they were named."""
        descends = call.choice("sort", ("asc", "desc")) == "desc"
        limit = call.integer("limit", _ROWS, _ROWS_MAX)
        now_ns = self._floor.market_ns()
        start_ns = call.time_ns("start")
        from_ns = now_ns // DAY_NS * DAY_NS if start_ns is None else start_ns
        end_ns = call.time_ns("end")
        to_ns = now_ns + 1 if end_ns is None else min(end_ns, now_ns) + 1
        first_symbol, skip = _read_token(call.query.get("page_token", ""))
        told: dict[str, list[Json]] = {}
        count, symbols = 0, self._symbols(call)
        for symbol in symbols[symbols.index(first_symbol) if first_symbol in symbols else 0 :]:
            rows = read(symbol, from_ns, to_ns)
            ordered = iter(sorted(rows, key=lambda row: row[0], reverse=True)) if descends else rows
            for place, (_, row) in enumerate(ordered):
                if symbol == first_symbol and place < skip:
                    continue
                if count == limit:
                    return Answer({name: told, "next_page_token": _token(symbol, place)})
                told.setdefault(symbol, []).append(row)
                count += 1
        return Answer({name: told, "next_page_token": None})

    # -- the newest --------------------------------------------------------------------------------

    def _latest(self, name: str, tell: Callable[[str], Any]) -> Callable[[Call], Answer]:
        def run(call: Call) -> Answer:
            known = ((symbol, tell(symbol)) for symbol in self._symbols(call))
            return Answer({name: {symbol: told for symbol, told in known if told is not None}})

        return run

    def _minute(self, symbol: str) -> Json | None:
        return _bar_or_none(self._floor.market.candles(symbol, MINUTE_NS, limit=1))

    def _last_trade(self, symbol: str) -> Json | None:
        found: tuple[MarketTrade, ...] = self._floor.market.trades(symbol, limit=1)
        return market.trade(found[-1]) if found else None

    def _quote(self, symbol: str) -> Json | None:
        book = self._floor.market.book(symbol)
        return market.quote(book) if book.bids or book.asks else None

    def _orderbook(self, symbol: str) -> Json:
        return market.orderbook(self._floor.market.book(symbol))

    def _snapshot(self, symbol: str) -> Json | None:
        days = self._floor.market.candles(symbol, DAY_NS, limit=2)
        today_ns = self._floor.market_ns() // DAY_NS * DAY_NS
        told = {
            "latestTrade": self._last_trade(symbol),
            "latestQuote": self._quote(symbol),
            "minuteBar": self._minute(symbol),
            "dailyBar": _bar_or_none(tuple(day for day in days if day.open_ns == today_ns)),
            "prevDailyBar": _bar_or_none(tuple(day for day in days if day.open_ns < today_ns)),
        }
        known = {name: part for name, part in told.items() if part is not None}
        return known or None


def _bar_or_none(candles: tuple[Candle, ...]) -> Json | None:
    return market.bar(candles[-1]) if candles else None


def _token(symbol: str, place: int) -> str:
    return base64.urlsafe_b64encode(f"{symbol}|{place}".encode()).decode()


def _read_token(text: str) -> tuple[str, int]:
    if not text:
        return "", 0
    try:
        symbol, _, place = base64.urlsafe_b64decode(text.encode()).decode().partition("|")
        return symbol, int(place)
    except (binascii.Error, UnicodeError, ValueError) as error:
        raise refusals.BAD_PARAMETER.refusal(name="page_token", why="not one of ours") from error
