"""What a user can get wrong, each with its exit code and its one sentence; a trace is a bug."""

import fcntl
import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import tg_actors
from tests.cli_words import Answer, Tg
from tests.market_files import write_bars

SHIPPED = Path(tg_actors.__file__).parent.parent / "configs" / "desks" / "laptop-paper.yaml"
ROOT = SHIPPED.parent.parent.parent


def refused(answer: Answer, *words: str, code: int = 2) -> None:
    """The command ended with one sentence that holds all the words, and said nothing else."""
    assert answer.code == code, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err
    lines = answer.err.strip().splitlines()
    assert len(lines) == 1, answer.err
    assert lines[0].startswith("tg: ")
    assert [word for word in words if word not in lines[0]] == [], lines[0]


def backtest(tg: Tg, *arguments: str | Path) -> Answer:
    return tg("backtest", "run", "--cycles", "2", "--json", *arguments)


# Desk files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("was", "becomes", "words"),
    [
        (
            "cooldown_bars",
            "cooldown_bar",
            ("unknown key 'risk.cooldown_bar'", "did you mean 'cooldown_bars'?"),
        ),
        ("seed: 24", "seed: 24, sed: 8", ("unknown key 'market.source.sed'", "did you mean 'seed'?")),
        ('"0.01"', '"1%"', ("risk.risk_per_trade_frac", "valid decimal", "'1%'")),
        ("seed: 24", "seed: seven", ("market.source.seed", "valid integer", "'seven'")),
        ("speed: 3600", "speed: fast", ("pace.speed", "'fast'")),
        (
            "kind: simulated",
            "kind: simulatd",
            ("market.source.kind", "'simulated', 'recorded'", "'simulatd'"),
        ),
        ("timeframe: 1h", "timeframe: 1hour", ("market.timeframe", "'1h'", "'1hour'")),
        ("escalate_to: HALTED", "escalate_to: HALT", ("supervision.core.escalate_to", "'HALTED'", "'HALT'")),
        ('"10000"', '"-5"', ("opening_cash.USDT", "greater than or equal to 0", "'-5'")),
        ("venue: practice\n", "", ("the key 'venue' is missing",)),
        ("venue: practice\n", "venue: practice\nvenue: practice\n", ("'venue' stands twice", ":13:")),
        ("venue: practice", "venue: practise", ("'practise'", "configs/venues", "did you mean 'practice'?")),
        ("[trend,", "[trnd,", ("'trnd'", "configs/agents", "did you mean 'trend'?")),
        ("[trend,", "[momentum,", ("'momentum' stands twice in agents",)),
        (', BTC: "0.1"', "", ("no opening_cash in BTC",)),
        ("reporting_currency: USDT", "reporting_currency: EUR", ("USDT cannot be valued in EUR", "USDT/EUR")),
        ("XRP/BTC]", "XRPBTC]", ("'XRPBTC' is no instrument", "BASE/QUOTE")),
        ("instruments: [", "instruments: {", ("is not valid YAML",)),
    ],
)
def test_a_wrong_desk_file_is_named_with_its_key(
    tg: Tg, tmp_path: Path, was: str, becomes: str, words: tuple[str, ...]
) -> None:
    text = SHIPPED.read_text()
    assert was in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(was, becomes, 1))
    refused(tg("config", "check", path), *words)
    refused(tg("config", "check", path, "--json"), *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("is missing", "more)")),
        (b"- a", ("should be an object",)),
        (b"a\xff: 1", ("cannot read", "utf-8")),
    ],
)
def test_a_file_that_is_no_desk_file(tg: Tg, tmp_path: Path, content: bytes, words: tuple[str, ...]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    refused(tg("config", "check", path), str(path), *words)


def test_a_missing_desk_file_suggests_the_one_that_was_meant(tg: Tg) -> None:
    refused(tg("run", "--desk", "configs/desks/laptop-papr.yaml"), "did you mean 'desks/laptop-paper.yaml'?")


def test_every_shipped_desk_is_valid(tg: Tg) -> None:
    for desk in sorted(SHIPPED.parent.glob("*.yaml")):
        assert tg("config", "check", desk).code == 0


# Flags -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--instruments XRP/BTC", ("BTC cannot be valued in USDT", "add BTC/USDT")),
        ("--instruments ,", ("--instruments ','", "empty place")),
        ("--instruments BTC/USDT,BTC/USDT", ("BTC/USDT stands twice",)),
        ("--instruments BTC/USTD", ("USTD", "quotes in USDT")),
        ("--market live", ("--market 'live'", "simulated, recorded or venue")),
        ("--market recorded", ("add --data DIR",)),
        ("--market recorded --data nowhere", ("no market data in", "nowhere")),
        ("--market simulated --data .", ("--data belongs to a recorded market",)),
        ("--from 2020-01-01", ("--from belongs to a recorded market",)),
        ("--data . --seed 3", ("--seed belongs to a simulated market",)),
        ("--timeframe 1hour", ("--timeframe '1hour'", "1h")),
        ("--cycles 0", ("--cycles", "greater than or equal to 1", "tg backtest run --help")),
        ("--cycels 5", ("No such option: --cycels", "--cycles")),
        ("--name ../other", ("--name '../other'", "letters, digits")),
    ],
)
def test_flags_that_make_no_sense(tg: Tg, home: Path, arguments: str, words: tuple[str, ...]) -> None:
    refused(backtest(tg, *arguments.split()), *words)
    assert not (home / "runs").exists() or not list((home / "runs").iterdir()), "a failed start leaves no run"


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "nan", "inf"])
def test_a_speed_that_makes_no_sense(tg: Tg, speed: str) -> None:
    refused(tg("run", f"--speed={speed}"), f"--speed '{speed}' makes no sense")


def test_a_desk_may_not_take_the_name_of_a_backtest(tg: Tg) -> None:
    refused(tg("run", "--name", "backtest-mine"), "belong to backtests")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["foo"], ("No such command 'foo'", "tg --help")),
        (["backtest", "rn"], ("'rn'", "Did you mean 'run'?")),
        (["config", "check", "a", "b"], ("unexpected extra argument",)),
    ],
)
def test_a_command_that_is_none(tg: Tg, arguments: list[str], words: tuple[str, ...]) -> None:
    refused(tg(*arguments), *words)


# Market data -----------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with 400 hourly bars of BTC/USDT from 2024 on."""
    hour_ns = 3_600 * 10**9
    folder = tmp_path / "data"
    folder.mkdir()
    write_bars(folder, "BINANCE_BTC-USDT_1h", (np.arange(400) + 473_352) * hour_ns)
    return folder


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--instruments BTC/USDC", ("no bars of BTC/USDC 1h", "did you mean BTC/USDT?")),
        ("--instruments BTC/USDT --timeframe 4h", ("BTC/USDT is there in 1h",)),
        ("--instruments BTC/USDT --from yesterday", ("'yesterday' is no date", "2024-01-31")),
        ("--instruments BTC/USDT --from 2024-13-01", ("'2024-13-01' is no date",)),
        ("--instruments BTC/USDT --from 2030-01-01", ("BTC/USDT 2024-01-01", "another time")),
        ("--instruments BTC/USDT --from 2024-01-09 --to 2024-01-03", ("no bar between", "later end")),
    ],
)
def test_data_that_is_not_there(tg: Tg, data: Path, arguments: str, words: tuple[str, ...]) -> None:
    refused(backtest(tg, "--data", data, *arguments.split()), *words)


def test_a_folder_without_data(tg: Tg, tmp_path: Path) -> None:
    refused(backtest(tg, "--data", tmp_path), "no market data in", "ohlcv")


@pytest.mark.parametrize("damage", ["empty", "cut", "scrambled", "no parquet"])
def test_a_damaged_file_of_bars(tg: Tg, data: Path, damage: str) -> None:
    path = data / "ohlcv" / "BINANCE_BTC-USDT_1h.parquet"
    whole = path.read_bytes()
    middle = len(whole) // 3
    path.write_bytes(
        {
            "empty": b"",
            "cut": whole[:middle],
            "scrambled": whole[:-400] + bytes(byte ^ 0x5A for byte in whole[-400:-8]) + whole[-8:],
            "no parquet": b"timestamp,open,high,low,close,volume\n" * 40,
        }[damage]
    )
    answer = backtest(tg, "--data", data, "--instruments", "BTC/USDT")
    refused(answer, str(path), "is no readable Parquet file")


# Homes, runs and journals ----------------------------------------------------------------------

READERS = (
    ["status"],
    ["agents", "list"],
    ["positions"],
    ["orders"],
    ["trades"],
    ["report"],
    ["decisions", "show", "last"],
    ["halt"],
    ["resume"],
    ["flatten"],
    ["db", "digest"],
    ["db", "verify"],
    ["db", "backup", "copy.sqlite"],
)


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_before_the_first_run(tg: Tg, command: list[str]) -> None:
    refused(tg(*command), "no desk has run yet", "tg run")
    refused(tg(*command, "--json"), "no desk has run yet")


def test_a_home_that_is_a_file(tg: Tg, home: Path) -> None:
    home.touch()
    refused(tg("status"), f"cannot use {home} as home folder", "set TG_HOME elsewhere")
    refused(backtest(tg), f"cannot use {home} as home folder")


@pytest.fixture
def run(tg: Tg, home: Path) -> Path:
    """The folder of a finished backtest of two cycles."""
    assert backtest(tg, "--name", "done").code == 0
    return home / "runs" / "done"


def test_a_run_actor_or_cycle_that_is_not_there(tg: Tg, run: Path) -> None:
    refused(tg("status", "--run", "other"), "no run is called 'other'", "done")
    refused(tg("decisions", "show", "99"), "no cycle '99'", "2 cycles")
    refused(tg("decisions", "show", "0", "--symbol", "LTC/USDT"), "'LTC/USDT' is not traded", "BTC/USDT")
    refused(tg("agents", "list"), "done has no actors")
    refused(tg("db", "restore", "nowhere.sqlite"), "there is no journal at")


def test_a_backtest_obeys_nobody(tg: Tg, run: Path) -> None:
    for word in ("halt", "resume", "flatten"):
        refused(tg(word), "done is a backtest and obeys nobody", "--run")


def test_a_backtest_never_replaces_the_journal_of_a_desk(tg: Tg, run: Path) -> None:
    journal = run / "journal.sqlite"
    with closing(sqlite3.connect(journal)) as connection, connection:
        connection.execute(
            "UPDATE meta SET value = replace(value, '\"backtest\"', '\"desk\"') WHERE key = 'identity'"
        )
    before = tg("db", "digest").out
    refused(backtest(tg, "--name", "done"), "journal of a desk, which no backtest replaces")
    assert tg("db", "digest").out == before


@pytest.mark.parametrize("content", [b"this is no database, only text of some length " * 30, b"\0" * 8192])
def test_a_journal_that_is_no_database(tg: Tg, run: Path, content: bytes) -> None:
    for part in run.glob("journal.sqlite-*"):
        part.unlink()
    (run / "journal.sqlite").write_bytes(content)
    for command in (["status"], ["db", "verify"], ["report"]):
        refused(tg(*command), str(run / "journal.sqlite"), "is damaged", "tg db restore", code=1)
    assert (run / "journal.sqlite").read_bytes() == content, "a reader changes nothing"


def test_a_journal_of_a_newer_version(tg: Tg, run: Path) -> None:
    with closing(sqlite3.connect(run / "journal.sqlite")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    for command in (["status"], ["halt"], ["db", "upgrade"]):
        refused(tg(*command), "written by a newer TripleGain", "9999")


def test_a_second_desk_on_the_same_journal(tg: Tg, run: Path) -> None:
    before = tg("db", "digest").out
    with (run / "desk.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate()
        lock.write(json.dumps({"pid": 4321}))
        lock.flush()
        refused(backtest(tg, "--name", "done"), "another desk (process 4321)", "--name")
    assert tg("db", "digest").out == before


def test_a_wrong_backup_changes_nothing(tg: Tg, run: Path, tmp_path: Path) -> None:
    before = tg("db", "digest").out
    wrong = tmp_path / "wrong.sqlite"
    wrong.write_text("no backup " * 200)
    refused(tg("db", "restore", wrong), str(wrong), "is damaged", code=1)
    refused(tg("db", "backup", wrong), "exists already")
    assert wrong.read_text().startswith("no backup")
    assert tg("db", "digest").out == before


# Processes -------------------------------------------------------------------------------------


def test_ctrl_c_ends_a_backtest_after_its_cycle_with_a_report(home: Path) -> None:
    command = [sys.executable, "-m", "tg_actors.cli.main", "backtest", "run", "--cycles", "100000", "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            _wait_for_cycles(home)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in err) == (0, False), err
    report = json.loads(out)
    assert report["why"] == "stopped"
    assert 0 < report["cycles"] < 100_000


def _wait_for_cycles(home: Path) -> None:
    """Return once the backtest has written what only a running desk writes."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(_cycles(path) for path in home.glob("runs/*/journal.sqlite")):
            return
        time.sleep(0.05)
    raise AssertionError("the backtest wrote nothing")


def _cycles(journal: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM cycles").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # its tables are still being made


_FULL_DISK = """
mount -t tmpfs -o size={size} tmpfs {home}
exec {python} -m tg_actors.cli.main backtest run --cycles 4000 --json
"""


@pytest.mark.parametrize("size", ["8k", "400k"])
def test_a_full_disk(home: Path, size: str) -> None:
    home.mkdir()
    script = _FULL_DISK.format(size=size, home=home, python=sys.executable)
    if subprocess.run(["unshare", "-rm", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-e", "-c", script], cwd=ROOT, check=False, capture_output=True, text=True
    )
    refused(Answer(done.returncode, done.stdout, done.stderr), "disk is full", "start again", code=1)
