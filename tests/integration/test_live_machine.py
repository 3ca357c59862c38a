"""The whole live path, no network: evidence, promotion, approvals, real client, real pace, real bars."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.live_words import LiveHome, exchange_of_this_minute, traded_before
from tg_actors.domain.orders import Leg, OrderState, TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.verify import verify

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]
T = TypeVar("T")
LIVE = ("run", "--desk", "live.yaml", "--live", "micro-live", "--cycles", "9", "--name", "live")


def eventually(look: Callable[[], T | None], desk: "subprocess.Popen[bytes]", timeout_s: float = 150) -> T:
    """Look again and again until there is something to see; a desk that ends meanwhile has failed."""
    end = time.monotonic() + timeout_s
    while (seen := look()) is None:
        assert desk.poll() is None, "the desk has ended"
        assert time.monotonic() < end, "nothing came in time"
        time.sleep(0.3)
    return seen


def asked(home: LiveHome) -> list[dict[str, Any]] | None:
    """Orders that wait for a person; None for none."""
    rows = json.loads(home.tg("approvals", "--run", "live", "--json").stdout)
    return [row for row in rows if row["state"] == "pending"] or None


def test_a_live_desk_is_promoted_asks_trades_and_leaves_its_stops(tmp_path: Path) -> None:
    with exchange_of_this_minute(tmp_path) as exchange:
        home = LiveHome(tmp_path, exchange, traded_before(exchange))
        desk = home.start(*LIVE)
        try:
            proof = home.tg(
                "run", "--desk", "paper.yaml", "--name", "proof", "--cycles", "60", "--speed", "max"
            )
            assert proof.returncode == 0, proof.stderr

            def standing() -> str | None:
                answer = home.tg("gates", "status", "--run", "live", "--json")
                return answer.stdout if answer.returncode == 0 else None

            assert '"paper"' in eventually(standing, desk)
            promote = ("gates", "promote", "--run", "live", "--evidence", "proof", "--confirm", "micro-100")
            promoted = home.tg(*promote)
            assert promoted.returncode == 0, promoted.stderr

            def granted() -> list[str] | None:
                """What was granted; an intent lives for a bar, so a late word is one for the next."""
                answers = [home.tg("approve", row["order"], "--run", "live") for row in asked(home) or ()]
                return [a.stdout for a in answers if a.returncode == 0] or None

            def protected() -> list[str] | None:
                """Stops that rest, once nothing that was granted is on its way any more."""
                if granted():
                    return None
                with JournalReader.read_only(home.journal("live")) as journal:
                    orders, waiting = journal.orders(), journal.approvals(open_only=True)
                stops = [o for o in orders if o.intent.leg is Leg.STOP and o.state is OrderState.OPEN]
                under_way = [o for o in orders if o.intent.leg is Leg.ENTRY and o.is_live]
                return None if waiting or under_way else [o.client_order_id for o in stops] or None

            resting = eventually(protected, desk)
            desk.send_signal(signal.SIGINT)
            assert desk.wait(60) == 0
        finally:
            if desk.poll() is None:
                desk.kill()
                desk.wait()
        with JournalReader.read_only(home.journal("live")) as journal:
            assert verify(journal).ok
            assert journal.trading_state() is TradingState.ACTIVE
            happened = [event.type for event in journal.events()]
            assert {"StagePromoted", "ApprovalRequested", "ApprovalUsed", "OrderFilled"} <= set(happened)
            assert happened.index("StagePromoted") < happened.index("OrderPermitted")
            permitted = [permit.client_order_id for permit in journal.permits()]
            ours = {fill.trade_id for fill in journal.fills()}
            decided = list(journal.events({"CycleDecided"}))
            early = [event.cycle for event in decided if event.at_ns > event.wall_ns]
            assert early == [], "a bar was decided before its close"
        ledger = exchange.ledger()
        posted = [post["client_order_id"] for post in ledger["posts"] if post["client_order_id"]]
        assert len(posted) == len(set(posted))
        assert set(posted) <= set(permitted)
        assert len(ours) == len([f for f in ledger["fills"] if f["client_order_id"] in permitted])
        assert len(ours) < len(ledger["fills"]), "what was traded before is not ours"
        left = {o["client_order_id"] for o in ledger["orders"] if o["state"] == "open"}
        assert set(resting) <= left
