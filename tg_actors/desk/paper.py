"""Paper trading through a real client: the practice exchange as a process of its own, beside the desk."""

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

import yaml

from tg_actors.desk.config import DeskConfig
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.errors import OutsideError
from tg_actors.exchange.server.config import AccountConfig, ServerConfig, SteppedClock
from tg_actors.exchange.server.keys import KeyFile
from tg_actors.execution.venues.connection import (
    AlpacaConnection,
    CcxtConnection,
    Connection,
    InlineConnection,
    OperatorDoor,
)
from tg_actors.market.config import MarketConfig
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.keys import write_key

#: The exchange reads its ledger and opens its market before it listens.
_START_S_MAX = 60.0
_STOP_S_MAX = 15.0
_FIRST_TRIES, _AGAIN_S = 3, 2.0

_log = logging.getLogger(__name__)

Tell = Callable[[str], None]


@contextmanager
def on_paper(config: DeskConfig, plan: DeskPlan, folder: RunFolder, tell: Tell) -> Iterator[DeskPlan]:
    """Put the practice exchange behind the desk's client for the length of the block.

    The same market runs in both; the exchange's stands still until the desk has decided, so that a
    paper desk at any speed is filled as a backtest is. Its ledger lies in the run's folder and outlives
    the desk. An exchange that dies comes back at the same address.

    Yields:
        The plan with a connection that leads to it; as it was for a desk that needs none.

    Raises:
        OutsideError: the exchange does not start.
    """
    if isinstance(plan.account.connection, InlineConnection) or config.mode == "live":
        yield plan
        return
    tell("starting the practice exchange …")
    with _Exchange(_written(config, plan, folder), folder) as exchange:
        connection = _towards(exchange.url, plan.account.connection, folder)
        yield plan.model_copy(update={"account": plan.account.model_copy(update={"connection": connection})})


class _Exchange:
    """The exchange's process, restarted where it was when it dies."""

    def __init__(self, config: Path, folder: RunFolder) -> None:
        self._command = [
            *(sys.executable, "-m", "tg_actors.cli.main", "exchange", "serve"),
            *("--config", str(config), "--state", str(_state(folder)), "--json"),
            *("--parent", str(os.getpid())),
        ]
        self._log_path = folder.path / "exchange.log"
        self._leaving = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name="practice exchange", daemon=True)
        self.url = ""

    def __enter__(self) -> Self:
        self._log = self._log_path.open("ab")
        self._process, self.url = self._first()
        self._keeper.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._leaving.set()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._keeper.join()
        self._log.close()

    def _keep(self) -> None:
        """Start it again, at the same port, whenever it ends before we leave."""
        while True:
            self._process.wait()
            if self._leaving.is_set():
                return
            _log.warning("the practice exchange ended with %s: starting it again", self._process.returncode)
            try:
                self._process, self.url = self._start(int(self.url.rsplit(":", 1)[1]))
            except OutsideError:
                # The desk goes on without a venue: it permits nothing that it cannot see.
                _log.exception("the practice exchange does not come back")
                return
            if self._leaving.is_set():
                self._process.terminate()

    def _first(self) -> tuple[subprocess.Popen[bytes], str]:
        """Start it; the one of a desk that was killed a moment ago may still be about to leave."""
        for _ in range(_FIRST_TRIES - 1):
            try:
                return self._start(0)
            except OutsideError:
                self._leaving.wait(_AGAIN_S)
        return self._start(0)

    def _start(self, port: int) -> tuple[subprocess.Popen[bytes], str]:
        process = subprocess.Popen(  # noqa: S603 - our own program with our own arguments
            [*self._command, "--port", str(port)], stdout=subprocess.PIPE, stderr=self._log
        )
        timer = threading.Timer(_START_S_MAX, process.kill)
        timer.start()
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            with process.stdout as stdout:  # it says where it listens, and then no more
                said = _first_line(stdout)
        finally:
            timer.cancel()
        if said is None:
            process.wait()
            sentence = f"the practice exchange did not start: {_last_line(self._log_path)}"
            raise OutsideError(sentence, retryable=True)
        return process, said["url"]


def _written(config: DeskConfig, plan: DeskPlan, folder: RunFolder) -> Path:
    """Write the exchange's configuration: the desk's market, filters, costs and cash."""
    executor = plan.account.executor
    server = ServerConfig(
        venue=config.venue,
        instruments=plan.market.symbols,
        market=MarketConfig(timeframe=plan.market.timeframe, source=plan.market.source),
        clock=SteppedClock(),
        accounts={executor.account: AccountConfig(balances=executor.opening_cash)},
    )
    path = folder.path / "exchange.yaml"
    path.write_text(yaml.safe_dump(json.loads(server.model_dump_json()), sort_keys=False))
    return path


def _towards(url: str, connection: CcxtConnection | AlpacaConnection, folder: RunFolder) -> Connection:
    """Point a client at the exchange, with keys that it gave out."""
    keys = KeyFile.model_validate_json(json.dumps(yaml.safe_load((_state(folder) / "keys.yaml").read_text())))
    trade = next(key for key in keys.keys if key.may_trade)
    read = next(key for key in keys.keys if not key.may_trade)
    tag = f"practice-{hashlib.sha256(folder.name.encode()).hexdigest()[:8]}"
    write_key(tag, trade.api_key, trade.secret)
    write_key(f"{tag}-read", read.api_key, read.secret, "read")
    write_key(f"{tag}-operator", "operator", keys.operator_token)
    dialect = connection.exchange if isinstance(connection, CcxtConnection) else connection.kind
    door = OperatorDoor(url=url, key=f"{tag}-operator")
    changed: dict[str, Any] = {
        "key": tag,
        "read_key": f"{tag}-read",
        "url": f"{url}/{dialect}",
        "operator": door,
    }
    return connection.model_copy(update=changed)


def _state(folder: RunFolder) -> Path:
    return folder.path / "exchange"


def _first_line(stream: IO[bytes]) -> dict[str, Any] | None:
    line = stream.readline()
    return json.loads(line) if line.strip() else None


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
