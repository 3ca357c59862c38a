"""A live desk without a network: an exchange whose market is the wall clock's, keys, files, a person.

Everything is what a user has: files below a working folder, the ``tg`` command, the real ccxt client. Only
the address of the venue is another.
"""

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import duckdb
import numpy as np
import yaml

from tests.exchange_server import RunningExchange, running_exchange
from tests.stage_words import PLAN
from tg_actors.risk.stages_plan import Criterion, Metric, Stage, StagePlan

REPOSITORY = Path(__file__).parents[1]
MINUTE_NS = 60 * 10**9
#: Starting prices; all of them rise by more than they shake, so that somebody buys.
PRICES = {"BTC/USDT": 50_000.0, "ETH/USDT": 3_000.0, "XRP/USDT": 0.5}
#: What the account has besides the desk's money, and has traded before: none of the desk's business.
FOREIGN_COIN = "XRP"
_HISTORY_BARS, _FUTURE_BARS = 600, 60
#: From asking a process to start until its market moves.
_START_NS = 2 * 10**9


def rising_bars(folder: Path, from_ns: int) -> None:
    """Write minutes of a rising market around an instant, as the history store reads them."""
    (folder / "ohlcv").mkdir(parents=True)
    opens = from_ns + MINUTE_NS * np.arange(-_HISTORY_BARS, _FUTURE_BARS, dtype=np.int64)
    for symbol, price in PRICES.items():
        steps = 0.0006 + 0.0004 * np.random.default_rng(len(symbol)).standard_normal(len(opens))
        closes = price * np.exp(np.cumsum(steps))
        begins = np.concatenate([[price], closes[:-1]])
        highs, lows = np.maximum(begins, closes) * 1.0004, np.minimum(begins, closes) * 0.9996
        columns = [begins, highs, lows, closes, np.full(len(opens), 500.0)]
        path = folder / "ohlcv" / f"BINANCE_{symbol.replace('/', '-')}_1m.parquet"
        names = ("open", "high", "low", "close", "volume")
        unnested = ", ".join(f"unnest(?)::DOUBLE AS {name}" for name in names)
        query = f"SELECT to_timestamp(open_ns / 1e9) AS timestamp, {', '.join(names)} FROM "
        with duckdb.connect(":memory:") as connection:
            connection.execute(
                f"COPY ({query} (SELECT unnest(?)::BIGINT AS open_ns, {unnested})) TO '{path}'",
                [opens.tolist(), *(column.tolist() for column in columns)],
            )


@contextmanager
def exchange_of_this_minute(folder: Path) -> Iterator[RunningExchange]:
    """An exchange in real time whose market stands where the wall clock stands, a second or two before."""
    from_ns = time.time_ns() // MINUTE_NS * MINUTE_NS
    rising_bars(folder / "data", from_ns)
    utc = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(from_ns / 1e9))
    config = {
        "venue": "kraken",
        "instruments": list(PRICES),
        "market": {
            "timeframe": "1m",
            "source": {"kind": "recorded", "data": str(folder / "data"), "from_utc": utc},
        },
        "accounts": {"main": {"kind": "spot", "balances": {"USDT": "150"}}},
        "limits": {},
    }
    with running_exchange(folder / "exchange", config=config) as exchange:
        # It begins with a whole bar; let it begin inside the one that runs.
        exchange.kill()
        passed = (time.time_ns() + _START_NS - from_ns) / MINUTE_NS
        with sqlite3.connect(exchange.state / "ledger.sqlite") as ledger:
            where = f"{int(passed)}:{passed % 1!r}"
            ledger.execute("UPDATE meta SET value = ? WHERE key = 'position'", (where,))
        exchange.restart()
        yield exchange


def traded_before(exchange: RunningExchange) -> Decimal:
    """Let the account trade what the desk does not; returns the dollars that are left."""
    client: Any = ccxt.kraken(exchange.ccxt_config("kraken"))
    client.create_order(f"{FOREIGN_COIN}/USDT", "market", "buy", 60, None, {"oflags": "fciq"})
    held = client.fetch_balance()["info"]["result"]
    assert any(FOREIGN_COIN in name for name in held)
    return Decimal(held["USDT"]["balance"])


def _easy(stage: Stage) -> Stage:
    exit_ = (Criterion(metric=Metric.UPTIME, at_least=Decimal("0.5")),)
    return stage.model_copy(update={"duration_days_min": 1, "entry": (), "exit": exit_})


class LiveHome:
    """The working folder of somebody who trades live: desk files, keys, stages that a short run can leave."""

    def __init__(self, folder: Path, exchange: RunningExchange, cash: Decimal) -> None:
        self._folder = folder
        self.env = {**os.environ, "TG_HOME": str(folder / "home"), "PYTHONPATH": str(REPOSITORY)}
        url = exchange.dialect_url("kraken")
        keys = folder / "home" / "keys"
        keys.mkdir(parents=True)
        for permission, name in (("trade", "kraken"), ("read", "kraken-read")):
            key = exchange.key("main", permission)
            content = {"api_key": key.api_key, "secret": key.secret, "permissions": permission}
            (keys / f"{name}.yaml").write_text(yaml.safe_dump(content))
            (keys / f"{name}.yaml").chmod(0o600)
        for kind in ("venues", "agents"):
            (folder / "configs" / kind).mkdir(parents=True)
        venue = self._shipped("venues/kraken.yaml")
        venue["connection"]["url"] = url
        self._write("configs/venues/kraken.yaml", venue)
        stages = StagePlan(resampling=PLAN.resampling, stages=tuple(_easy(stage) for stage in PLAN.stages))
        (folder / "configs" / "stages.yaml").write_text(stages.model_dump_json())
        # Only the first agent is heard at this stage: let it be quick to make up its mind.
        eager = {"enter_score": 0.2, "exit_score": 0.05, "agreement_min": 0.3}
        self._write("configs/agents/trend.yaml", self._shipped("agents/trend.yaml") | eager)
        self._desks(url, cash)

    def tg(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            self._command(arguments),
            cwd=self._folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a command whose output nobody reads."""
        with (self._folder / f"{arguments[-1]}.log").open("wb") as log:
            return subprocess.Popen(
                self._command(arguments), cwd=self._folder, env=self.env, stdout=log, stderr=log
            )

    def journal(self, run: str) -> Path:
        """Where a run's journal lies."""
        return self._folder / "home" / "runs" / run / "journal.sqlite"

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "tg_actors.cli.main", *arguments]

    def _desks(self, url: str, cash: Decimal) -> None:
        live = self._shipped("desks/micro-live.yaml")
        live["market"] = {"timeframe": "1m", "source": {"kind": "venue", "exchange": "kraken", "url": url}}
        live["opening_cash"] = {"USDT": str(cash)}
        live["risk"] |= {"confidence_frac_min": "0.05", "position_frac_max": "0.5", "cooldown_bars": 0}
        self._write("live.yaml", live)
        paper = self._shipped("desks/kraken-paper.yaml")
        paper |= {"account": live["account"], "instruments": live["instruments"], "venue": "practice"}
        self._write("paper.yaml", paper)

    @staticmethod
    def _shipped(name: str) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load((REPOSITORY / "configs" / name).read_text())
        return content

    def _write(self, name: str, content: dict[str, Any]) -> None:
        # JSON is YAML in which every text is quoted.
        (self._folder / name).write_text(json.dumps(content))
