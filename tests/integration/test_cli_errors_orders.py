"""What a user can get wrong with the exchange, keys, approvals and stages: one sentence, an exit code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

import tg_actors
from tests.cli_words import Answer, Tg
from tg_actors.cli.planning import open_journal, plan_run
from tg_actors.desk.plan import Flags
from tg_actors.domain.errors import UserError

CONFIGS = Path(tg_actors.__file__).parent.parent / "configs"


def refused(answer: Answer, *words: str, code: int = 2) -> None:
    """The command ended with one sentence that holds all the words, and said nothing else."""
    assert answer.code == code, answer
    assert answer.out == ""
    lines = answer.err.strip().splitlines()
    assert len(lines) == 1, answer.err
    assert lines[0].startswith("tg: ")
    assert [word for word in words if word not in lines[0]] == [], lines[0]


# The practice exchange --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--clock fast", ("--clock 'fast'", "paced or stepped")),
        ("--clock stepped --speed 5", ("--speed belongs to the paced clock",)),
        ("--market venue", ("--market venue", "kind: venue")),
        ("--market recorded", ("add --data DIR",)),
        ("--market live", ("--market 'live'", "simulated, recorded or venue")),
        ("--data nowhere", ("no market data in", "nowhere")),
        ("--from 2020-01-01", ("--from belongs to a recorded market",)),
        ("--timeframe 7q", ("--timeframe '7q'", "1h")),
        ("--instruments FOO", ("'FOO' is no instrument",)),
        ("--instruments BTC/USDT,", ("--instruments 'BTC/USDT,'", "empty place")),
        ("--host 0.0.0.0", ("--allow-remote",)),
        ("--config nosuch.yaml", ("no configuration file 'nosuch.yaml'",)),
        ("--faults nosuch.json", ("cannot read nosuch.json",)),
    ],
)
def test_flags_of_the_exchange(tg: Tg, tmp_path: Path, arguments: str, words: tuple[str, ...]) -> None:
    refused(tg("exchange", "serve", "--state", tmp_path / "ex", "--port", "0", *arguments.split()), *words)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("limts", {}, ("unknown key 'limts'", "did you mean 'limits'?")),
        ("limits", {"krakn": {"capacity": 1, "refill_per_s": 1.0}}, ("no dialect 'krakn'", "kraken")),
        ("margin", None, ("an account of kind margin needs the section margin",)),
        ("latency", {"min_ms": 2, "max_ms": 1}, ("min_ms must not be above max_ms",)),
        ("accounts", {"main": {"balances": {"usdt": "1"}}}, ("accounts.main.balances.usdt",)),
        ("clock", {"kind": "paced", "starts": "yesterday"}, ("clock", "'market' or 'now'", "'yesterday'")),
        ("venue", "krakn", ("'krakn'", "did you mean 'kraken'?")),
    ],
)
def test_a_wrong_exchange_file(
    tg: Tg, tmp_path: Path, key: str, value: object, words: tuple[str, ...]
) -> None:
    content = {**yaml.safe_load((CONFIGS / "exchange.yaml").read_text()), key: value}
    file = tmp_path / "mine.yaml"
    file.write_text(json.dumps(content))
    answer = tg("exchange", "serve", "--state", tmp_path / "ex", "--port", "0", "--config", file)
    refused(answer, *words)
    assert "Value error" not in answer.err


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"request": []}, ("unknown key 'request'", "did you mean 'requests'?")),
        ({"requests": [{"kind": "hang"}]}, ("requests.0.kind", "'drop_after'", "'hang'")),
        ({"requests": [{"kind": "html", "probability": 2}]}, ("requests.0.probability", "equal to 1")),
        ({"clock_skew_ms": 10**9}, ("clock_skew_ms", "60000")),
    ],
)
def test_a_wrong_plan_of_faults(tg: Tg, tmp_path: Path, plan: object, words: tuple[str, ...]) -> None:
    file = tmp_path / "faults.json"
    file.write_text(json.dumps(plan))
    refused(tg("exchange", "serve", "--state", tmp_path / "ex", "--port", "0", "--faults", file), *words)
    assert not (tmp_path / "ex").exists(), "a failed start leaves no state"


def test_a_folder_with_other_files_is_left_alone(tg: Tg, tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir(mode=0o755)
    (folder / "chapter.txt").write_text("words")
    refused(tg("exchange", "serve", "--state", folder, "--port", "0"), "holds other files and no exchange")
    assert folder.stat().st_mode & 0o777 == 0o755
    refused(tg("exchange", "serve", "--state", folder / "chapter.txt"), "cannot be used", "another folder")


@pytest.mark.parametrize("command", ["keys", "status", "ledger"])
def test_a_state_that_is_none(tg: Tg, tmp_path: Path, command: str) -> None:
    refused(tg("exchange", command, "--state", tmp_path / "none"), str(tmp_path / "none"), "no exchange")


@pytest.mark.parametrize("content", ["garbage", "[]", '{"port": 1}', ""])
def test_an_address_that_is_none(tg: Tg, tmp_path: Path, content: str) -> None:
    (tmp_path / "address.json").write_text(content)
    refused(tg("exchange", "status", "--state", tmp_path), "address.json is not what an exchange wrote")


# Desks, keys, stages ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--desk micro-live", ("trades real money", "--live micro-live")),
        ("--desk micro-live --live nope", ("trades real money", "--live micro-live")),
        ("--desk micro-live --live micro-live", ("there is no key 'kraken'", "mode 0600")),
        ("--desk kraken-paper --live kraken-paper", ("trades on paper", "leave --live out")),
        ("--market venue", ("--market venue", "no public market")),
        ("--control-port 99999", ("--control-port", "65535")),
    ],
)
def test_starts_that_are_refused(tg: Tg, arguments: str, words: tuple[str, ...]) -> None:
    refused(tg("run", *arguments.split()), *words)


@pytest.mark.parametrize(
    "command",
    [
        "approvals",
        "approve x",
        "reject x",
        "gates status",
        "gates promote",
        "gates demote --reason r",
        "status",
    ],
)
def test_nothing_has_run_yet(tg: Tg, command: str) -> None:
    refused(tg(*command.split()), "no desk has run yet", "tg run")


@pytest.fixture
def ran(tg: Tg) -> Tg:
    """A backtest of a desk with stages has run."""
    done = tg("backtest", "run", "--desk", "kraken-paper", "--cycles", "3", "--json")
    assert done.code == 0, done.err
    return tg


def test_status_says_what_an_owner_needs(ran: Tg, home: Path) -> None:
    shown = json.loads(ran("status", "--json").out)
    told = {
        key: shown[key] for key in ("mode", "venue", "account", "stage", "approvals_waiting", "halt_file")
    }
    assert told == {
        "mode": "paper",
        "venue": "kraken",
        "account": "paper",
        "stage": "paper",
        "approvals_waiting": 0,
        "halt_file": None,
    }
    halt = home / "runs" / shown["run"] / "HALT"
    halt.touch()
    text = ran("status").out
    assert [line for line in ("mode: paper", "venue: kraken", "stage: paper") if line not in text] == []
    assert "halt file: " in text
    assert json.loads(ran("status", "--json").out)["halt_file"] == str(halt)


def test_a_backtest_is_approved_and_promoted_by_nobody(ran: Tg) -> None:
    for command in ("approve x", "reject x", "gates demote --reason r", "gates promote"):
        refused(ran(*command.split()), "is a backtest and obeys nobody")


def test_paper_and_real_money_share_no_journal(home: Path) -> None:
    del home
    planned = plan_run("kraken-paper", Flags(), "mine", backtest=False)
    journal, cycles = open_journal(planned)
    journal.close()
    assert cycles == 0
    real = replace(planned, config=planned.config.model_copy(update={"mode": "live"}))
    with pytest.raises(UserError, match="mine was begun with mode: paper"):
        open_journal(real)
    journal, _ = open_journal(planned)
    journal.close()


def test_doctor_names_a_key_that_others_may_read(tg: Tg, home: Path) -> None:
    folder = home / "keys"
    folder.mkdir(parents=True, mode=0o700)
    key = folder / "kraken.yaml"
    key.write_text("api_key: a\nsecret: b\n")
    key.chmod(0o644)
    rows = {row["check"]: row for row in json.loads(tg("doctor", "--json").out)["checks"]}
    assert rows["keys"]["ok"] is False
    assert f"others may read {key}" in rows["keys"]["detail"]
    key.chmod(0o600)
    rows = {row["check"]: row for row in json.loads(tg("doctor", "--json").out)["checks"]}
    assert rows["keys"] == {"check": "keys", "ok": True, "detail": "1 files with keys, readable by you alone"}
