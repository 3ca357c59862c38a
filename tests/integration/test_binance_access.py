"""What the server checks: signatures, receive window, permissions, limits; and its faults through ccxt."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from urllib.parse import urlencode

import ccxt
import pytest

from tests.dialect_words import binance_config, broken
from tests.exchange_server import RunningExchange

SYMBOL = "BTC/USDT"


def ask(
    exchange: RunningExchange,
    path: str,
    params: Mapping[str, object],
    *,
    method: str = "GET",
    permission: str = "trade",
    forge: str | None = None,
    api_key: str | None = None,
) -> tuple[int, Any, Mapping[str, str]]:
    key = exchange.key("binance", permission)
    query = urlencode(params)
    signature = forge or hmac.new(key.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    url = f"{exchange.dialect_url('binance')}{path}?{query}&signature={signature}"
    request = urllib.request.Request(url, method=method, headers={"X-MBX-APIKEY": api_key or key.api_key})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read()), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read()), dict(error.headers)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_forged_signature_is_refused(dialect_exchange: RunningExchange) -> None:
    status, body, _ = ask(dialect_exchange, "/api/v3/account", {"timestamp": now_ms()}, forge="0" * 64)
    assert (status, body["code"]) == (400, -1022)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"timestamp": -20_000}, -1021),
        ({"timestamp": 20_000}, -1021),
        ({"timestamp": -4_000, "recvWindow": 2_000}, -1021),
        ({"timestamp": 0, "recvWindow": 60_001}, -1131),
        ({}, -1102),
    ],
)
def test_only_requests_of_now_are_executed(
    dialect_exchange: RunningExchange, params: dict[str, int], code: int
) -> None:
    moved = {**params, "timestamp": now_ms() + params["timestamp"]} if "timestamp" in params else params
    status, body, _ = ask(dialect_exchange, "/api/v3/account", moved)
    assert (status, body["code"]) == (400, code)


def test_a_wide_receive_window_is_honoured(dialect_exchange: RunningExchange) -> None:
    params = {"timestamp": now_ms() - 20_000, "recvWindow": 60_000}
    assert ask(dialect_exchange, "/api/v3/account", params)[0] == 200


def test_an_unknown_key_is_refused(dialect_exchange: RunningExchange) -> None:
    status, body, _ = ask(dialect_exchange, "/api/v3/account", {"timestamp": now_ms()}, api_key="x" * 64)
    assert (status, body["code"]) == (401, -2015)


def test_a_read_only_key_reads_and_does_not_trade(dialect_exchange: RunningExchange) -> None:
    reader = ccxt.binance(binance_config(dialect_exchange, permission="read"))
    reader.load_markets()
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01", "timestamp": now_ms()}
    status, body, _ = ask(dialect_exchange, "/api/v3/order", order, method="POST", permission="read")
    assert (status, body["code"]) == (401, -2015)
    assert reader.fetch_balance()["info"]["canTrade"] is False
    cancel = {"symbol": "BTCUSDT", "timestamp": now_ms()}
    assert ask(dialect_exchange, "/api/v3/openOrders", cancel, method="DELETE", permission="read")[0] == 401


def test_used_weight_is_told(dialect_exchange: RunningExchange) -> None:
    _, _, headers = ask(dialect_exchange, "/api/v3/account", {"timestamp": now_ms()})
    assert int(headers["X-MBX-USED-WEIGHT-1M"]) > 0


def test_a_parameter_that_stands_twice_is_refused(dialect_exchange: RunningExchange) -> None:
    url = f"{dialect_exchange.dialect_url('binance')}/api/v3/depth?symbol=BTCUSDT&symbol=ETHUSDT"
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(url, timeout=10)
    assert json.loads(error.value.read())["code"] == -1101
    error.value.close()


def test_a_strange_path_is_answered_in_json(dialect_exchange: RunningExchange) -> None:
    status, body, _ = ask(dialect_exchange, "/api/v3/nothing", {"timestamp": now_ms()})
    assert (status, body["code"]) == (404, -1020)


# -- faults: what the unmodified client makes of them (facts/failures.md 0.5) -----------------------------


def order_fault(kind: str, **more: object) -> dict[str, object]:
    return {"requests": [{"kind": kind, "on": "POST /binance/api/v3/order", "times": 1, **more}]}


@pytest.mark.parametrize(
    ("kind", "more", "outcome"),
    [
        ("drop_after", {}, ccxt.NetworkError),
        ("status_after", {"status": 502}, ccxt.ExchangeNotAvailable),
        ("status_after", {"status": 504}, ccxt.NetworkError),
        ("status_before", {"status": 503}, ccxt.NetworkError),
        ("html", {}, None),
        ("empty", {}, None),
        ("truncated", {}, None),
        ("null", {}, None),
    ],
)
def test_a_broken_answer_proves_nothing(
    dialect_exchange: RunningExchange, kind: str, more: dict[str, object], outcome: type[Exception] | None
) -> None:
    client = ccxt.binance(binance_config(dialect_exchange))
    client.load_markets()
    price = client.price_to_precision(SYMBOL, client.fetch_ticker(SYMBOL)["last"] * 0.5)
    name = f"fault-{kind}-{more.get('status', '')}"
    with broken(dialect_exchange, order_fault(kind, **more)):
        expected: AbstractContextManager[object] = (
            nullcontext() if outcome is None else pytest.raises(outcome)
        )
        answer: dict[str, Any] = {"id": None}
        with expected:
            answer = client.create_order(SYMBOL, "limit", "buy", 0.01, float(price), {"clientOrderId": name})
        # The trap where nothing is raised: success, without an order id.
        assert answer["id"] is None
    known = [one for one in client.fetch_open_orders(SYMBOL) if one["clientOrderId"] == name]
    assert len(known) == (0 if kind == "status_before" else 1)
    if known:
        client.cancel_all_orders(SYMBOL)


def test_a_skewed_clock_refuses_and_is_told_by_the_time(dialect_exchange: RunningExchange) -> None:
    client = ccxt.binance(binance_config(dialect_exchange))
    client.load_markets()
    with broken(dialect_exchange, {"clock_skew_ms": 10_000 + 5_000}):
        assert client.fetch_time() - now_ms() > 10_000
        with pytest.raises(ccxt.InvalidNonce):
            client.fetch_balance()
    assert client.fetch_balance()["USDT"]["total"] > 0


def test_read_lag_hides_a_young_order(dialect_exchange: RunningExchange) -> None:
    client = ccxt.binance(binance_config(dialect_exchange))
    client.load_markets()
    price = float(client.price_to_precision(SYMBOL, client.fetch_ticker(SYMBOL)["last"] * 0.5))
    with broken(dialect_exchange, {"read_lag_ms": 1000}):
        order = client.create_order(SYMBOL, "limit", "buy", 0.01, price)
        with pytest.raises(ccxt.OrderNotFound):
            client.fetch_order(order["id"], SYMBOL)
    assert client.fetch_order(order["id"], SYMBOL)["status"] == "open"
    client.cancel_order(order["id"], SYMBOL)


def test_maintenance_takes_no_orders(dialect_exchange: RunningExchange) -> None:
    client = ccxt.binance(binance_config(dialect_exchange))
    client.load_markets()
    with broken(dialect_exchange, {"venue_state": "maintenance"}):
        assert client.fetch_status()["status"] == "maintenance"
        with pytest.raises(ccxt.BaseError):
            client.create_order(SYMBOL, "market", "buy", 0.01)


def test_a_ban_is_418_with_retry_after(dialect_exchange: RunningExchange) -> None:
    plan = {"requests": [{"kind": "ban", "on": "GET /binance/api/v3/depth", "times": 1, "seconds": 0.2}]}
    with broken(dialect_exchange, plan):
        client = ccxt.binance(binance_config(dialect_exchange))
        client.load_markets()
        with pytest.raises(ccxt.DDoSProtection, match="418"):
            client.fetch_order_book(SYMBOL)
