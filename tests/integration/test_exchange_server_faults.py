"""Faults on demand: what the real client makes of each, and that the ledger tells what was really done."""

import time
import uuid
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest

from tests.exchange_server import RunningExchange, running_exchange

PAIR = "BTC/USDT"
ORDERS = "POST /kraken/0/private/AddOrder"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    with running_exchange(tmp_path_factory.mktemp("faults") / "state", config={"limits": {}}) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: RunningExchange) -> Iterator[RunningExchange]:
    yield running
    running.faults({})


@pytest.fixture
def client(exchange: RunningExchange) -> Any:
    made = ccxt.kraken({**exchange.ccxt_config("kraken"), "timeout": 1_500})
    made.load_markets()
    return made


def once(kind: str, **more: Any) -> dict[str, Any]:
    return {"requests": [{"kind": kind, "on": ORDERS, "times": 1, **more}]}


def buy(client: Any, mine: str) -> Any:
    return client.create_order(PAIR, "market", "buy", 0.001, None, {"clientOrderId": mine})


def done(client: Any, mine: str) -> int:
    return len(client.fetch_closed_orders(PAIR, params={"clientOrderId": mine}))


#: Fault, what ccxt says (None: success without an id, the trap of facts 0.5), whether an order exists.
TABLE: dict[str, tuple[dict[str, Any], type[Exception] | None, bool]] = {
    "dropped after": (once("drop_after"), ccxt.NetworkError, True),
    "hangs after": (once("delay_after", seconds=4), ccxt.RequestTimeout, True),
    "504 after": (once("status_after", status=504), ccxt.RequestTimeout, True),
    "502 after": (once("status_after", status=502), ccxt.ExchangeNotAvailable, True),
    "html": (once("html"), None, True),
    "empty": (once("empty"), None, True),
    "truncated": (once("truncated"), None, True),
    "null": (once("null"), None, True),
    "dropped before": (once("drop_before"), ccxt.NetworkError, False),
    "500 before": (once("status_before", status=500), ccxt.ExchangeNotAvailable, False),
    "busy": (once("busy"), ccxt.ExchangeNotAvailable, False),
}


@pytest.mark.parametrize("fault", TABLE)
def test_what_the_client_believes_and_what_is_true(
    exchange: RunningExchange, client: Any, fault: str
) -> None:
    plan, error, exists = TABLE[fault]
    exchange.faults(plan)
    mine = str(uuid.uuid4())
    if error is None:
        assert buy(client, mine)["id"] is None
    else:
        with pytest.raises(error):
            buy(client, mine)
    assert done(client, mine) == int(exists)
    assert exchange.operator("GET", "status")["faults_injected"][plan["requests"][0]["kind"]] >= 1


def test_a_request_that_comes_late_is_stopped_by_its_deadline(exchange: RunningExchange, client: Any) -> None:
    from datetime import UTC, datetime, timedelta

    exchange.faults(once("delay_before", seconds=2))
    mine = str(uuid.uuid4())
    deadline = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    client.timeout = 10_000
    with pytest.raises(ccxt.ExchangeError, match="Deadline elapsed"):
        client.create_order(PAIR, "market", "buy", 0.001, None, {"clientOrderId": mine, "deadline": deadline})
    (post,) = [p for p in exchange.ledger()["posts"] if p["client_order_id"] == mine]
    assert (post["number"], post["code"]) == (None, "DEADLINE")


def test_the_same_seed_strikes_the_same_requests(exchange: RunningExchange, client: Any) -> None:
    plan = {"seed": 5, "requests": [{"kind": "busy", "on": ORDERS, "probability": 0.4}]}
    struck = []
    for _ in range(2):
        exchange.faults(plan)
        hits = []
        for _ in range(12):
            try:
                buy(client, str(uuid.uuid4()))
                hits.append(False)
            except ccxt.ExchangeNotAvailable:
                hits.append(True)
        struck.append(hits)
    assert struck[0] == struck[1]
    assert {True, False} == set(struck[0])


def test_states_of_the_venue(exchange: RunningExchange, client: Any) -> None:
    resting = client.create_order(PAIR, "limit", "buy", 0.001, 20_000)
    exchange.faults({"venue_state": "maintenance"})
    with pytest.raises(ccxt.ExchangeNotAvailable):
        client.fetch_balance()
    assert client.fetch_status()["status"] == "maintenance"
    exchange.faults({"venue_state": "post_only"})
    with pytest.raises(ccxt.OnMaintenance):
        buy(client, str(uuid.uuid4()))
    assert client.create_order(PAIR, "limit", "buy", 0.001, 20_000, {"postOnly": True})["id"]
    exchange.faults({"venue_state": "cancel_only"})
    with pytest.raises(ccxt.OnMaintenance):
        buy(client, str(uuid.uuid4()))
    client.cancel_order(resting["id"])


def test_look_ups_lag_behind(exchange: RunningExchange, client: Any) -> None:
    exchange.faults({"read_lag_ms": 1_000})
    mine = str(uuid.uuid4())
    buy(client, mine)
    assert done(client, mine) == 0
    until = time.monotonic() + 20
    while not done(client, mine):
        assert time.monotonic() < until


def test_the_servers_clock_can_be_wrong(exchange: RunningExchange, client: Any) -> None:
    exchange.faults({"clock_skew_ms": -30_000})
    assert client.fetch_time() / 1000 < time.time() - 20


def test_a_plan_with_a_mistake_is_refused_and_changes_nothing(exchange: RunningExchange) -> None:
    exchange.faults({"read_lag_ms": 500})
    with pytest.raises(AssertionError, match=r"requests\.0\.kind"):
        exchange.faults({"requests": [{"kind": "gremlins"}]})
    assert exchange.operator("GET", "status")["faults"]["read_lag_ms"] == 500
