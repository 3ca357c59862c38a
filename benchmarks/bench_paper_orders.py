"""A paper order through the real ccxt over loopback, beside the same POST to a handler that does nothing."""

import argparse
import http.client
import itertools
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

from benchmarks.ground import machine, private_home, quantile, show
from tg_actors.chaos.burst import intents_of
from tg_actors.chaos.load import lively_desk, lively_plan
from tg_actors.chaos.rig import KRAKEN
from tg_actors.desk.paper import on_paper
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.ids import client_order_id
from tg_actors.domain.orders import Permit
from tg_actors.execution.venues.connection import CcxtConnection
from tg_actors.execution.venues.opening import RemoteAccount, open_remote
from tg_actors.execution.venues.port import Acknowledged
from tg_actors.market.config import open_market
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.keys import read_key

_DEADLINE_NS = 30 * 1_000_000_000
#: As long as what ccxt sends for an order, headers included.
_BODY = b"nonce=1700000000000&ordertype=market&type=buy&volume=0.00020000&pair=XBTUSDT&cl_ord_id=" + b"0" * 36
_NO_OP = """
import sys
from aiohttp import web
async def answer(request):
    await request.read()
    return web.json_response({"error": [], "result": {"txid": ["OAAAAA-BBBBB-CCCCCC"]}})
app = web.Application()
app.router.add_post("/0/private/AddOrder", answer)
async def main():
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()
import asyncio
asyncio.run(main())
"""


def main() -> None:
    """Send small orders one after the other; then as many bare POSTs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=500)
    args = parser.parse_args()
    before = machine()
    with private_home() as home:
        ours = _orders(home, args.orders)
    bare = _bare(args.orders)
    figures = {
        "orders": len(ours),
        "order_ms_p50": _ms(quantile(ours, 0.5)),
        "order_ms_p99": _ms(quantile(ours, 0.99)),
        "orders_per_s": round(len(ours) / sum(ours), 1),
        "bare_post_ms_p50": _ms(quantile(bare, 0.5)),
        "bare_post_ms_p99": _ms(quantile(bare, 0.99)),
        "ratio_p50": round(quantile(ours, 0.5) / quantile(bare, 0.5), 2),
        "ratio_p99": round(quantile(ours, 0.99) / quantile(bare, 0.99), 2),
    }
    show("paper_orders", before, figures)


def _orders(home: Path, count: int) -> list[float]:
    """Seconds from the call of the venue to the durable answer of the exchange, per order."""
    config = lively_desk("bench", 1)
    folder = RunFolder(home / "bench")
    folder.path.mkdir()
    plan = lively_plan(config, folder.path, KRAKEN, None)
    with on_paper(config, plan, folder, lambda _: None) as on:
        return _send(on, count)


def _send(plan: DeskPlan, count: int) -> list[float]:
    connection = plan.account.connection
    assert isinstance(connection, CcxtConnection)
    spec = plan.account.executor
    venue = open_remote(connection, RemoteAccount(spec.account, spec.instruments, 1), read_key)
    market = open_market(plan.market)
    took: list[float] = []
    for cycle in itertools.count():
        snapshot = market.advance(cycle)
        assert snapshot is not None
        venue.read(snapshot)
        for intent in itertools.islice(intents_of(plan, snapshot), 20):
            now_ns = time.time_ns()
            permit = Permit(
                intent_id=intent.intent_id,
                client_order_id=client_order_id(intent.intent_id),
                venue=venue.name,
                account=venue.account,
                permitted_at_ns=now_ns,
                venue_deadline_ns=now_ns + _DEADLINE_NS,
                reserved_notional=Decimal(0),
            )
            began = time.perf_counter()
            answer = venue.post(permit, intent)
            if isinstance(answer, Acknowledged):  # a refusal is another, shorter way
                took.append(time.perf_counter() - began)
        if len(took) >= count or not took:
            return took
    return took


def _bare(count: int) -> list[float]:
    """The same POST over one kept connection of the standard library to a handler that does nothing."""
    server = subprocess.Popen(  # noqa: S603 - the script above
        [sys.executable, "-c", _NO_OP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        line = http.client.HTTPConnection("127.0.0.1", int(server.stdout.readline()), timeout=10)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "API-Key": "k" * 56,
            "API-Sign": "s" * 88,
        }
        took: list[float] = []
        for _ in range(count):
            began = time.perf_counter()
            line.request("POST", "/0/private/AddOrder", _BODY, headers)
            line.getresponse().read()
            took.append(time.perf_counter() - began)
        line.close()
        return took
    finally:
        server.stdin.close()
        server.wait(10)
        server.stdout.close()


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)


if __name__ == "__main__":
    main()
