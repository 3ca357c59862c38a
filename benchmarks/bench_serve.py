"""How quickly Ray Serve answers: signals over HTTP beside an app that does nothing, and a policy by handle.

In the same run, in turns: ``GET /v1/signals/{i}`` of our gateway; Serve applications that return the same
bytes and look at nothing, one a plain callable, one with FastAPI as ingress; and a bare FastAPI application
on uvicorn. Then fifty rows for a policy: our clients over HTTP and gRPC, in turns, and an actor by handle.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from benchmarks.ground import desk, machine, plan, private_home, quantile, show, spread

_INSTRUMENTS = "BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,DOGE/USDT"
_CYCLES = 30
_MODEL, _ROWS, _FEATURES, _WIDTH = "rl-balanced", 50, 16, 64
_CONNECTIONS = 8

#: The peer without Ray: one route, the same bytes, one worker.
_BARE = """
import sys
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response
body = sys.argv[2].encode()
app = FastAPI()
@app.get("/signals")
async def signals():
    return Response(body, media_type="application/json")
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)
"""


def main() -> None:
    """Measure all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=300, help="of one target in one round")
    args = parser.parse_args()
    before = machine()
    with private_home() as home:
        _made_desk(home)
        token = _made_models(home)
        figures = _served(home, token, args.rounds, args.requests)
    show("serve", before, figures)


def _served(home: Path, token: str, rounds: int, requests: int) -> dict[str, Any]:
    from tg_actors.runtime.cluster import ClusterSpec, cluster
    from tg_actors.runtime.serve_config import ServeConfig
    from tg_actors.runtime.serving import deploy, free_port

    # Ray imports the replicas' code in other processes.
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with cluster(
        ClusterSpec("bench-serve", None, dashboard=False), lambda line: print(line, file=sys.stderr)
    ):
        began = time.perf_counter()
        serving = deploy(ServeConfig(port=0, grpc_port=0), home)
        deploy_s = time.perf_counter() - began
        path = "/v1/signals/BTC-USDT"
        body = _first_body(serving.url + path, token)
        _add_noop(body)
        port = free_port("127.0.0.1")
        with _bare(port, body):
            targets = {
                "signals": (serving.url, path),
                "noop_serve": (serving.url, "/noop"),
                "noop_fastapi_serve": (serving.url, "/noop-fastapi/signals"),
                "bare_uvicorn": (f"http://127.0.0.1:{port}", "/signals"),
            }
            http = asyncio.run(_in_turns(targets, token, rounds, requests))
        predict = _predictions(serving.url, str(serving.grpc), token, rounds, requests)
        handle = _by_handle(max(rounds * requests, 200))
    p50 = {name: figures["p50_ms"]["median"] for name, figures in http.items()}
    per_s = {name: figures["per_s"]["median"] for name, figures in http.items()}
    return {
        "deploy_s": round(deploy_s, 1),
        "body_bytes": len(body),
        "connections": _CONNECTIONS,
        "http": http,
        "signals_p50_over_noop_serve": round(p50["signals"] / p50["noop_serve"], 2),
        "signals_p50_over_noop_fastapi_serve": round(p50["signals"] / p50["noop_fastapi_serve"], 2),
        "signals_per_s_over_noop_serve": round(per_s["signals"] / per_s["noop_serve"], 2),
        "goal_p50_over_noop_serve_max": 1.3,
        "predict": predict,
        "actor_to_policy_handle": handle,
    }


def _made_desk(home: Path) -> None:
    """A desk that has decided a few cycles, for readers to read of."""
    from tg_actors.desk.wiring import wire_inline
    from tg_actors.journal.records import Durability
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns

    folder = home / "runs" / "bench"
    folder.mkdir(parents=True)
    made = plan(desk(_INSTRUMENTS, "max"), folder, durable=False)
    with Journal.open(made.journal, Durability.BATCH, clock_ns=wall_ns) as journal:
        journal.set_identity({"executor": made.account.executor.model_dump_json()})
        coordinator = wire_inline(made, journal, wall_ns)
        while coordinator.next_cycle < _CYCLES:
            coordinator.step()


def _made_models(home: Path) -> str:
    """A policy of the usual size that nobody trained; returns a token of a reader."""
    from tg_actors.rl.manifest import Manifest
    from tg_actors.rl.registry import ModelRegistry
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.tokens import Scope, TokenFile

    rng = np.random.default_rng(1)
    sizes = {"hidden_0": (_WIDTH, _FEATURES), "hidden_1": (_WIDTH, _WIDTH), "choice": (8, _WIDTH)}
    arrays = {}
    for layer, (out, width) in sizes.items():
        arrays[f"{layer}.weight"] = rng.standard_normal((out, width)).astype(np.float32)
        arrays[f"{layer}.bias"] = rng.standard_normal(out).astype(np.float32)
    manifest = Manifest(
        name=_MODEL,
        features=tuple(f"feature_{k}" for k in range(_FEATURES)),
        instruments=("BTC/USDT",),
        market="none",
        bar_ns=3_600 * 10**9,
        from_ns=0,
        to_ns=1,
        seed=1,
        reward="v2",
        code_version="bench",
        created_at_ns=1,
    )
    registry = ModelRegistry(home / "models")
    version = registry.register(_MODEL, arrays, manifest)
    registry.promote(_MODEL, version, reason="a benchmark", actor="bench", at_ns=1)
    tokens = TokenFile(home / "serve" / "tokens.json")
    return tokens.create("bench", (Scope.READ,), wall_ns())


def _first_body(url: str, token: str) -> str:
    """What the board says, once it has been looked at."""
    import requests

    end = time.monotonic() + 30
    while True:
        answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
        if answer.ok:
            return answer.text
        if time.monotonic() > end:
            raise SystemExit(f"{url}: {answer.status_code} {answer.text}")
        time.sleep(0.2)


def _add_noop(body: str) -> None:
    """Deploy beside ours two applications that return the same bytes and look at nothing."""
    from fastapi import FastAPI
    from ray import serve
    from starlette.responses import Response

    class Noop:
        def __init__(self, content: str) -> None:
            self._content = content.encode()

        async def __call__(self) -> Response:
            return Response(self._content, media_type="application/json")

    class NoopIngress:
        def __init__(self, content: str) -> None:
            self._content = content.encode()

        def __serve_build_asgi_app__(self) -> FastAPI:
            app, content = FastAPI(), self._content

            @app.get("/signals")
            async def signals() -> Response:
                return Response(content, media_type="application/json")

            return app

    for name, cls in (("noop", Noop), ("noop-fastapi", serve.ingress()(NoopIngress))):
        options: Any = {"num_cpus": 0.1}
        made: Any = serve.deployment(cls, name=name, max_ongoing_requests=1000, ray_actor_options=options)
        serve.run(made.bind(body), name=name, route_prefix=f"/{name}")


@contextmanager
def _bare(port: int, body: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", _BARE, str(port), body])  # noqa: S603 - our own words
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


async def _in_turns(
    targets: dict[str, tuple[str, str]], token: str, rounds: int, requests: int
) -> dict[str, Any]:
    found: dict[str, dict[str, list[float]]] = {n: {"p50": [], "p99": [], "rate": []} for n in targets}
    for target in targets.values():
        await _burst(*target, token, 1, 50)
    for _ in range(rounds):
        for name, target in targets.items():
            took, _seconds = await _burst(*target, token, 1, requests)
            found[name]["p50"].append(1e3 * quantile(took, 0.5))
            found[name]["p99"].append(1e3 * quantile(took, 0.99))
            took, seconds = await _burst(*target, token, _CONNECTIONS, requests)
            found[name]["rate"].append(len(took) / seconds)
    return {
        name: {"p50_ms": spread(f["p50"]), "p99_ms": spread(f["p99"]), "per_s": spread(f["rate"])}
        for name, f in found.items()
    }


async def _burst(
    url: str, path: str, token: str, connections: int, requests: int
) -> tuple[list[float], float]:
    """Ask over so many kept connections, each one question at a time."""
    began = time.perf_counter()
    each = max(requests // connections, 1)
    took = await asyncio.gather(*(_connection(url, path, token, each) for _ in range(connections)))
    return [one for part in took for one in part], time.perf_counter() - began


async def _connection(url: str, path: str, token: str, requests: int) -> list[float]:
    at = urlsplit(url)
    for _ in range(100):
        try:
            reader, writer = await asyncio.open_connection(at.hostname, at.port)
            break
        except ConnectionError:  # the bare server is still starting
            await asyncio.sleep(0.1)
    else:
        raise SystemExit(f"nobody answers on {url}")
    question = f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    took = []
    for _ in range(requests):
        began = time.perf_counter()
        writer.write(question)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"{path}: {head.decode()}")
        lengths = [
            int(h.split(b":")[1]) for h in head.lower().split(b"\r\n") if h.startswith(b"content-length:")
        ]
        await reader.readexactly(lengths[0])
        took.append(time.perf_counter() - began)
    writer.close()
    return took


def _predictions(url: str, grpc: str, token: str, rounds: int, requests: int) -> dict[str, Any]:
    """As a program elsewhere on the machine would ask: one connection, one question at a time."""
    from tg_actors.client import TripleGainClient
    from tg_actors.client.predict import PredictClient
    from tg_actors.client.words import PredictRequest

    rows = _rows()
    plain = tuple(map(tuple, rows.tolist()))
    found: dict[str, dict[str, list[float]]] = {name: {"p50": [], "p99": []} for name in ("http", "grpc")}
    with TripleGainClient(url, token) as by_http, PredictClient(grpc, token) as by_grpc:
        ways: dict[str, Callable[[], object]] = {
            "http": lambda: by_http.predict(_MODEL, PredictRequest(observed=plain)),
            "grpc": lambda: by_grpc.predict(_MODEL, rows),
        }
        for ask in ways.values():
            _timed(ask, 50)
        for _ in range(rounds):
            for name, ask in ways.items():
                took = _timed(ask, requests)
                found[name]["p50"].append(1e3 * quantile(took, 0.5))
                found[name]["p99"].append(1e3 * quantile(took, 0.99))
    p50 = {name: statistics.median(figures["p50"]) for name, figures in found.items()}
    figures = {n: {"p50_ms": spread(f["p50"]), "p99_ms": spread(f["p99"])} for n, f in found.items()}
    return {"rows": _ROWS, **figures, "grpc_p50_over_http": round(p50["grpc"] / p50["http"], 2)}


def _timed(ask: Callable[[], object], times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        took.append(time.perf_counter() - began)
    return took


def _rows() -> Any:
    return np.random.default_rng(2).standard_normal((_ROWS, _FEATURES)).astype(np.float32)


def _by_handle(calls: int) -> dict[str, Any]:
    """From inside an actor, as the desk's agents would ask."""
    import ray

    class Asking:
        def __init__(self) -> None:
            from ray import serve

            self._handle: Any = serve.get_deployment_handle("Policies", "triplegain")

        def ask(self, observed: Any, calls: int) -> list[float]:
            took = []
            for k in range(calls + 50):
                began = time.perf_counter()
                self._handle.predict.remote(_MODEL, observed, str(k)).result(timeout_s=30)
                took.append(time.perf_counter() - began)
            return took[50:]

    observed = _rows()
    asking: Any = ray.remote(Asking)
    actor = asking.options(num_cpus=0).remote()
    took = ray.get(actor.ask.remote(observed, calls))
    return {
        "rows": _ROWS,
        "calls": calls,
        "p50_ms": round(1e3 * statistics.median(took), 3),
        "p99_ms": round(1e3 * quantile(took, 0.99), 3),
    }


if __name__ == "__main__":
    # Ray's sockets lie below the temporary folder, and a socket's path holds 107 bytes.
    tempfile.tempdir = "/tmp"  # noqa: S108 - the folder below it has a random name and mode 0700
    main()
