"""Operations that read the market and the venue's rules; open to everybody."""

from collections.abc import Mapping
from typing import Any

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO
from tg_actors.exchange.server.dialects.binance import market, refusals
from tg_actors.exchange.server.dialects.binance.call import Call, Operation
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.words import (
    INTERVALS,
    Symbols,
    milliseconds,
    symbol_id,
    text8,
)
from tg_actors.exchange.server.dialects.wire import NS_PER_MS, read_json
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.quotes import MarketTrade
from tg_actors.exchange.server.records import VenueState

_DEPTH_MAX = 5_000
_ROWS_MAX = 1_000
_AVERAGED_MINUTES = 5


class Quotation:
    """The public side of the venue."""

    def __init__(self, floor: Floor, symbols: Symbols) -> None:
        self._floor = floor
        self._symbols = symbols

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the WebSocket API."""
        return {
            "ping": Operation(self._ping),
            "time": Operation(self._time),
            "exchangeInfo": Operation(self._exchange_info, weight=20),
            "depth": Operation(self._depth, weight=5),
            "trades.recent": Operation(self._trades, weight=25),
            "trades.historical": Operation(self._trades, weight=25),
            "trades.aggregate": Operation(self._aggregates, weight=4),
            "klines": Operation(self._klines, weight=2),
            "avgPrice": Operation(self._average, weight=2),
            "ticker.24hr": Operation(self._days, weight=2),
            "ticker.price": Operation(self._prices, weight=2),
            "ticker.book": Operation(self._bests, weight=2),
            "system.status": Operation(self._status),
        }

    def instrument(self, params: Params) -> Instrument:
        """The instrument that a request names.

        Raises:
            Refusal: -1102 without a symbol, -1121 with one that is not traded.
        """
        found = self._symbols.find(params.text("symbol"))
        if found is None:
            raise refusals.BAD_SYMBOL.refusal()
        return found

    def _instruments(self, params: Params) -> tuple[Instrument, ...]:
        """The one, the some, or all instruments that a request is about."""
        listed = params.find("symbols")
        if listed is not None:
            names = _listed(listed)
            return tuple(self.instrument(Params({"symbol": name})) for name in names)
        return (self.instrument(params),) if params.find("symbol") else self._symbols.all()

    def _ping(self, _: Call) -> Any:
        return {}

    def _time(self, _: Call) -> Any:
        return {"serverTime": milliseconds(self._floor.wall_ns())}

    def _status(self, _: Call) -> Any:
        shut = self._floor.state is VenueState.MAINTENANCE
        return {"status": int(shut), "msg": "system_maintenance" if shut else "normal"}

    def _exchange_info(self, call: Call) -> Any:
        trading = self._floor.state is not VenueState.MAINTENANCE
        shown = self._instruments(call.params)
        return market.exchange_info(shown, trading=trading, now_ns=self._floor.wall_ns())

    def _depth(self, call: Call) -> Any:
        instrument = self.instrument(call.params)
        return market.depth(self._floor.market.book(instrument.symbol), call.params.limit(100, _DEPTH_MAX))

    def _trades(self, call: Call) -> Any:
        return [market.trade(one) for one in self._prints(call.params)]

    def _aggregates(self, call: Call) -> Any:
        return [market.aggregate(one) for one in self._prints(call.params)]

    def _prints(self, params: Params) -> tuple[MarketTrade, ...]:
        symbol, limit = self.instrument(params).symbol, params.limit(500, _ROWS_MAX)
        first, from_ms = params.integer("fromId"), params.integer("startTime", 0) or 0
        to_ms = params.integer("endTime")
        prints = self._floor.market.trades(
            symbol, after=max((first or 0) - 1, 0), from_ns=from_ms * NS_PER_MS, limit=_ROWS_MAX
        )
        known = tuple(one for one in prints if to_ms is None or milliseconds(one.at_ns) <= to_ms)
        return known[-limit:] if first is None and not from_ms else known[:limit]

    def _klines(self, call: Call) -> Any:
        params = call.params
        instrument, frame_ns = self.instrument(params), INTERVALS.get(params.text("interval"))
        if frame_ns is None:
            raise refusals.BAD_INTERVAL.refusal()
        from_ms, to_ms = params.integer("startTime", 0) or 0, params.integer("endTime")
        candles = self._floor.market.candles(
            instrument.symbol,
            frame_ns,
            from_ns=from_ms * NS_PER_MS,
            to_ns=None if to_ms is None else (to_ms + 1) * NS_PER_MS,
            limit=params.limit(500, _ROWS_MAX),
        )
        return [market.kline(candle) for candle in candles]

    def _average(self, call: Call) -> Any:
        symbol = self.instrument(call.params).symbol
        minutes = self._floor.market.candles(symbol, INTERVALS["1m"], limit=_AVERAGED_MINUTES)
        volume = sum((minute.volume for minute in minutes), ZERO)
        if not minutes:
            raise refusals.CLOSED.refusal()
        traded = sum((minute.volume * minute.vwap for minute in minutes), ZERO)
        price = traded / volume if volume else minutes[-1].close
        closed_ms = milliseconds(self._floor.market_ns())
        return {"mins": _AVERAGED_MINUTES, "price": text8(price), "closeTime": closed_ms}

    def _days(self, call: Call) -> Any:
        known = ((one.symbol, self._floor.market.day(one.symbol)) for one in self._instruments(call.params))
        told = [market.ticker(symbol, day, self._newest(symbol)) for symbol, day in known if day is not None]
        return _one_or_all(call.params, told)

    def _newest(self, symbol: str) -> MarketTrade | None:
        prints = self._floor.market.trades(symbol, limit=1)
        return prints[-1] if prints else None

    def _prices(self, call: Call) -> Any:
        known = ((one.symbol, self._floor.market.quote(one.symbol)) for one in self._instruments(call.params))
        told = [
            {"symbol": symbol_id(symbol), "price": text8(quote.close)}
            for symbol, quote in known
            if quote is not None
        ]
        return _one_or_all(call.params, told)

    def _bests(self, call: Call) -> Any:
        shown = self._instruments(call.params)
        told = [market.best(one.symbol, self._floor.market.book(one.symbol)) for one in shown]
        return _one_or_all(call.params, told)


def _one_or_all(params: Params, told: list[Any]) -> Any:
    if params.find("symbol") is None:
        return told
    if not told:
        raise refusals.CLOSED.refusal()
    return told[0]


def _listed(text: str) -> list[str]:
    try:
        names = read_json(text)
    except ValueError as error:
        raise refusals.Refusal(-1100, "Illegal characters found in parameter 'symbols'.") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise refusals.Refusal(-1100, "Illegal characters found in parameter 'symbols'.")
    return names
