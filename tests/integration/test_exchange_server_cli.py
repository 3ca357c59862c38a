"""The commands around a running exchange, and what a person gets to read."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.exchange_server import running_exchange


def tg(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tg_actors.cli.main", "exchange", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def answer(*arguments: str) -> Any:
    run = tg(*arguments, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_keys_status_and_ledger_of_a_running_exchange(tmp_path: Path) -> None:
    state = tmp_path / "state"
    order = {
        "account": "main",
        "spec": {"symbol": "BTC/USDT", "side": "buy", "order_type": "market", "quantity": "0.01"},
    }
    with running_exchange(state) as exchange:
        exchange.operator("POST", "orders", order)
        exchange.operator("POST", "deposit", {"account": "main", "currency": "USDT", "amount": "-25"})
        said = answer("status", "--state", str(state))
        assert (said["url"], said["clock"]) == (exchange.url, "paced")
        listed = tg("keys", "--state", str(state))
        assert "main-read" in listed.stdout
        assert not any(key.secret in listed.stdout + listed.stderr for key in exchange.keys.keys)
        ledger = answer("ledger", "--state", str(state))
    assert [(post["kind"], post["client_order_id"]) for post in ledger["posts"]] == [("operator", None)]
    assert [fill["quantity"] for fill in ledger["fills"]] == ["0.01"]
    assert [p["kind"] for p in ledger["postings"] if p["at_ns"] and p["ref"] != "opening"] == [
        "trade",
        "trade",
        "fee",
        "withdrawal",
    ]
    gone = tg("status", "--state", str(state))
    assert (gone.returncode, "no exchange runs" in gone.stderr) == (2, True)
    assert tg("ledger", "--state", str(state)).returncode == 0


def test_another_market_on_the_same_state_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running_exchange(state, clock="stepped") as exchange:
        exchange.advance(0)
    run = tg("serve", "--state", str(state), "--port", "0", "--clock", "stepped", "--seed", "8")
    assert (run.returncode, "another market" in run.stderr) == (2, True)


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    config = tmp_path / "exchange.yaml"
    config.write_text("venue: practice\ninstruments: [BTC/USDT]\nclocks: {}\n")
    run = tg("serve", "--state", str(tmp_path / "state"), "--config", str(config))
    assert run.returncode == 2
    assert "clocks" in run.stderr
    assert len(run.stderr.splitlines()) == 1
    missing = tg("keys", "--state", str(tmp_path / "nowhere"))
    assert (missing.returncode, "no exchange has run" in missing.stderr) == (2, True)
