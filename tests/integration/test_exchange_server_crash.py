"""kill -9 at any moment: nothing that was answered is lost, nothing is there twice."""

import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.exchange_server import RunningExchange, exchange_factory  # noqa: F401 - a fixture

Factory = Callable[..., RunningExchange]
PAIR = "BTC/USDT"
CONFIG = {
    "accounts": {"main": {"kind": "spot", "balances": {"USDT": "1000000", "BTC": "10"}}},
    "clock": {"kind": "paced", "speed": 60.0, "tick_ms": 50, "levels": 10},
    "limits": {},
}


def trade_until_it_dies(exchange: RunningExchange, told: dict[str, str], prefix: str) -> None:
    client = ccxt.kraken({**exchange.ccxt_config("kraken"), "timeout": 5_000})
    client.load_markets()
    k = 0
    while True:
        k += 1
        mine = f"{prefix}-{k}"
        kind, limit = ("market", None) if k % 3 else ("limit", 20_000)
        try:
            order = client.create_order(PAIR, kind, "buy", 0.001, limit, {"clientOrderId": mine})
        except ccxt.BaseError:
            return
        told[mine] = order["id"]


def test_what_was_answered_survives_kill_9_and_money_adds_up(exchange_factory: Factory) -> None:  # noqa: F811
    exchange = exchange_factory(config=CONFIG)
    told: dict[str, str] = {}
    for life in range(3):
        traders = [
            threading.Thread(target=trade_until_it_dies, args=(exchange, told, f"life{life}-{n}"))
            for n in range(2)
        ]
        for trader in traders:
            trader.start()
        enough = 25 * (life + 1)
        until = time.monotonic() + 60
        while len(told) < enough:
            assert time.monotonic() < until, "too few orders to kill in the middle of them"
        exchange.kill()
        for trader in traders:
            trader.join(timeout=30)
            assert not trader.is_alive()
        exchange.restart()
    client = ccxt.kraken(exchange.ccxt_config("kraken"))
    for mine, order_id in list(told.items())[::7]:
        both = client.fetch_open_orders(PAIR, params={"clientOrderId": mine}) or client.fetch_closed_orders(
            PAIR, params={"clientOrderId": mine}
        )
        assert [one["id"] for one in both] == [order_id]
    ledger = exchange.ledger()
    check_truth(ledger, exchange.operator("GET", "truth")["main"], set(told))


def check_truth(ledger: dict[str, Any], truth: dict[str, Any], told: set[str]) -> None:
    taken = [post["client_order_id"] for post in ledger["posts"] if post["number"] is not None]
    assert told <= set(taken)
    assert len(taken) == len(set(taken)), "one request, one order"
    assert {order["client_order_id"] for order in ledger["orders"]} == set(taken)
    seqs = [fill["seq"] for fill in ledger["fills"]]
    assert len(seqs) == len(set(seqs))
    sums: dict[str, Decimal] = {}
    for posting in ledger["postings"]:
        assert posting["kind"] != "unexplained"
        sums[posting["currency"]] = sums.get(posting["currency"], Decimal(0)) + Decimal(posting["amount"])
    assert sums == {code: Decimal(one["total"]) for code, one in truth["balances"].items()}
    filled = sum((Decimal(fill["quantity"]) for fill in ledger["fills"]), Decimal(0))
    assert Decimal(truth["balances"]["BTC"]["total"]) == 10 + filled


def test_nonces_outlive_the_process(exchange_factory: Factory) -> None:  # noqa: F811
    exchange = exchange_factory(config=CONFIG)
    client = ccxt.kraken(exchange.ccxt_config("kraken"))
    client.fetch_balance()
    late = 2**62
    client.incrementing_nonce = lambda: late
    client.fetch_balance()
    exchange.kill()
    exchange.restart()
    with pytest.raises(ccxt.InvalidNonce):
        client.fetch_balance()


def test_one_exchange_per_state_and_a_clear_word_about_it(exchange_factory: Factory) -> None:  # noqa: F811
    import subprocess
    import sys

    exchange = exchange_factory(config=CONFIG)
    command = [sys.executable, "-m", "tg_actors.cli.main", "exchange", "serve", "--port", "0"]
    second = subprocess.run(
        [*command, "--state", str(exchange.state)], capture_output=True, text=True, timeout=60, check=False
    )
    assert second.returncode == 2
    assert "another exchange" in second.stderr
    remote = subprocess.run(
        [*command, "--state", str(exchange.state), "--host", "0.0.0.0"],  # noqa: S104 - it is refused
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (remote.returncode, "--allow-remote" in remote.stderr) == (2, True)
    assert (exchange.state / "keys.yaml").stat().st_mode & 0o777 == 0o600
    exchange.stop()
    assert exchange.process.returncode == 0
