"""Binance's and Alpaca's recorded answers have no field, and no type of a field, that ours lack."""

import asyncio
import json
from typing import Any

import aiohttp
import ccxt
import ccxt.pro
import pytest

from tests.dialect_words import (
    alpaca_config,
    binance_config,
    data_client,
    missing_from,
    recorded,
    trading_client,
)
from tests.exchange_server import RunningExchange

pytestmark = pytest.mark.data
NAUTILUS = "binance/nautilus/spot__"


@pytest.fixture
def binance(dialect_exchange: RunningExchange) -> ccxt.binance:
    return ccxt.binance(binance_config(dialect_exchange, "main"))


@pytest.mark.parametrize(
    ("path", "params", "file"),
    [
        ("time", {}, "http_json__server_time_response"),
        ("ping", {}, "http_json__ping_response"),
        ("exchangeInfo", {"symbol": "BTCUSDT"}, "http_json__exchange_info_response"),
        ("klines", {"symbol": "BTCUSDT", "interval": "1m"}, "http_json__klines_response"),
        ("trades", {"symbol": "BTCUSDT"}, "http_json__trades_response"),
        ("avgPrice", {"symbol": "BTCUSDT"}, "http_json__avg_price_response"),
        ("ticker/24hr", {"symbol": "BTCUSDT"}, "http_json__ticker_24hr_response"),
        ("ticker/price", {"symbol": "BTCUSDT"}, "http_json__ticker_price_response"),
        ("ticker/bookTicker", {"symbol": "BTCUSDT"}, "http_json__book_ticker_response"),
    ],
)
def test_public_answers_of_binance(
    binance: ccxt.binance, path: str, params: dict[str, str], file: str
) -> None:
    theirs = recorded(f"{NAUTILUS}{file}.json")
    # The text itself: ccxt turns numbers into strings.
    binance.request(path, ["public"], "GET", params)
    # Smart order routing across several books does not exist here.
    missing = missing_from(json.loads(binance.last_http_response), theirs)
    assert [one for one in missing if one != ".sors is missing"] == []


def test_depth_of_binance(binance: ccxt.binance) -> None:
    theirs = recorded("binance/xchange/depth.json")
    binance.public_get_depth({"symbol": "BTCUSDT"})
    assert missing_from(json.loads(binance.last_http_response), theirs) == []


def test_private_answers_of_binance(binance: ccxt.binance) -> None:
    def raw(method: str, path: str, params: dict[str, Any]) -> Any:
        binance.request(path, ["private"], method, params)
        return json.loads(binance.last_http_response)

    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    order |= {"quantity": "0.001", "price": "20000.00"}
    symbol = {"symbol": "BTCUSDT"}
    assert (
        missing_from(raw("GET", "account", {}), recorded(f"{NAUTILUS}http_json__account_response.json")) == []
    )
    placed = raw("POST", "order", order)
    shown = raw("GET", "order", {**symbol, "orderId": placed["orderId"]})
    assert missing_from(shown, recorded(f"{NAUTILUS}http_json__order_response.json")) == []
    resting = raw("GET", "openOrders", symbol)
    assert missing_from(resting, recorded(f"{NAUTILUS}http_json__open_orders_response.json")) == []
    gone = raw("DELETE", "order", {**symbol, "orderId": placed["orderId"]})
    assert missing_from(gone, recorded(f"{NAUTILUS}http_json__cancel_order_response.json")) == []
    everything = raw("GET", "allOrders", symbol)
    assert missing_from(everything, recorded(f"{NAUTILUS}http_json__all_orders_response.json")) == []
    raw("POST", "order", {**symbol, "side": "BUY", "type": "MARKET", "quantity": "0.001"})
    mine = raw("GET", "myTrades", symbol)
    assert missing_from(mine, recorded(f"{NAUTILUS}http_json__account_trades_response.json")) == []
    raw("POST", "order", order)
    swept = raw("DELETE", "openOrders", symbol)
    assert missing_from(swept, recorded(f"{NAUTILUS}http_json__cancel_open_orders_response.json")) == []


def test_user_data_of_binance(dialect_exchange: RunningExchange) -> None:
    wrapped = recorded(f"{NAUTILUS}user_data_json__execution_report_wrapped.json")["event"]
    position = recorded(f"{NAUTILUS}user_data_json__account_position.json")

    async def work() -> list[Any]:
        client: Any = ccxt.pro.binance(binance_config(dialect_exchange, "streams"))
        try:
            await client.authenticate({"type": "spot"})
            key, base = dialect_exchange.key("streams"), dialect_exchange.dialect_url("binance")
            headers = {"X-MBX-APIKEY": key.api_key}
            async with aiohttp.ClientSession() as session:
                async with session.post(f"{base}/api/v3/userDataStream", headers=headers) as answer:
                    listen_key = (await answer.json())["listenKey"]
                async with session.ws_connect(f"{base}/ws/{listen_key}") as socket:
                    await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 1})
                    await socket.receive()
                    await client.create_order("BTC/USDT", "market", "buy", 0.01)
                    return [json.loads(await socket.receive_str()) for _ in range(3)]
        finally:
            await client.close()

    opened, filled, balances = asyncio.run(work())
    # "I" is Binance's internal execution number, which its documentation tells clients to ignore.
    missing = [*missing_from(opened, wrapped), *missing_from(filled, wrapped)]
    assert [one for one in missing if one != ".I is missing"] == []
    assert [opened["x"], filled["x"], filled["X"]] == ["NEW", "TRADE", "FILLED"]
    assert missing_from(balances, position) == []


@pytest.fixture
def alpaca(dialect_exchange: RunningExchange) -> Any:
    client = trading_client(dialect_exchange, "main")
    client._use_raw_data = True
    return client


#: Fields of day trading, short selling and shares, which alpaca-py itself calls deprecated or optional.
SHARES_ONLY = {
    "created_at",
    "daytrade_count",
    "daytrading_buying_power",
    "options_approved_level",
    "options_trading_level",
    "pattern_day_trader",
    "usd",
    "commission",
    "last_close_pct_change",
    "last_price",
}


def without_shares(missing: list[str]) -> list[str]:
    return [one for one in missing if one.removesuffix(" is missing").rpartition(".")[2] not in SHARES_ONLY]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/account", "account_routes__get_account"),
        (
            "/account/configurations",
            "account_routes__get_account_configurations_without_deprecated_pdt_fields",
        ),
        ("/assets", "asset_routes__get_all_assets"),
        ("/assets/BTCUSD", "asset_routes__get_asset"),
        ("/positions", "position_routes__get_all_positions"),
    ],
)
def test_answers_of_alpaca(alpaca: Any, path: str, file: str) -> None:
    assert without_shares(missing_from(alpaca.get(path), recorded(f"alpaca/alpacapy/{file}.json"))) == []


def test_an_order_of_alpaca(alpaca: Any) -> None:
    theirs = recorded("alpaca/alpacapy/position_routes__close_all_positions.json")[0]["body"]
    wish = {"symbol": "BTC/USD", "qty": "0.01", "side": "buy", "type": "market", "time_in_force": "gtc"}
    assert missing_from(alpaca.post("/orders", wish), theirs) == []


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("latest/bars", "crypto_latest_bar"),
        ("latest/quotes", "get_crypto_latest_quote"),
        ("latest/trades", "get_crypto_latest_trade"),
        ("snapshots", "crypto_get_snapshot"),
        ("bars?timeframe=1Min", "get_crypto_bars"),
        ("trades?limit=10000", "get_crypto_trades"),
    ],
)
def test_market_data_of_alpaca(dialect_exchange: RunningExchange, path: str, file: str) -> None:
    theirs = recorded(f"alpaca/alpacapy/historical_crypto_data__{file}.json")
    sign = "&" if "?" in path else "?"
    ours = data_client(dialect_exchange).get(f"/crypto/us/{path}{sign}symbols=BTC/USD,ETH/USD")
    missing = missing_from(ours, theirs)
    # The tests of alpaca-py write a page token where the newest of something is asked for, and has no pages.
    assert [one for one in missing if not (path.startswith("latest") and "next_page_token" in one)] == []


def test_what_ccxt_recorded_of_alpaca(dialect_exchange: RunningExchange) -> None:
    cases = {
        case["description"]: case["httpResponse"]
        for case in recorded("alpaca/ccxt/static_responses.json")["cases"]
    }
    client = ccxt.alpaca(alpaca_config(dialect_exchange))
    ours = {
        "fetchTime": client.trader_private_get_v2_clock(),
        "fetchMarkets": client.trader_private_get_v2_assets(),
        "fetchTrades": client.market_public_get_v1beta3_crypto_loc_trades(
            {"loc": "us", "symbols": "BTC/USD"}
        ),
        "fetchOrderBook": client.market_public_get_v1beta3_crypto_loc_latest_orderbooks(
            {"loc": "us", "symbols": "BTC/USD"}
        ),
    }
    for name, answer in ours.items():
        # ccxt makes text of numbers, so only the names are compared here.
        assert [one for one in missing_from(answer, cases[name]) if one.endswith("is missing")] == []
