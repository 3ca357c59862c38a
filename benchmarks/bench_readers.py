"""What a thousand readers cost the desk: its cycle latency with them and without, in turns of one run.

The desk trades on Ray; the HTTP API runs beside it in a process of its own and looks into its journal; a
third process polls ``GET /v1/signals/{i}`` as so many readers over as many connections. The API is as nice as
the desk's actors, as behind Serve; the readers, who are elsewhere in life, get what is left of the processor.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

from benchmarks.ground import desk, machine, plan, private_home, show
from tg_actors.runtime.cluster import require_token

_INSTRUMENTS = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,DOGE/USDT"
#: The coordinator keeps the latencies of its newest 1000 cycles: one turn.
_TURN = 1_000
_WARM_UP = 50
_START_S_MAX = 180.0
#: Ray's workers have 15.
_API_NICE, _READERS_NICE = 15, 19

#: The application on uvicorn; it says its port.
_API = """
import os, socket, sys
from pathlib import Path
import uvicorn
from serving.ingress.api import build_api
from serving.ports import Services
os.nice(int(sys.argv[2]))
nobody = object()
app = build_api(Services(home=Path(sys.argv[1]), policies=nobody, regimes=nobody, swaps=nobody))
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
print(sock.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False, lifespan="on")).run([sock])
"""

#: So many readers; says every second how many answers came and how long the slowest hundredth took.
_READERS = """
import asyncio, json, os, random, sys, time
import aiohttp
url, token, readers, every_s = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
os.nice(int(sys.argv[5]))
took, failed = [], 0
async def read(session, k):
    global failed
    await asyncio.sleep(every_s * k / readers)
    while True:
        began = time.perf_counter()
        try:
            async with session.get(url) as answer:
                await answer.read()
                failed += answer.status != 200
        except aiohttp.ClientError:
            failed += 1
        took.append((time.perf_counter() - began) * 1e3)
        await asyncio.sleep(max(0.0, every_s - (time.perf_counter() - began)))
async def tell():
    while True:
        await asyncio.sleep(1)
        taken = sorted(took)
        if taken:
            p50, p99 = (round(taken[int(q * len(taken))], 2) for q in (0.5, 0.99))
            said = {"reads": len(taken), "failed": failed, "ms_p50": p50, "ms_p99": p99}
            print(json.dumps(said), flush=True)
async def main():
    connector, headers = aiohttp.TCPConnector(limit=0), {"Authorization": "Bearer " + token}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await asyncio.gather(tell(), *(read(session, k) for k in range(readers)))
asyncio.run(main())
"""


def main() -> None:
    """Let the desk trade alone and before readers, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=1_000)
    parser.add_argument("--every", type=float, default=5.0, help="seconds between two reads of one reader")
    parser.add_argument("--rate", type=float, default=20.0, help="cycles a second")
    parser.add_argument("--rounds", type=int, default=2, help="turns of each kind, 1000 cycles each")
    args = parser.parse_args()
    before = machine()
    require_token()
    with redirect_stdout(sys.stderr), private_home() as home:
        figures = _measured(home, args)
    show("readers", before, figures)


def _measured(home: Path, args: argparse.Namespace) -> dict[str, Any]:
    from tg_actors.desk.launch import crew_of, launch
    from tg_actors.runtime.actors import get
    from tg_actors.runtime.cluster import ClusterSpec, cluster
    from tg_actors.runtime.home import run_folder
    from tg_actors.runtime.tokens import Scope, token_file

    token = token_file().create("bench", (Scope.READ,), 1)
    with cluster(ClusterSpec("bench-readers", dashboard=False), lambda _: None):
        config = desk(_INSTRUMENTS, str(3_600 * args.rate))
        planned = plan(config, run_folder("bench").path, durable=True)
        _identified(planned, config)
        coordinator = launch(planned, crew_of(planned, config.supervision)).coordinator
        get(coordinator.report.remote(), _START_S_MAX)
        cycle = _WARM_UP
        _trade(coordinator, cycle)
        alone, watched, reads = [], [], []
        with _api(home) as url:
            for k in range(args.rounds):
                # Alone first, then last: what the machine does meanwhile falls on both alike.
                for is_read in (False, True)[:: 1 - 2 * (k % 2)]:
                    cycle += _TURN
                    if not is_read:
                        alone.append(_turn(coordinator, cycle))
                        continue
                    with _reading(url, token, args) as readers:
                        watched.append(_turn(coordinator, cycle))
                    reads.append(readers)
    return _figures(args, alone, watched, reads)


def _identified(planned: Any, config: Any) -> None:
    """Say in the journal that a desk writes it, as a start by the command line does."""
    from tg_actors.cli.planning import PlannedRun, open_journal
    from tg_actors.runtime.home import RunFolder

    journal, _ = open_journal(PlannedRun(config, planned, RunFolder(Path(planned.folder))))
    journal.close()


def _turn(coordinator: Any, until_cycle: int) -> tuple[float, float]:
    from tg_actors.runtime.actors import get

    _trade(coordinator, until_cycle)
    status = get(coordinator.report.remote(), 30.0)
    return status.latency_ms_p50, status.latency_ms_p99


def _trade(coordinator: Any, until_cycle: int) -> None:
    from tg_actors.runtime.actors import get

    why = get(coordinator.trade.remote(until_cycle), 600.0)
    if why != "enough cycles":
        raise RuntimeError(f"the desk stopped: {why}")


@contextmanager
def _api(home: Path) -> Iterator[str]:
    command = [sys.executable, "-c", _API, str(home), str(_API_NICE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:  # noqa: S603 - our own program
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


@contextmanager
def _reading(url: str, token: str, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Keep the readers reading; what they have said last stands in the yielded table afterwards."""
    address = f"{url}/v1/signals/BTC-USDT"
    told = [address, token, str(args.readers), str(args.every), str(_READERS_NICE)]
    command = [sys.executable, "-c", _READERS, *told]
    newest: dict[str, Any] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment()) as process:  # noqa: S603 - our own program
        try:
            yield newest
        finally:
            process.terminate()
            lines = process.communicate()[0].splitlines()
            newest.update(_last(lines))


def _last(lines: list[str]) -> dict[str, Any]:
    import json

    said: dict[str, Any] = json.loads(lines[-1]) if lines else {"reads": 0}
    return said


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def _figures(
    args: argparse.Namespace,
    alone: list[tuple[float, float]],
    watched: list[tuple[float, float]],
    reads: list[dict[str, Any]],
) -> dict[str, Any]:
    def median(turns: list[tuple[float, float]], k: int) -> float:
        return round(statistics.median(turn[k] for turn in turns), 2)

    return {
        "readers": args.readers,
        "read_every_s": args.every,
        "cycles_per_s": args.rate,
        "cycles_a_turn": _TURN,
        "alone_ms_p50": median(alone, 0),
        "alone_ms_p99": median(alone, 1),
        "with_readers_ms_p50": median(watched, 0),
        "with_readers_ms_p99": median(watched, 1),
        "ratio_p50": round(median(watched, 0) / median(alone, 0), 3),
        "ratio_p99": round(median(watched, 1) / median(alone, 1), 3),
        "turns_alone_ms": alone,
        "turns_with_readers_ms": watched,
        "reads": reads,
        "goals": {"ratio_p50_max": 1.1},
    }


if __name__ == "__main__":
    main()
