"""Remote venues on raw servers: the least that each client must be told, and orders to send."""

import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from tests.raw_venue import RawVenue, as_json, raw_venue
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.keys import Key
from tg_actors.domain.orders import Intent, Leg, OrderSpec, OrderType, Permit
from tg_actors.execution.venues.alpaca.client import AlpacaClient
from tg_actors.execution.venues.alpaca.dialect import AlpacaDialect
from tg_actors.execution.venues.ccxt.binance import BinanceDialect
from tg_actors.execution.venues.ccxt.client import CcxtClient
from tg_actors.execution.venues.ccxt.kraken import KrakenDialect
from tg_actors.execution.venues.dialect import Dialect, VenueClock
from tg_actors.execution.venues.nonces import Nonces
from tg_actors.execution.venues.remote import RemoteVenue

SYMBOL = "BTC/USDT"
CLIENT_ID = "00000000-0000-4000-8000-000000000001"
#: base64, as Kraken's secrets are; the words are looked for in whatever is printed.
SENTINEL_SECRET = "c2VudGluZWwtc2VjcmV0LXNlbnRpbmVsLXNlY3JldA=="  # noqa: S105 - of nobody
SENTINEL_KEY = "sentinel-api-key"
KEY = Key("test", SENTINEL_KEY, SENTINEL_SECRET)

INSTRUMENT = Instrument(
    symbol=SYMBOL,
    tick=Decimal("0.1"),
    lot=Decimal("0.00001"),
    quantity_min=Decimal("0.00001"),
    notional_min=Decimal(5),
)

ORDER_PATHS = {"kraken": "/0/private/AddOrder", "binance": "/api/v3/order", "alpaca": "/v2/orders"}
#: What each venue says when it takes the order.
ACCEPTED: dict[str, Any] = {
    "kraken": {"error": [], "result": {"descr": {"order": "buy"}, "txid": ["OAAAAA-BBBBB-CCCCCC"]}},
    "binance": {"symbol": "BTCUSDT", "orderId": 7, "orderListId": -1, "clientOrderId": CLIENT_ID},
    "alpaca": {
        "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
        "client_order_id": CLIENT_ID,
        "symbol": SYMBOL,
        "status": "pending_new",
        "qty": "0.01",
        "filled_qty": "0",
        "created_at": "2024-01-01T00:00:00.123456789Z",
    },
}

_PAIR = {
    "altname": "XBTUSDT",
    "wsname": "XBT/USDT",
    "base": "XXBT",
    "quote": "USDT",
    "pair_decimals": 1,
    "lot_decimals": 8,
    "cost_decimals": 5,
    "leverage_buy": [],
    "leverage_sell": [],
    "fees": [[0, 0.4]],
    "fees_maker": [[0, 0.25]],
    "ordermin": "0.00005",
    "costmin": "0.5",
    "tick_size": "0.1",
    "status": "online",
}
_SYMBOL = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "baseAssetPrecision": 8,
    "quoteAsset": "USDT",
    "quotePrecision": 8,
    "quoteAssetPrecision": 8,
    "orderTypes": ["LIMIT", "MARKET"],
    "isSpotTradingAllowed": True,
    "isMarginTradingAllowed": False,
    "permissions": [],
    "permissionSets": [["SPOT"]],
    "filters": [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
    ],
}
_ASSET = {"symbol": SYMBOL, "class": "crypto", "status": "active", "tradable": True}

ROUTES = {
    "kraken": {("GET", "/0/public/AssetPairs"): as_json({"error": [], "result": {"XBTUSDT": _PAIR}})},
    "binance": {("GET", "/api/v3/exchangeInfo"): as_json({"timezone": "UTC", "symbols": [_SYMBOL]})},
    "alpaca": {("GET", "/v2/assets"): as_json([_ASSET])},
}
VENUES = tuple(ROUTES)


def dialect_at(venue: str, url: str, clock: VenueClock, call_s_max: float = 10.0) -> Dialect:
    """The real client of a venue, pointed at a server."""
    if venue == "alpaca":
        return AlpacaDialect(AlpacaClient(KEY, url, call_s_max, paper=True))
    client = CcxtClient(venue, KEY, url, Nonces(lambda: time.time_ns() // 10**6), None, call_s_max)
    client.load_markets()
    return KrakenDialect(client) if venue == "kraken" else BinanceDialect(client, [SYMBOL], clock)


@contextmanager
def remote(venue: str, call_s_max: float = 10.0) -> Iterator[tuple[RemoteVenue, RawVenue]]:
    """A venue behind its real client on a raw server of its own."""
    with raw_venue() as server:
        server.routes.update(ROUTES[venue])
        clock = VenueClock(time.time_ns)
        adapter = RemoteVenue(dialect_at(venue, server.url, clock, call_s_max), "test", clock)
        try:
            yield adapter, server
        finally:
            adapter.close()


_numbers = itertools.count(1)


def intent(**spec: Any) -> Intent:
    """A wish to buy a little, or whatever the fields say."""
    fields: dict[str, Any] = {
        "symbol": SYMBOL,
        "side": Side.BUY,
        "order_type": OrderType.MARKET,
        "quantity": Decimal("0.01"),
        **spec,
    }
    return Intent(
        intent_id=f"intent {next(_numbers)}",
        cycle=0,
        leg=Leg.ENTRY,
        spec=OrderSpec(**fields),
        reference_price=Decimal(50_000),
        decided_at_ns=0,
        valid_until_ns=10**18,
    )


def permit(client_order_id: str = CLIENT_ID, seconds: float = 30.0) -> Permit:
    """A licence to send, for so many seconds from now."""
    now_ns = time.time_ns()
    return Permit(
        intent_id="intent",
        client_order_id=client_order_id,
        venue="venue",
        account="test",
        permitted_at_ns=now_ns,
        venue_deadline_ns=now_ns + int(seconds * 10**9),
        reserved_notional=Decimal(500),
    )


def error_body(venue: str, word: str) -> str:
    """A body in which a venue says one of its words, as the outcome table spells it."""
    if venue == "kraken":
        return json.dumps({"error": [word]})
    code, _, text = word.partition(" ")
    name = "msg" if venue == "binance" else "message"
    is_code = code.lstrip("-").isdigit()
    return json.dumps({"code": int(code), name: text} if is_code else {name: word})
