"""A practice exchange as a process of its own, for tests: started, pointed at, killed, started again.

    def test_something(tmp_path):
        with running_exchange(tmp_path / "state", clock="stepped") as exchange:
            key = exchange.key("main")                      # key.api_key, key.secret
            client = ccxt.kraken(exchange.ccxt_config("kraken", "main"))
            exchange.advance(0)

Tests that start several take the fixture ``exchange_factory`` (``from tests.exchange_server import
exchange_factory``): it ends everything it started, by its own handle.
"""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tg_actors.exchange.server.keys import Key, KeyFile

#: Starting Python, pandas and the market on a busy machine.
_START_S_MAX = 90.0
_STOP_S_MAX = 20.0


class RunningExchange:
    """One process of ``tg exchange serve``; ``url`` is ``http://127.0.0.1:<port>``."""

    def __init__(self, state: Path, arguments: tuple[str, ...]) -> None:
        self.state = state
        self.arguments = arguments
        self.start()

    def start(self, port: int = 0) -> None:
        """Start the process and wait for its first line."""
        command = [sys.executable, "-m", "tg_actors.cli.main", "exchange", "serve", "--json"]
        command += ["--state", str(self.state), "--port", str(port), *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the exchange ended at once with {self.process.wait()}"
        self.announced: dict[str, Any] = json.loads(line)
        self.url: str = self.announced["url"]
        self.keys = KeyFile.model_validate(
            yaml.safe_load((self.state / "keys.yaml").read_text()), strict=False
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    def dialect_url(self, dialect: str) -> str:
        """Base address of one venue's API, for example ``http://127.0.0.1:4711/kraken``."""
        return f"{self.url}/{dialect}"

    def key(self, account: str = "main", permission: str = "trade") -> Key:
        """The key of an account."""
        return next(k for k in self.keys.keys if (k.account, k.permission) == (account, permission))

    def operator(self, method: str, path: str, body: object = None) -> Any:
        """Ask the operator's API, for example ``operator("GET", "status")``; raises on refusal."""
        request = urllib.request.Request(
            f"{self.url}/practice/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.keys.operator_token}",
                "Content-Type": "application/json",
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode()}") from error

    def advance(self, cycle: int) -> Any:
        """Trade every bar up to this cycle (stepped clock); a repeat changes nothing."""
        return self.operator("POST", "advance", {"cycle": cycle})

    def faults(self, plan: Mapping[str, Any]) -> Any:
        """Put a plan of faults in force; ``{}`` ends them all."""
        return self.operator("PUT", "faults", plan)

    def ledger(self) -> dict[str, Any]:
        """The ground truth: every request for an order, every order, every fill, read by another process."""
        command = [sys.executable, "-m", "tg_actors.cli.main", "exchange", "ledger", "--json"]
        run = subprocess.run(
            [*command, "--state", str(self.state)], capture_output=True, text=True, timeout=120, check=True
        )
        content: dict[str, Any] = json.loads(run.stdout)
        return content

    def ccxt_config(self, venue: str, account: str = "main", permission: str = "trade") -> dict[str, Any]:
        """Constructor argument for the unmodified ``ccxt.kraken`` / ``ccxt.binance`` (and async, pro)."""
        key = self.key(account, permission)
        base, ws = self.dialect_url(venue), self.dialect_url(venue).replace("http", "ws", 1)
        config: dict[str, Any] = {"apiKey": key.api_key, "secret": key.secret, "enableRateLimit": False}
        if venue == "kraken":
            streams = dict.fromkeys(("public", "private", "publicV2", "privateV2"), f"{ws}/v2")
            config["urls"] = {"api": {"public": base, "private": base, "ws": streams}}
        return config

    def kill(self) -> None:
        """SIGKILL, at any moment."""
        self.process.kill()
        self._ended()

    def restart(self) -> None:
        """Start again on the same state and the same port."""
        self.start(self.port)

    def stop(self) -> None:
        """Ctrl-C, as a person stops it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(_STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self._ended()

    def _ended(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextmanager
def running_exchange(
    state: Path,
    *,
    clock: str = "paced",
    config: Mapping[str, Any] | None = None,
    arguments: tuple[str, ...] = (),
) -> Iterator[RunningExchange]:
    """Start an exchange and stop it at the end. ``config`` overrides keys of configs/exchange.yaml.

    ``clock`` is ``paced`` (the market runs; default config: 1m bars, simulated, real time) or
    ``stepped`` (bars by :meth:`RunningExchange.advance`).
    """
    state.mkdir(parents=True, exist_ok=True)
    extra: list[str] = ["--clock", clock]
    if config is not None:
        content = yaml.safe_load((Path(__file__).parents[1] / "configs" / "exchange.yaml").read_text())
        content.update(config)
        file = state.parent / f"{state.name}-exchange.yaml"
        file.write_text(json.dumps(content))
        extra += ["--config", str(file)]
    exchange = RunningExchange(state, (*extra, *arguments))
    try:
        yield exchange
    finally:
        exchange.stop()


@pytest.fixture
def exchange_factory(tmp_path: Path) -> Iterator[Callable[..., RunningExchange]]:
    """A function that starts exchanges which end with the test."""
    with ExitStack() as stack:
        started: list[RunningExchange] = []

        def start(**options: Any) -> RunningExchange:
            state = tmp_path / f"exchange{len(started)}"
            started.append(stack.enter_context(running_exchange(state, **options)))
            return started[-1]

        yield start
