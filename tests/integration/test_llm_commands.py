"""``tg llm`` as a person runs it: a model asked over a real socket, recorded, replayed, and listed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli_words import Tg, home, tg
from tests.llm_words import ROOT, in_turn, saying, vendor_beside
from tg_actors.llm.contract.observation import Mode
from tg_actors.llm.rehearsal import faults
from tg_actors.llm.rehearsal.vendor import Vendor
from tg_actors.runtime.vendor_keys import vendor_key

__all__ = ["home", "tg"]

VARIABLES = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "XAI_API_KEY", "DEEPSEEK_API_KEY", "OLLAMA_BASE_URL")
DESK = ("--instruments", "BTC/USDT,ETH/USDT", "--json")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def abstaining() -> str:
    return json.dumps({"decisions": [], "abstain": {"is_abstaining": True, "why": "nothing to see"}})


def asked(tg: Tg, vendor: Vendor, monkeypatch: pytest.MonkeyPatch, *more: str | Path) -> dict[str, Any]:
    from tg_actors.llm.providers.spec import Dialect

    monkeypatch.setenv("OLLAMA_BASE_URL", vendor.base_url(Dialect.OLLAMA))
    answer = tg("llm", "ask", "--model", "qwen-2.5-7b", *DESK, *more)
    assert answer.code == 0, answer.err
    content: dict[str, Any] = json.loads(answer.out)
    return content


def test_one_question_is_asked_recorded_and_replayed(
    tg: Tg, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tape = tmp_path / "tape.jsonl"
    with vendor_beside(in_turn(saying("I would buy"), saying(abstaining())), "ollama") as vendor:
        live = asked(tg, vendor, monkeypatch, "--record", tape)
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    again = tg("llm", "ask", "--model", "qwen-2.5-7b", *DESK, "--replay", tape)

    assert again.code == 0, again.err
    assert json.loads(again.out) == live
    assert live["observation"]["mode"] == "signal"
    assert list(live["observation"]["instruments"]) == ["BTC/USDT", "ETH/USDT"]
    assert live["request"]["body"] == vendor.calls[0].body
    outcome = live["outcome"]
    assert [one["provenance"] for one in outcome["symbols"]] == ["abstain", "abstain"]
    assert (outcome["rounds"], outcome["is_repaired"], outcome["cost_usd"]) == (2, True, "0")
    assert outcome["answers"] == ["I would buy", abstaining()]


def test_a_trader_is_shown_an_account_and_another_prompt(tg: Tg, monkeypatch: pytest.MonkeyPatch) -> None:
    with vendor_beside(saying(abstaining()), "ollama") as vendor:
        content = asked(tg, vendor, monkeypatch, "--mode", "trader")
    assert content["observation"]["account"]["cash"] == {"USDT": 10_000.0}
    assert content["outcome"]["prompt"] == "trader@1.0.0"


def test_a_person_sees_what_came_of_it(tg: Tg, monkeypatch: pytest.MonkeyPatch) -> None:
    from tg_actors.llm.providers.spec import Dialect

    with vendor_beside(saying(abstaining()), "ollama") as vendor:
        monkeypatch.setenv("OLLAMA_BASE_URL", vendor.base_url(Dialect.OLLAMA))
        answer = tg("llm", "ask", "--model", "qwen-2.5-7b")
    assert answer.code == 0
    assert "nothing to see" in answer.out
    assert "at most 0 USD" in answer.err


def test_without_its_vendor_the_command_says_so_and_ends_with_1(
    tg: Tg, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    answer = tg("llm", "ask", "--model", "qwen-2.5-7b", *DESK)
    assert answer.code == 1
    assert json.loads(answer.out)["outcome"]["fault"]["kind"] == "unreachable"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "gpt-4o"), "set OPENAI_API_KEY"),
        (("--model", "gpt-9"), "there is no model 'gpt-9'"),
        (("--model", "gpt-4o", "--mode", "guess"), "it is signal or trader"),
        (("--model", "gpt-4o", "--replay", "nowhere.jsonl"), "there is no recording nowhere.jsonl"),
        (("--model", "gpt-4o", "--replay", "a", "--record", "b"), "exclude each other"),
    ],
)
def test_a_wrong_word_is_one_sentence(tg: Tg, words: tuple[str, ...], said: str) -> None:
    answer = tg("llm", "ask", *words)
    assert answer.code == 2
    assert said in answer.err


def test_models_are_listed_with_meaning_key_and_price(tg: Tg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "sk-sentinel")
    answer = tg("llm", "models", "--json")
    rows = {row["name"]: row for row in json.loads(answer.out)}
    assert list(rows) == ["claude-sonnet-4-5", "gpt-4o", "grok-4", "deepseek-v3", "qwen-2.5-7b"]
    assert rows["gpt-4o"]["asked_id"] == "gpt-5.6-luna"
    assert rows["gpt-4o"]["key"] == "missing: set OPENAI_API_KEY"
    assert rows["grok-4"]["key"] == "set"
    assert rows["qwen-2.5-7b"]["key"] == "not needed"
    assert rows["grok-4"]["usd_per_day"] == "1.944"
    assert "sk-sentinel" not in answer.out
    assert "gpt-4o is asked as gpt-5.6-luna" in tg("llm", "models").out


def test_a_key_of_blanks_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XAI_API_KEY", "  ")
    assert vendor_key("xai", "XAI_API_KEY") is None


def test_fuzz_and_faults_report_for_programs(tg: Tg, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = tg("llm", "fuzz", "--n", "20", "--json")
    report = json.loads(answer.out)
    assert answer.code == 0
    assert {"answers": 20, "escaped_exceptions": 0, "invalid_accepted": 0}.items() <= report.items()
    assert report["corpus_parsed_frac"] >= 0.98

    monkeypatch.setattr(faults, "CASES", {name: faults.CASES[name] for name in ("sound", "401")})
    monkeypatch.setattr(faults, "DEADLINE_S", 60.0)
    answer = tg("llm", "faults", "--json")
    table = json.loads(answer.out)
    assert (answer.code, table["is_sound"], len(table["rows"])) == (0, True, 12)
    assert {row["provider"] for row in table["rows"]} == {
        "anthropic",
        "openai",
        "xai",
        "deepseek",
        "ollama",
        "generic",
    }
    assert {row["outcome"] for row in table["rows"]} == {"decided", "provider_error"}


def test_a_table_that_is_not_right_ends_with_1(tg: Tg, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(faults.CASES["401"], attempts=7)
    monkeypatch.setattr(faults, "CASES", {"sound": faults.CASES["sound"], "401": wrong})
    monkeypatch.setattr(faults, "DEADLINE_S", 60.0)
    answer = tg("llm", "faults")
    assert answer.code == 1
    assert "NO" in answer.out


def test_every_mode_has_its_shipped_prompt() -> None:
    assert {path.stem for path in (ROOT / "configs" / "prompts").glob("*.md")} == {
        mode.value for mode in Mode
    }


@pytest.mark.data
def test_recorded_bars_are_shown_up_to_their_end(
    tg: Tg, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = (
        "--data",
        str(data_dir),
        "--instruments",
        "BTC/USDT",
        "--from",
        "2024-01-01",
        "--to",
        "2024-03-01",
    )
    with vendor_beside(saying(abstaining()), "ollama") as vendor:
        content = asked(tg, vendor, monkeypatch, *window)
    assert content["observation"]["as_of_utc"] == "2024-03-01T00:00:00Z"
    assert "book: missing" in content["observation"]["instruments"]["BTC/USDT"]["quality"]
    answer = tg("llm", "ask", "--model", "qwen-2.5-7b", *window, "--cycle", "999999")
    assert answer.code == 2
    assert "none of number 999999" in answer.err
