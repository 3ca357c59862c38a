"""What docs/exchange.md tells a bot's author, done word for word against a running exchange."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path

import ccxt
import pytest

from tests.exchange_server import RunningExchange, exchange_factory
from tg_actors.exchange.server.config import ServerConfig
from tg_actors.exchange.server.faults import FaultPlan, RequestFaultKind, StreamFaultKind
from tg_actors.exchange.server.records import VenueState

__all__ = ["exchange_factory"]
ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "exchange.md").read_text()
HOUR_MS = 3_600_000
Start = Callable[..., RunningExchange]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOCS, flags=re.MULTILINE | re.DOTALL)


def test_every_snippet_runs_as_it_stands(exchange_factory: Start) -> None:
    exchange = exchange_factory()
    names: dict[str, object] = {}
    for block in blocks("python"):
        code = block.replace("http://127.0.0.1:7070", exchange.url).replace("DIR/", f"{exchange.state}/")
        exec(compile(code, "docs/exchange.md", "exec"), names)  # noqa: S102 - our own documentation
    assert {"kraken", "binance", "trading", "data", "updates", "prices"} <= names.keys()
    filled = exchange.ledger()["fills"]
    assert sorted(fill["symbol"] for fill in filled) == ["BTC/USD", "BTC/USDT"]


def test_the_plan_of_faults_is_one_and_every_kind_is_told(exchange_factory: Start, tmp_path: Path) -> None:
    (text,) = blocks("json")
    plan = FaultPlan.model_validate_json(text)
    assert all(f"`{kind}`" in DOCS for enum in (RequestFaultKind, StreamFaultKind) for kind in enum)
    assert all(f"`{state}`" in DOCS for state in VenueState)
    file = tmp_path / "faults.json"
    file.write_text(text)
    exchange = exchange_factory(arguments=("--faults", str(file)))
    assert FaultPlan.model_validate_json(json.dumps(exchange.operator("GET", "status")["faults"])) == plan


def test_the_shipped_market_begins_now_and_stays_where_it_began(exchange_factory: Start) -> None:
    exchange = exchange_factory()
    client = ccxt.kraken({"urls": {"api": {"public": exchange.dialect_url("kraken")}}})
    now_ms = time.time_ns() // 10**6
    hours = client.fetch_ohlcv("BTC/USDT", "1h", since=now_ms - 4 * HOUR_MS)
    assert [hour[0] % HOUR_MS for hour in hours] == [0] * len(hours)
    assert len(hours) == 4
    assert now_ms - HOUR_MS < hours[-1][0] <= now_ms
    before = client.fetch_ohlcv("BTC/USDT", "1m", since=now_ms - HOUR_MS)[0]
    exchange.kill()
    exchange.restart()
    client = ccxt.kraken({"urls": {"api": {"public": exchange.dialect_url("kraken")}}})
    assert client.fetch_ohlcv("BTC/USDT", "1m", since=now_ms - HOUR_MS)[0] == before


@pytest.mark.parametrize("name", ["krakn", "KRAKEN"])
def test_a_limit_for_a_dialect_that_is_none_is_refused(name: str) -> None:
    content = {
        "venue": "practice",
        "instruments": ["BTC/USDT"],
        "market": {"source": {"kind": "simulated", "seed": 1}},
        "clock": {"kind": "stepped"},
        "accounts": {"main": {"balances": {"USDT": "1"}}},
    }
    ServerConfig.model_validate_json(json.dumps(content))
    row = {"capacity": 1, "refill_per_s": 1.0}
    with pytest.raises(ValueError, match=f"there is no dialect '{name}': known are kraken"):
        ServerConfig.model_validate_json(json.dumps({**content, "limits": {name: row}}))
