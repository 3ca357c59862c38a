"""``tg models`` and what other commands tell of models."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli_words import Tg
from tests.model_words import NAME, arrays, evidence, manifest, model, registry
from tg_actors.backtest.model_comparison import Standing, compare_versions, refusal
from tg_actors.cli.agents import _models
from tg_actors.desk.overlap import trained_on
from tg_actors.rl.manifest import Manifest, OutOfSample

RETURNS = tuple(np.random.default_rng(0).normal(0.0, 0.01, 120).tolist())


def better(by: float, first_day: int = 20_000) -> OutOfSample:
    return evidence([value + by for value in RETURNS], first_day)


def version(number: int, proof: OutOfSample | None) -> Manifest:
    return manifest(proof=proof).model_copy(update={"version": number})


@pytest.fixture(autouse=True)
def _nothing_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Homes as of a release without models of its own: what ships is not what is tested here."""
    monkeypatch.setattr("tg_actors.desk.models.configs_folder", lambda: tmp_path / "configs")


@pytest.fixture
def models(home: Path) -> Path:
    """Version 1 without evidence, 2 with, 3 better, 4 worse."""
    opened = registry(home / "models", 1)
    for seed, proof in ((2, better(0.0)), (3, better(0.002)), (4, better(-0.002))):
        opened.register(NAME, arrays(seed), manifest(proof=proof))
    return home / "models"


def told(tg: Tg, *words: str) -> Any:
    answer = tg("models", *words, "--json")
    assert answer.code == 0, answer.err
    return json.loads(answer.out)


def refused(tg: Tg, *words: str) -> str:
    answer = tg("models", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    return answer.err


@pytest.mark.usefixtures("models")
def test_a_life_of_versions(tg: Tg, home: Path) -> None:
    rows = told(tg, "list")
    assert [(row["version"], row["role"]) for row in rows] == [(f"{NAME}@{k}", None) for k in (1, 2, 3, 4)]
    assert told(tg, "promote", f"{NAME}@2", "--reason", "first")["roles"]["champion"] == 2
    assert told(tg, "promote", f"{NAME}@4", "--canary", "0.1")["roles"]["canary_share_frac"] == 0.1
    assert told(tg, "promote", f"{NAME}@1", "--shadow")["roles"]["shadow"] == 1
    assert told(tg, "promote", f"{NAME}@3")["roles"]["former"] == [2]
    shown = told(tg, "show", NAME)
    assert (shown["name"], shown["version"], shown["role"]) == (NAME, 3, "champion")
    assert [act["version"] for act in shown["history"]] == [2, 4, 1, 3]
    assert shown["history"][0]["reason"] == "first"
    assert told(tg, "rollback", NAME, "--canary")["roles"]["canary"] is None
    assert told(tg, "rollback", NAME, "--shadow")["roles"]["shadow"] is None
    assert told(tg, "rollback", NAME, "--reason", "worse")["roles"] == {
        "champion": 2,
        "canary": None,
        "canary_share_frac": None,
        "shadow": None,
        "former": [],
    }
    assert "no evidence" in tg("models", "list").out
    (home / "models" / NAME / "1" / "manifest.json").write_text("torn")
    listed = tg("models", "list", "--json")
    assert [row["version"] for row in json.loads(listed.out)] == [f"{NAME}@{k}" for k in (2, 3, 4)]
    assert "is no manifest of a model" in listed.err
    text = tg("models", "show", f"{NAME}@3").out
    assert "27 columns: move_1" in text
    assert "worse" in text


@pytest.mark.usefixtures("models")
def test_a_champion_needs_evidence_that_does_not_say_worse(tg: Tg) -> None:
    assert "has no out-of-sample evidence: leave the champion" in refused(tg, "promote", f"{NAME}@1")
    told(tg, "promote", f"{NAME}@2")
    assert "its evidence is worse: rl-aggressive@4 against rl-aggressive@2: worse, -20.00 bps" in refused(
        tg, "promote", f"{NAME}@4"
    )
    act = told(tg, "promote", f"{NAME}@4", "--override", "a test")["act"]
    assert act["override"].startswith("a test (against: its evidence is worse")
    assert "champion already" in refused(tg, "promote", f"{NAME}@4")
    told(tg, "promote", f"{NAME}@3", "--override", "not needed")
    assert told(tg, "show", NAME)["history"][-1]["override"] is None, "nothing was set aside"


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("show", "rl-other"), "there is no model 'rl-other': there are rl-aggressive"),
        (("show", f"{NAME}@9"), "has no version 9: there are 1, 2, 3, 4"),
        (("promote", NAME), "names no version of a model: write such as rl-aggressive@7"),
        (("promote", "../x@1"), "is no name of a model"),
        (("promote", f"{NAME}@2", "--canary", "1"), "above 0 and below 1"),
        (("promote", f"{NAME}@2", "--canary", "0.1", "--shadow"), "give one of them"),
        (("promote", f"{NAME}@2", "--shadow", "--override", "x"), "only a champion needs"),
        (("rollback", NAME), "has no champion that could be taken back"),
        (("rollback", "rl-other"), "there is no model 'rl-other': there are rl-aggressive"),
        (("compare", f"{NAME}@2", NAME), "names no version"),
    ],
)
def test_a_mistake_is_one_sentence(tg: Tg, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused(tg, *words)


def test_versions_are_compared_on_the_days_that_both_have(tg: Tg, models: Path) -> None:
    found = told(tg, "compare", f"{NAME}@3", f"{NAME}@2")
    assert (found["days"], found["standing"]) == (120, "better")
    assert found["mean_bps"] == pytest.approx(20.0)
    assert "better, +20.00 bps a day" in tg("models", "compare", f"{NAME}@3", f"{NAME}@2").out
    late = version(5, better(0.002, first_day=20_100))
    assert compare_versions(late, version(2, better(0.0))).standing is Standing.TOO_SHORT
    assert "were judged on 20 days together, of the same market" in (
        refusal(late, version(2, better(0.0))) or ""
    )
    noise = evidence([-value for value in RETURNS])
    assert compare_versions(version(5, noise), version(2, better(0.0))).standing is Standing.INDISTINGUISHABLE
    elsewhere = better(0.0).model_copy(update={"market": "another"})
    assert compare_versions(version(5, elsewhere), version(2, better(0.0))).days == 0
    cheap = better(0.001).model_copy(update={"costs": "no costs"})
    assert compare_versions(version(5, cheap), version(2, better(0.0))).days == 0
    for change in ({"bar_ns": 60 * 10**9}, {"instruments": ("ETH/USDT",)}):
        other = version(5, better(0.001)).model_copy(update=change)
        assert compare_versions(other, version(2, better(0.0))).days == 0
    loses = better(0.0).model_copy(update={"sharpe_low": -3.0, "sharpe_high": -0.5})
    assert "loses money out of sample" in (refusal(version(5, loses), None) or "")
    assert refusal(version(5, better(0.0)), version(1, None)) is None
    assert "has held nothing" in (refusal(version(5, evidence([0.0] * 40)), None) or "")
    assert models.is_dir()


def test_doctor_tells_of_models(tg: Tg, home: Path) -> None:
    def look() -> dict[str, Any]:
        checks = json.loads(tg("doctor", "--json").out)["checks"]
        return next(row for row in checks if row["check"] == "models")

    assert "'tg train all' makes them" in look()["detail"]
    registry(home / "models", 1)
    assert "without champion: rl-aggressive" in look()["detail"]
    told(tg, "promote", f"{NAME}@1", "--override", "a test")
    assert look() == {"check": "models", "ok": True, "detail": f"{NAME}@1"}
    (home / "models" / NAME / "1" / "weights.npz").write_bytes(b"")
    assert not look()["ok"]


def test_a_backtest_says_what_its_models_were_trained_on(tg: Tg, home: Path) -> None:
    opened = registry(home / "models")
    opened.register(NAME, arrays(1), manifest().model_copy(update={"to_ns": 2 * 10**18}))
    told(tg, "promote", f"{NAME}@1", "--override", "a test")
    words = ("backtest", "run", "--desk", "learning-paper", "--cycles", "30", "--instruments", "BTC/USDT")
    seen = json.loads(tg(*words, "--json").out)["seen_in_training"]
    assert [(one["agent"], one["version"], one["cycles"]) for one in seen] == [
        ("rl_aggressive", f"{NAME}@1", 30)
    ]
    assert "asked rl-aggressive@1 in 30 cycles of the time that it was trained on" in tg(*words).out
    assert json.loads(tg("backtest", "show", "--json").out)["seen_in_training"] == seen
    plain = tg("backtest", "run", "--cycles", "30", "--instruments", "BTC/USDT", "--json")
    assert "seen_in_training" not in plain.out


def test_agents_are_told_to_be_judged_on_what_their_models_were_trained_on() -> None:
    closes = [5 * 10**17, 10**18, 2 * 10**18]
    (seen,) = trained_on({"rl_aggressive": model(0)}, closes)
    assert (seen.agent, seen.version, seen.cycles) == ("rl_aggressive", f"{NAME}@1", 2)
    assert trained_on({"rl_aggressive": model(0)}, closes[2:]) == trained_on({}, closes) == ()


def test_a_model_that_sees_something_else_is_refused_at_the_start(tg: Tg, home: Path) -> None:
    opened = registry(home / "models")
    strange = ("something_else", *manifest().features[1:])
    opened.register(NAME, arrays(1), manifest(features=strange))
    told(tg, "promote", f"{NAME}@1", "--override", "a test")
    answer = tg("backtest", "run", "--desk", "learning-paper", "--cycles", "5", "--instruments", "BTC/USDT")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "rl-aggressive@1 takes 27 columns" in answer.err
    assert "differs in move_1, something_else: train it again with 'tg train'" in answer.err


def test_a_model_of_other_bars_is_refused_at_the_start(tg: Tg, home: Path) -> None:
    registry(home / "models", 1)
    told(tg, "promote", f"{NAME}@1", "--override", "a test")
    words = ("backtest", "run", "--desk", "learning-paper", "--cycles", "5", "--instruments", "BTC/USDT")
    answer = tg(*words, "--timeframe", "15m")
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)
    assert "rl-aggressive@1 was trained on bars of 60 minutes, these have 15 minutes" in answer.err


def test_actors_show_a_model_where_there_are_learned_agents() -> None:
    assert _models([{"name": "a", "model": None}]) == ()
    assert _models([{"name": "a", "model": None}, {"name": "b", "model": ""}]) == ("model",)
