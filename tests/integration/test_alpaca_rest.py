"""The unmodified alpaca-py TradingClient and CryptoHistoricalDataClient against the practice exchange."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.enums import Sort
from alpaca.common.exceptions import APIError
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoLatestTradeRequest,
    CryptoQuoteRequest,
    CryptoSnapshotRequest,
    CryptoTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopOrderRequest,
    TrailingStopOrderRequest,
)

from tests.dialect_words import broken, data_client, trading_client
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USD"
_numbers = itertools.count()


@pytest.fixture
def alpaca(dialect_exchange: RunningExchange) -> Any:
    return trading_client(dialect_exchange)


def last(exchange: RunningExchange) -> float:
    wish = CryptoLatestTradeRequest(symbol_or_symbols=SYMBOL)
    return float(data_client(exchange).get_crypto_latest_trade(wish)[SYMBOL].price)


def new_id() -> str:
    return f"a-test-{next(_numbers)}"


def limit_order(exchange: RunningExchange, part: float = 0.5, **fields: Any) -> LimitOrderRequest:
    wish = {"symbol": SYMBOL, "qty": 0.01, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
    wish["limit_price"] = round(last(exchange) * part, 2)
    return LimitOrderRequest(**(wish | fields))


def market_order(**fields: Any) -> MarketOrderRequest:
    wish = {"symbol": SYMBOL, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC, **fields}
    return MarketOrderRequest(**wish)


def code_of(error: pytest.ExceptionInfo[APIError]) -> tuple[int, int]:
    return error.value.status_code, json.loads(str(error.value))["code"]


def test_the_account_and_the_venue(alpaca: Any) -> None:
    account = alpaca.get_account()
    assert (account.status.value, account.currency) == ("ACTIVE", "USD")
    assert float(account.cash) <= float(account.equity)
    assert account.account_blocked is False
    assert alpaca.get_account_configurations().no_shorting is True
    clock = alpaca.get_clock()
    assert clock.is_open
    assert abs(clock.timestamp - datetime.now(UTC)) < timedelta(seconds=10)
    days = alpaca.get_calendar(GetCalendarRequest(start="2024-01-01", end="2024-01-07"))
    assert [day.date.day for day in days] == [1, 2, 3, 4, 5, 6, 7]


def test_assets_by_every_name(alpaca: Any) -> None:
    assets = {
        one.symbol: one for one in alpaca.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    }
    bitcoin = assets[SYMBOL]
    assert bitcoin.tradable
    assert bitcoin.min_trade_increment == 0.00001
    for name in (SYMBOL, "BTCUSD", bitcoin.id):
        assert alpaca.get_asset(name).id == bitcoin.id
    assert alpaca.get_all_assets(GetAssetsRequest(asset_class=AssetClass.US_EQUITY)) == []
    with pytest.raises(APIError) as error:
        alpaca.get_asset("AAPL")
    assert code_of(error) == (404, 40410000)


def test_a_market_order_fills_and_becomes_a_position(alpaca: Any) -> None:
    name = new_id()
    order = alpaca.submit_order(market_order(qty=0.5, client_order_id=name))
    assert (order.status, order.filled_qty, order.client_order_id) == (OrderStatus.FILLED, "0.5", name)
    assert alpaca.get_order_by_id(order.id) == order
    assert alpaca.get_order_by_client_id(name) == order
    position = alpaca.get_open_position("BTCUSD")
    assert float(position.avg_entry_price) > 0
    assert float(position.market_value) == pytest.approx(float(position.qty) * float(position.current_price))
    assert position.symbol in {one.symbol for one in alpaca.get_all_positions()}
    fills = alpaca.get("/account/activities/FILL", {"page_size": 100})
    mine = [fill for fill in fills if fill["order_id"] == str(order.id)]
    assert sum(float(fill["qty"]) for fill in mine) == 0.5
    assert max(mine, key=lambda fill: float(fill["cum_qty"]))["type"] == "fill"


def test_activities_page_without_loss_or_repeat(alpaca: Any) -> None:
    for _ in range(3):
        alpaca.submit_order(market_order(qty=0.01))
    whole = [fill["id"] for fill in alpaca.get("/account/activities", {"activity_types": "FILL"})]
    paged: list[str] = []
    while page := alpaca.get(
        "/account/activities/FILL", {"page_size": 2, **({"page_token": paged[-1]} if paged else {})}
    ):
        paged += [fill["id"] for fill in page]
    assert paged[: len(whole)] == whole
    assert len(set(paged)) == len(paged)


def test_orders_for_an_amount_of_money(alpaca: Any) -> None:
    order = alpaca.submit_order(market_order(notional=500))
    assert (order.notional, order.qty, order.status) == ("500", None, OrderStatus.FILLED)
    assert 400 < float(order.filled_qty) * float(order.filled_avg_price) <= 500


def test_a_limit_order_rests_shows_and_cancels(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    before = float(alpaca.get_account().cash)
    order = alpaca.submit_order(limit_order(dialect_exchange))
    assert order.status is OrderStatus.NEW
    assert float(alpaca.get_account().cash) < before
    open_ids = {one.id for one in alpaca.get_orders()}
    assert order.id in open_ids
    alpaca.cancel_order_by_id(order.id)
    gone = alpaca.get_order_by_id(order.id)
    assert gone.status is OrderStatus.CANCELED
    assert gone.canceled_at is not None
    assert float(alpaca.get_account().cash) == before
    with pytest.raises(APIError) as error:
        alpaca.cancel_order_by_id(order.id)
    assert code_of(error) == (422, 42210000)


def test_stop_limit_and_ioc(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    price = last(dialect_exchange)
    stop = alpaca.submit_order(
        StopLimitOrderRequest(
            symbol=SYMBOL,
            qty=0.01,
            side=OrderSide.SELL,
            time_in_force=TimeInForce.GTC,
            stop_price=round(price * 0.5, 2),
            limit_price=round(price * 0.4, 2),
        )
    )
    assert stop.status is OrderStatus.NEW
    alpaca.cancel_order_by_id(stop.id)
    missed = alpaca.submit_order(limit_order(dialect_exchange, time_in_force=TimeInForce.IOC))
    assert missed.status is OrderStatus.CANCELED


def test_cancel_all_and_the_list_of_orders(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    names = [new_id() for _ in range(3)]
    for name in names:
        alpaca.submit_order(limit_order(dialect_exchange, client_order_id=name))
    assert {one.status for one in alpaca.cancel_orders()} == {200}
    assert alpaca.get_orders() == []
    closed = GetOrdersRequest(status=QueryOrderStatus.CLOSED, limit=3, symbols=[SYMBOL])
    assert [one.client_order_id for one in alpaca.get_orders(closed)] == names[::-1]
    first = alpaca.get_order_by_client_id(names[0])
    later = GetOrdersRequest(status=QueryOrderStatus.ALL, after=first.submitted_at, direction=Sort.ASC)
    assert all(one.submitted_at > first.submitted_at for one in alpaca.get_orders(later))
    sells = GetOrdersRequest(status=QueryOrderStatus.ALL, side=OrderSide.SELL)
    assert {one.side for one in alpaca.get_orders(sells)} <= {OrderSide.SELL}


def test_replace_links_both_orders(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    old = alpaca.submit_order(limit_order(dialect_exchange))
    name = new_id()
    price = round(float(str(old.limit_price)) - 1, 2)
    new = alpaca.replace_order_by_id(old.id, ReplaceOrderRequest(limit_price=price, client_order_id=name))
    assert (new.replaces, new.client_order_id, float(str(new.limit_price))) == (old.id, name, price)
    replaced = alpaca.get_order_by_id(old.id)
    assert (replaced.status, replaced.replaced_by) == (OrderStatus.REPLACED, new.id)
    alpaca.cancel_order_by_id(new.id)
    with pytest.raises(APIError) as error:
        alpaca.replace_order_by_id(new.id, ReplaceOrderRequest(limit_price=price))
    assert code_of(error) == (422, 42210000)


def test_a_client_id_never_returns(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    name = new_id()
    alpaca.submit_order(market_order(qty=0.01, client_order_id=name))
    with pytest.raises(APIError) as error:
        alpaca.submit_order(market_order(qty=0.01, client_order_id=name))
    assert code_of(error) == (422, 40010001)
    assert "client_order_id must be unique" in str(error.value)


def test_positions_are_closed_by_part_and_as_a_whole(dialect_exchange: RunningExchange) -> None:
    client = trading_client(dialect_exchange, "main")
    before = float(client.get_open_position("ETHUSD").qty)
    half = client.close_position("ETHUSD", ClosePositionRequest(percentage="50"))
    assert half.side is OrderSide.SELL
    assert float(client.get_open_position("ETHUSD").qty) < before
    closed = {one.symbol: one.status for one in client.close_all_positions(cancel_orders=True)}
    assert closed["ETHUSD"] == 200
    # Nobody buys dollars that are not quoted.
    assert closed["USDTUSD"] == 404


def test_what_alpaca_refuses_is_refused_in_its_words(alpaca: Any, dialect_exchange: RunningExchange) -> None:
    price = last(dialect_exchange)
    sell: dict[str, Any] = {"symbol": SYMBOL, "qty": 0.01, "side": OrderSide.SELL}
    gtc = TimeInForce.GTC
    refused = [
        (market_order(qty=0.01, symbol="AAPL"), 422, 42210000),
        (market_order(qty=0.01, time_in_force=TimeInForce.DAY), 422, 42210000),
        (market_order(qty=0.00001), 403, 40310000),
        (market_order(qty=1e-7), 403, 40310000),
        (limit_order(dialect_exchange, limit_price=1000.001), 422, 42210000),
        (StopOrderRequest(**sell, time_in_force=gtc, stop_price=round(price * 0.5, 2)), 422, 40010001),
        (TrailingStopOrderRequest(**sell, time_in_force=gtc, trail_percent=5), 422, 40010001),
    ]
    for wish, status, code in refused:
        with pytest.raises(APIError) as error:
            alpaca.submit_order(wish)
        assert code_of(error) == (status, code), wish
    poor = trading_client(dialect_exchange, "poor")
    with pytest.raises(APIError) as error:
        poor.submit_order(market_order(qty=1))
    assert code_of(error) == (403, 40310000)
    with pytest.raises(APIError) as error:
        alpaca.get_order_by_id(UUID(int=7))
    assert code_of(error) == (404, 40410000)


def test_keys_are_checked(dialect_exchange: RunningExchange) -> None:
    key = dialect_exchange.key("alpaca")
    forged = TradingClient(key.api_key, "x" * 40, url_override=dialect_exchange.dialect_url("alpaca"))
    with pytest.raises(APIError) as error:
        forged.get_account()
    assert code_of(error) == (401, 40110000)
    reader = trading_client(dialect_exchange, permission="read")
    assert reader.get_account().trade_suspended_by_user is True
    with pytest.raises(APIError) as error:
        reader.submit_order(market_order(qty=0.01))
    assert code_of(error) == (403, 40310000)


@pytest.mark.parametrize("kind", ["drop_after", "status_after", "html", "truncated"])
def test_a_broken_answer_proves_nothing(alpaca: Any, dialect_exchange: RunningExchange, kind: str) -> None:
    name = new_id()
    wish = limit_order(dialect_exchange, client_order_id=name)
    plan = {"requests": [{"kind": kind, "on": "POST /alpaca/v2/orders", "times": 1, "status": 500}]}
    with broken(dialect_exchange, plan), pytest.raises((APIError, OSError, ValueError)):
        alpaca.submit_order(wish)
    assert alpaca.get_order_by_client_id(name).status is OrderStatus.NEW
    alpaca.cancel_orders()


def test_the_client_repeats_by_itself_and_only_the_id_stops_it(
    alpaca: Any, dialect_exchange: RunningExchange
) -> None:
    """facts/failures.md 0.4: one call, a 504 after the order was taken, and a second POST."""
    name = new_id()
    wish = limit_order(dialect_exchange, client_order_id=name)
    plan = {"requests": [{"kind": "status_after", "on": "POST /alpaca/v2/orders", "times": 1, "status": 504}]}
    alpaca._retry_wait = 0
    with broken(dialect_exchange, plan), pytest.raises(APIError, match="must be unique"):
        alpaca.submit_order(wish)
    assert alpaca.get_order_by_client_id(name).status is OrderStatus.NEW
    alpaca.cancel_orders()


# -- market data -----------------------------------------------------------------------------------------


def test_the_newest_of_everything(dialect_exchange: RunningExchange) -> None:
    client = data_client(dialect_exchange)
    both = [SYMBOL, "ETH/USD"]
    quotes = client.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=both))
    assert set(quotes) == set(both)
    assert 0 < quotes[SYMBOL].bid_price < quotes[SYMBOL].ask_price
    bar = client.get_crypto_latest_bar(CryptoLatestBarRequest(symbol_or_symbols=SYMBOL))[SYMBOL]
    assert bar.low <= bar.open <= bar.high
    book = client.get_crypto_latest_orderbook(CryptoLatestOrderbookRequest(symbol_or_symbols=SYMBOL))[SYMBOL]
    assert book.bids[0].price < book.asks[0].price
    shot = client.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols=SYMBOL))[SYMBOL]
    assert shot.latest_quote.ask_price > 0
    assert shot.daily_bar.high >= shot.minute_bar.low


def test_history_comes_page_by_page(dialect_exchange: RunningExchange) -> None:
    client = data_client(dialect_exchange)
    now = client.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=SYMBOL))[SYMBOL].timestamp
    span = {"start": now - timedelta(hours=12), "end": now}
    both = [SYMBOL, "ETH/USD"]
    minutes = client.get_crypto_bars(
        CryptoBarsRequest(symbol_or_symbols=both, timeframe=TimeFrame.Minute, **span)
    )
    assert {symbol: len(bars) for symbol, bars in minutes.data.items()} == dict.fromkeys(
        both, len(minutes[SYMBOL])
    )
    assert len(minutes[SYMBOL]) >= 12 * 60 - 1
    for earlier, later in itertools.pairwise(minutes[SYMBOL]):
        assert later.timestamp - earlier.timestamp == timedelta(minutes=1)
    assert paged(client, {name: stamp.isoformat() for name, stamp in span.items()}) == {
        symbol: [bar.open for bar in minutes[symbol]] for symbol in both
    }
    hours = client.get_crypto_bars(
        CryptoBarsRequest(symbol_or_symbols=SYMBOL, timeframe=TimeFrame(4, TimeFrameUnit.Hour), **span)
    )
    assert all(bar.timestamp.hour % 4 == 0 for bar in hours[SYMBOL])
    few = client.get_crypto_bars(
        CryptoBarsRequest(symbol_or_symbols=SYMBOL, timeframe=TimeFrame.Minute, limit=5, **span)
    )
    assert [bar.timestamp for bar in few[SYMBOL]] == [bar.timestamp for bar in minutes[SYMBOL][:5]]
    newest = CryptoBarsRequest(
        symbol_or_symbols=SYMBOL, timeframe=TimeFrame.Minute, limit=3, sort=Sort.DESC, **span
    )
    stamps = [bar.timestamp for bar in client.get_crypto_bars(newest)[SYMBOL]]
    assert stamps == sorted(stamps, reverse=True)
    trades = client.get_crypto_trades(CryptoTradesRequest(symbol_or_symbols=SYMBOL, limit=10, **span))
    assert len(trades[SYMBOL]) == 10
    quotes = client.get_crypto_quotes(CryptoQuoteRequest(symbol_or_symbols=SYMBOL, start=span["start"]))
    assert len(quotes[SYMBOL]) == 1


def paged(client: Any, span: dict[str, str]) -> dict[str, list[float]]:
    """Opening prices of both symbols, a hundred rows a page, as the tokens lead."""
    request = {"symbols": "BTC/USD,ETH/USD", "timeframe": "1Min", "limit": 100, **span}
    found: dict[str, list[float]] = {}
    while True:
        page = client.get("/crypto/us/bars", request)
        assert sum(len(bars) for bars in page["bars"].values()) <= 100
        for symbol, bars in page["bars"].items():
            found.setdefault(symbol, []).extend(bar["o"] for bar in bars)
        if page["next_page_token"] is None:
            return found
        request["page_token"] = page["next_page_token"]
