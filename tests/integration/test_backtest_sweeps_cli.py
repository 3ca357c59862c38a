"""``tg backtest baselines``, ``tg backtest agents`` and ``tg tune`` as a user types them."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tuning_words import DEAF, planted_market
from tg_actors.backtest.baselines.library import library
from tg_actors.cli.main import main
from tg_actors.technical.spec import TechnicalSpec

CYCLES = "800"

Tg = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tg:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tg", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return (ended.value.code if isinstance(ended.value.code, int) else 0), said.out, said.err

    return run


def answer(tg: Tg, *arguments: str | Path) -> dict[str, Any]:
    code, out, err = tg(*arguments, "--json")
    assert code == 0, err
    content = json.loads(out)
    assert isinstance(content, dict)
    return content


def test_baselines_of_a_simulated_market(tg: Tg) -> None:
    said = answer(tg, "backtest", "baselines", "--cycles", CYCLES, "--inline", "--top", "3")
    assert said["baselines"] == len(library(3_600 * 10**9))
    assert said["distinct"] > 900
    assert len(said["top"]) == 3
    assert [row["baseline"] for row in said["references"]] == ["buy_and_hold()", "cash()"]
    assert {one["benchmark"] for one in said["searches"]} == {"cash()", "buy_and_hold()"}
    assert said["run"] is None
    assert "fee 26 bps" in said["costs"]


def test_a_finished_run_is_placed_on_its_own_market_and_the_report_finds_the_row(
    tg: Tg, tmp_path: Path
) -> None:
    words = "backtest run --desk kraken-paper --market simulated --cycles 800 --name backtest-mine --json"
    code, _, err = tg(*words.split())
    assert code == 0, err
    said = answer(
        tg, "backtest", "baselines", "--run", "backtest-mine", "--families", "cash,buy_and_hold,rsi"
    )
    assert said["bars"] == 800 * 4
    assert said["run"]["name"] == "backtest-mine"
    assert said["run"]["windows"] == 8
    assert 0.0 <= said["run"]["sharpe_percentile"] <= 1.0
    assert said["run"]["evidence"]["trials"] == said["distinct"] + 1
    (kept,) = (tmp_path / "home").rglob("baselines.json")
    assert json.loads(kept.read_text()) == said["run"]


def test_a_run_brings_its_own_market(tg: Tg) -> None:
    code, _, err = tg("backtest", "baselines", "--run", "any", "--seed", "3")
    assert code == 2
    assert "leave out the flags" in err


def test_costs_are_what_was_asked_for(tg: Tg) -> None:
    words = ("backtest", "baselines", "--cycles", CYCLES, "--families", "sma_cross", "--inline")
    free = answer(tg, *words, "--fee-frac", "0", "--slippage-bps", "0")
    dear = answer(tg, *words, "--fee-frac", "0.01")
    assert "fee 0 bps and slippage 0 bps" in free["costs"]
    assert free["families"][0]["sharpe_median"] > dear["families"][0]["sharpe_median"]


def test_a_family_nobody_knows_is_a_mistake(tg: Tg) -> None:
    code, _, err = tg("backtest", "baselines", "--families", "astrology")
    assert code == 2
    assert "'astrology'" in err


def test_families_are_listed_with_their_sources(tg: Tg) -> None:
    code, out, _ = tg("backtest", "baselines", "--list-families", "--json")
    assert code == 0
    rows = json.loads(out)
    assert sum(row["members"] for row in rows) > 1_000
    assert all(row["source"] for row in rows)


def test_agents_are_judged_beside_the_baselines(tg: Tg) -> None:
    words = (
        f"backtest agents --desk kraken-paper --market simulated --cycles {CYCLES} --windows 3 --rotations 9"
    )
    said = answer(tg, *words.split(), "--confidence-min", "0.4", "--band", "0.25")
    assert said["rule"] == {"confidence_frac_min": 0.4, "band_frac": 0.25, "allow_short": False}
    names = [row["name"] for row in said["standings"]]
    assert names[:2] == ["buy_and_hold()", "best baseline of the past"]
    assert names[3:] == ["trend", "mean_reversion", "breakout", "momentum", "ensemble"]
    assert all(row["evidence"]["trials"] == said["distinct"] + 5 for row in said["standings"][3:])
    assert all(row["windows"] == 3 for row in said["standings"])
    assert all(0.1 <= row["timing_p_value"] <= 1.0 for row in said["standings"][3:])


def test_agents_as_a_table_of_markdown(tg: Tg) -> None:
    words = (
        f"backtest agents --desk kraken-paper --market simulated --cycles {CYCLES} --windows 3 --rotations 0"
    )
    code, out, err = tg(*words.split(), "--markdown")
    assert code == 0, err
    table = [line for line in out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 3 + 5
    assert len({line.count("|") for line in table}) == 1


def test_too_many_windows_are_refused(tg: Tg) -> None:
    code, _, err = tg("backtest", "agents", "--cycles", CYCLES, "--windows", "40", "--inline")
    assert code == 2
    assert "do not fill 40 windows" in err


@pytest.fixture
def deaf(tmp_path: Path) -> list[str]:
    """An agent's file and a market for it; the words of a tuning of it."""
    folder = tmp_path / "configs" / "agents"
    folder.mkdir(parents=True)
    (folder / "deaf.yaml").write_text(yaml.safe_dump(DEAF.model_dump(mode="json")))
    data = tmp_path / "data"
    data.mkdir()
    planted_market(data, days=30)
    words = (
        f"tune deaf --data {data} --instruments AAA/USDT,BBB/USDT --from 2024-01-14 --trials 3 --windows 1"
    )
    return words.split()


def test_a_tuning_writes_what_it_proposes_when_asked(tg: Tg, deaf: list[str], tmp_path: Path) -> None:
    proposal = tmp_path / "proposal.yaml"
    said = answer(tg, *deaf, "--out", proposal)
    assert (said["agent"], said["trials"], len(said["windows"])) == ("deaf", 6, 1)
    text = proposal.read_text()
    tuned = TechnicalSpec.model_validate_json(json.dumps(yaml.safe_load(text)))
    assert tuned.enter_score == said["proposed"]["enter_score"]
    assert "Out of sample" in text
    code, _, err = tg(*deaf, "--out", proposal)
    assert code == 2
    assert "not overwritten" in err


def test_a_tuning_again_finds_its_trials_done(tg: Tg, deaf: list[str], tmp_path: Path) -> None:
    first, second = answer(tg, *deaf), answer(tg, *deaf)
    assert {**first, "seconds": 0} == {**second, "seconds": 0}
    ledger = (tmp_path / "home" / "trials.jsonl").read_text().splitlines()
    assert len(ledger) == len(set(ledger)) == first["trials"]


def test_an_agent_nobody_knows_is_a_mistake(tg: Tg) -> None:
    code, _, err = tg("tune", "trent")
    assert code == 2
    assert "did you mean 'trend'" in err
