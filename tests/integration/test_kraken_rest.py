"""The real ccxt.kraken against the exchange: everything a bot does over REST, and what the server checks."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from tests.exchange_server import RunningExchange, running_exchange

PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    accounts = {
        name: {"kind": "spot", "balances": {"USDT": "100000", "BTC": "1"}}
        for name in ("main", "other", "quiet", "third")
    }
    accounts["margin"] = {"kind": "margin", "balances": {"USDT": "10000"}}
    folder: Path = tmp_path_factory.mktemp("kraken")
    with running_exchange(folder / "state", config={"accounts": accounts, "limits": {}}) as running:
        yield running


@pytest.fixture
def client(exchange: RunningExchange) -> Any:
    return ccxt.kraken(exchange.ccxt_config("kraken"))


def price(client: Any, factor: float = 1.0) -> float:
    return float(round(client.fetch_ticker(PAIR)["last"] * factor, 2))


def fresh() -> str:
    return str(uuid.uuid4())


def test_markets_have_the_usual_symbols_and_the_venues_filters(client: Any) -> None:
    markets = client.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "XRP/USDT", "XRP/BTC", "BTC/USD", "ETH/USD"}
    bitcoin = markets[PAIR]
    assert (bitcoin["precision"]["price"], bitcoin["precision"]["amount"]) == (0.01, 0.00001)
    assert (bitcoin["limits"]["amount"]["min"], bitcoin["limits"]["cost"]["min"]) == (0.00001, 5.0)
    assert (bitcoin["maker"], bitcoin["taker"]) == (0.0016, 0.0026)
    assert client.fetch_currencies()["BTC"]["id"] == "XXBT"


def test_public_market_data(client: Any) -> None:
    ticker = client.fetch_ticker(PAIR)
    assert ticker["bid"] < ticker["ask"]
    assert set(client.fetch_tickers()) >= {PAIR, "XRP/BTC"}
    book = client.fetch_order_book(PAIR, 10)
    assert len(book["bids"]) == len(book["asks"]) == 10
    assert book["bids"][0][0] < book["asks"][0][0]
    candles = client.fetch_ohlcv(PAIR, "5m")
    assert len(candles) > 100
    assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in candles)
    assert {b[0] - a[0] for a, b in pairwise(candles)} == {300_000}
    assert client.fetch_trades(PAIR)[-1]["side"] in {"buy", "sell"}
    assert abs(client.fetch_time() / 1000 - time.time()) < 60
    assert client.fetch_status()["status"] == "ok"


def test_balances_follow_a_market_order_to_the_last_digit(exchange: RunningExchange) -> None:
    client = ccxt.kraken(exchange.ccxt_config("kraken", "other"))
    before = client.fetch_balance()["total"]
    order = client.create_order(PAIR, "market", "buy", 0.01)
    trade = client.fetch_my_trades(PAIR)[-1]
    after = client.fetch_balance()["total"]
    assert trade["order"] == order["id"]
    assert after["BTC"] == pytest.approx(before["BTC"] + 0.01, abs=1e-12)
    assert after["USDT"] == pytest.approx(before["USDT"] - trade["cost"] - trade["fee"]["cost"], abs=1e-9)
    closed = client.fetch_order(order["id"])
    assert (closed["status"], closed["filled"]) == ("closed", 0.01)
    assert [one["id"] for one in client.fetch_order_trades(order["id"], params={"trades": closed["trades"]})]


Build = Callable[[Any], tuple[str, str, float, float | None, dict[str, Any]]]

RESTING: dict[str, Build] = {
    "limit": lambda c: ("limit", "buy", 0.01, price(c, 0.9), {}),
    "post only": lambda c: ("limit", "buy", 0.01, price(c, 0.9), {"postOnly": True}),
    "good till date": lambda c: (
        "limit",
        "buy",
        0.01,
        price(c, 0.9),
        {"timeInForce": "GTD", "expiretm": "+3600"},
    ),
    "stop loss": lambda c: ("market", "sell", 0.01, None, {"stopLossPrice": price(c, 0.8)}),
    "stop loss limit": lambda c: ("limit", "sell", 0.01, price(c, 0.79), {"stopLossPrice": price(c, 0.8)}),
    "take profit": lambda c: ("market", "sell", 0.01, None, {"takeProfitPrice": price(c, 1.2)}),
    "trailing stop": lambda _: ("market", "sell", 0.01, None, {"trailingPercent": "10"}),
    "trailing amount": lambda _: ("market", "sell", 0.01, None, {"trailingAmount": "3000"}),
}


@pytest.mark.parametrize("kind", RESTING)
def test_every_resting_type_is_found_by_both_ids_and_cancelled(client: Any, kind: str) -> None:
    order_type, side, amount, limit, params = RESTING[kind](client)
    mine = fresh()
    order = client.create_order(PAIR, order_type, side, amount, limit, {**params, "clientOrderId": mine})
    assert order["id"]
    found = client.fetch_open_orders(PAIR, params={"clientOrderId": mine})
    assert [one["id"] for one in found] == [order["id"]]
    assert client.fetch_order(order["id"])["status"] == "open"
    client.cancel_order(order["id"])
    assert client.fetch_open_orders(PAIR, params={"clientOrderId": mine}) == []
    closed = client.fetch_closed_orders(PAIR, params={"clientOrderId": mine})
    assert [(one["id"], one["status"], one["filled"]) for one in closed] == [(order["id"], "canceled", 0.0)]


def test_an_ioc_ends_at_once_and_a_crossing_limit_fills_at_the_book(client: Any) -> None:
    never = client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9), {"timeInForce": "IOC"})
    assert client.fetch_order(never["id"])["status"] == "canceled"
    limit = price(client, 1.01)
    taken = client.fetch_order(client.create_order(PAIR, "limit", "buy", 0.01, limit)["id"])
    assert taken["status"] == "closed"
    assert taken["average"] <= limit


def test_an_amended_order_keeps_its_id(client: Any) -> None:
    order = client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9), {"clientOrderId": fresh()})
    client.edit_order(order["id"], PAIR, "limit", "buy", 0.02, price(client, 0.8))
    shown = client.fetch_order(order["id"])
    assert (shown["status"], shown["amount"]) == ("open", 0.02)
    with pytest.raises(ccxt.InsufficientFunds):
        client.edit_order(order["id"], PAIR, "limit", "buy", 1000.0, price(client, 0.8))
    shown = client.fetch_order(order["id"])
    assert (shown["status"], shown["amount"]) == ("open", 0.02)
    client.cancel_order(order["id"])


def test_cancel_all_takes_only_ones_own(exchange: RunningExchange, client: Any) -> None:
    neighbour = ccxt.kraken(exchange.ccxt_config("kraken", "third"))
    theirs = neighbour.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9))
    for _ in range(3):
        client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9))
    answer = client.cancel_all_orders()
    assert answer[0]["info"]["result"]["count"] >= 3
    assert client.fetch_open_orders() == []
    assert [one["id"] for one in neighbour.fetch_open_orders()] == [theirs["id"]]


def test_a_client_id_is_unique_among_open_orders_only(client: Any) -> None:
    mine = fresh()
    first = client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9), {"clientOrderId": mine})
    with pytest.raises(ccxt.ExchangeError, match="Duplicate"):
        client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9), {"clientOrderId": mine})
    client.cancel_order(first["id"])
    # What makes a blind resend dangerous: once the order has ended, its id protects nothing.
    again = client.create_order(PAIR, "market", "buy", 0.001, None, {"clientOrderId": mine})
    assert again["id"] != first["id"]
    closed = client.fetch_closed_orders(PAIR, params={"clientOrderId": mine})
    assert {one["id"] for one in closed} == {first["id"], again["id"]}


def rfc3339(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def test_a_request_after_its_deadline_is_no_order(client: Any) -> None:
    mine = fresh()
    with pytest.raises(ccxt.ExchangeError, match="Deadline elapsed"):
        client.create_order(
            PAIR, "market", "buy", 0.01, None, {"clientOrderId": mine, "deadline": rfc3339(-0.5)}
        )
    with pytest.raises(ccxt.ExchangeError, match="Invalid arguments:deadline"):
        client.create_order(PAIR, "market", "buy", 0.01, None, {"deadline": rfc3339(120)})
    assert client.fetch_closed_orders(PAIR, params={"clientOrderId": mine}) == []
    assert client.create_order(PAIR, "market", "buy", 0.001, None, {"deadline": rfc3339(10)})["id"]


def test_a_dry_run_places_nothing(client: Any) -> None:
    mine = fresh()
    answer = client.create_order(
        PAIR, "market", "buy", 0.01, None, {"validate": "true", "clientOrderId": mine}
    )
    assert answer["id"] is None
    assert client.fetch_closed_orders(PAIR, params={"clientOrderId": mine}) == []


REFUSED: dict[str, tuple[str, Build]] = {
    "no funds": ("EOrder:Insufficient funds", lambda c: ("limit", "buy", 100.0, price(c, 0.9), {})),
    "too small": ("EOrder:Order minimum not met", lambda _: ("market", "buy", 0.00001, None, {})),
    "would take": (
        "EOrder:Post only order",
        lambda c: ("limit", "buy", 0.01, price(c, 1.1), {"postOnly": True}),
    ),
    "fill or kill": (
        "arguments:timeinforce",
        lambda c: ("limit", "buy", 0.01, price(c, 0.9), {"timeInForce": "FOK"}),
    ),
    "unknown type": (
        "arguments:ordertype",
        lambda c: ("limit", "sell", 0.01, price(c, 1.2), {"takeProfitPrice": price(c, 1.1)}),
    ),
    "no margin": ("arguments:leverage", lambda _: ("market", "buy", 0.01, None, {"leverage": "3"})),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_taken_is_refused_in_krakens_words(client: Any, what: str) -> None:
    text, build = REFUSED[what]
    before = len(client.fetch_closed_orders(PAIR))
    order_type, side, amount, limit, params = build(client)
    with pytest.raises(ccxt.ExchangeError, match=text):
        client.create_order(PAIR, order_type, side, amount, limit, params)
    assert len(client.fetch_closed_orders(PAIR)) == before


def test_margin_opens_a_short_and_reduces_it(exchange: RunningExchange) -> None:
    client = ccxt.kraken(exchange.ccxt_config("kraken", "margin"))
    client.create_order(PAIR, "market", "sell", 0.05, None, {"leverage": "3"})
    (position,) = client.fetch_positions()
    assert (position["symbol"], position["side"], float(position["info"]["vol"])) == (PAIR, "short", 0.05)
    client.create_order(PAIR, "market", "buy", 0.05, None, {"leverage": "3", "reduceOnly": True})
    assert client.fetch_positions() == []


def test_the_dead_man_cancels_everything_and_can_be_called_off(exchange: RunningExchange) -> None:
    client = ccxt.kraken(exchange.ccxt_config("kraken", "quiet"))
    client.create_order(PAIR, "limit", "buy", 0.01, price(client, 0.9))
    client.cancel_all_orders_after(60_000)
    client.cancel_all_orders_after(0)
    assert len(client.fetch_open_orders()) == 1
    client.cancel_all_orders_after(1_000)
    until = time.monotonic() + 20
    while client.fetch_open_orders():
        assert time.monotonic() < until, "the dead man still stands"
    assert client.fetch_closed_orders()[-1]["status"] == "canceled"


def test_signature_nonce_key_and_permission_are_checked(exchange: RunningExchange) -> None:
    config = exchange.ccxt_config("kraken")
    forged = ccxt.kraken({**config, "secret": exchange.key("third").secret})
    with pytest.raises(ccxt.ExchangeError, match="EAPI:Invalid signature"):
        forged.fetch_balance()
    stranger = ccxt.kraken({**config, "apiKey": "x" * 56})
    with pytest.raises(ccxt.AuthenticationError, match="EAPI:Invalid key"):
        stranger.fetch_balance()
    client = ccxt.kraken(config)
    client.fetch_balance()
    client.incrementing_nonce = lambda: 1
    with pytest.raises(ccxt.InvalidNonce):
        client.fetch_balance()
    reader = ccxt.kraken(exchange.ccxt_config("kraken", permission="read"))
    assert reader.fetch_balance()["total"]["USDT"] > 0
    with pytest.raises(ccxt.PermissionDenied):
        reader.create_order(PAIR, "market", "buy", 0.01)


def test_the_async_client_works_as_well(exchange: RunningExchange) -> None:
    async def trade() -> None:
        client = ccxt.async_support.kraken(exchange.ccxt_config("kraken", "third"))
        try:
            order = await client.create_order(PAIR, "market", "buy", 0.01, None, {"clientOrderId": fresh()})
            shown = await client.fetch_order(order["id"])
            assert (shown["status"], shown["filled"]) == ("closed", 0.01)
            await client.cancel_all_orders()
            assert (await client.fetch_trading_fee(PAIR))["taker"] == 0.0026
        finally:
            await client.close()

    asyncio.run(trade())
