"""One running exchange for all contract tests of a session, and the unmodified clients pointed at it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alpaca.data.historical import CryptoHistoricalDataClient
from alpaca.trading.client import TradingClient

from tests.exchange_server import RunningExchange, running_exchange

RECORDED = Path(__file__).parents[2] / "shared" / "data" / "api"
#: A minute of the market in two seconds, twenty looks a second.
CLOCK = {"kind": "paced", "speed": 30.0, "tick_ms": 50, "levels": 25}
PLENTY = {"USDT": "1000000", "USD": "1000000", "BTC": "100", "ETH": "100"}
SPOT = {"kind": "spot", "balances": PLENTY}
# `poor` has just enough to be refused.
ACCOUNTS = dict.fromkeys(("main", "binance", "alpaca", "streams"), SPOT) | {
    "poor": {"kind": "spot", "balances": {"USDT": "50", "USD": "50"}}
}
LIMITS = {name: {"capacity": 100_000, "refill_per_s": 10_000.0} for name in ("kraken", "binance", "alpaca")}


@pytest.fixture(scope="session")
def dialect_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    """The exchange that every contract test of Binance and Alpaca talks to."""
    config = {"clock": CLOCK, "accounts": ACCOUNTS, "limits": LIMITS}
    with running_exchange(tmp_path_factory.mktemp("dialects") / "state", config=config) as exchange:
        yield exchange


@contextmanager
def broken(exchange: RunningExchange, plan: Mapping[str, Any]) -> Iterator[None]:
    """The exchange with faults, and without them again."""
    exchange.faults(plan)
    try:
        yield
    finally:
        exchange.faults({})


def binance_config(
    exchange: RunningExchange, account: str = "binance", permission: str = "trade"
) -> dict[str, Any]:
    """Constructor argument for ccxt.binance, ccxt.async_support.binance and ccxt.pro.binance."""
    base, key = exchange.dialect_url("binance"), exchange.key(account, permission)
    ws = base.replace("http", "ws", 1)
    api: dict[str, Any] = dict.fromkeys(("public", "private"), f"{base}/api/v3")
    api |= {"sapi": f"{base}/sapi/v1"}
    api["ws"] = {"spot": f"{ws}/stream/ws", "ws-api": {"spot": f"{ws}/ws-api/v3"}}
    return {
        "apiKey": key.api_key,
        "secret": key.secret,
        "enableRateLimit": False,
        "timeout": 10_000,
        "urls": {"api": api},
        "options": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"},
    }


def alpaca_config(
    exchange: RunningExchange, account: str = "alpaca", permission: str = "trade"
) -> dict[str, Any]:
    """Constructor argument for ccxt.alpaca, ccxt.async_support.alpaca and ccxt.pro.alpaca."""
    base, key = exchange.dialect_url("alpaca"), exchange.key(account, permission)
    ws = base.replace("http", "ws", 1)
    api: dict[str, Any] = dict.fromkeys(("broker", "trader", "market"), base)
    api["ws"] = {"crypto": f"{ws}/v1beta2/crypto", "trading": f"{ws}/stream"}
    return {
        "apiKey": key.api_key,
        "secret": key.secret,
        "enableRateLimit": False,
        "timeout": 10_000,
        "urls": {"api": api},
    }


def trading_client(exchange: RunningExchange, account: str = "alpaca", permission: str = "trade") -> Any:
    """The real TradingClient; typed as anything, since alpaca-py types every answer as model or dict."""
    key = exchange.key(account, permission)
    return TradingClient(key.api_key, key.secret, url_override=exchange.dialect_url("alpaca"))


def data_client(exchange: RunningExchange) -> Any:
    """The real CryptoHistoricalDataClient, typed likewise."""
    return CryptoHistoricalDataClient(url_override=exchange.dialect_url("alpaca"))


def recorded(path: str) -> Any:
    """One recorded answer of a real venue; the test is skipped where they are not."""
    file = RECORDED / path
    if not file.exists():
        pytest.skip(f"{file} is not here")
    return json.loads(file.read_text())


def shape(answer: Any) -> Any:
    """Types of a JSON value, by name where it is an object; of a list the first element's."""
    if isinstance(answer, dict):
        return {name: shape(part) for name, part in answer.items()}
    if isinstance(answer, list):
        return [shape(part) for part in answer[:1]]
    # A price of 29003 is a number as much as 29003.5.
    return (
        "number"
        if isinstance(answer, int | float) and not isinstance(answer, bool)
        else type(answer).__name__
    )


def missing_from(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where our answer lacks what the recorded one has, or has another type there; null fits everything."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        found = []
        for name, part in theirs.items():
            found += (
                [f"{path}.{name} is missing"]
                if name not in ours
                else missing_from(ours[name], part, f"{path}.{name}")
            )
        return found
    if isinstance(theirs, list) and isinstance(ours, list):
        return missing_from(ours[0], theirs[0], f"{path}[0]") if ours and theirs else []
    same = shape(ours) == shape(theirs) or ours is None or theirs is None
    return [] if same else [f"{path} is {shape(ours)}, not {shape(theirs)}"]
