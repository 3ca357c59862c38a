"""``tg backtest regimes`` and what the commands show of a regime, as a user types them."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from tests.market_files import write_bars
from tg_actors.cli.main import app
from tg_actors.market.timeframes import instant_ns

HOUR_NS = 3_600 * 10**9


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))


def tg(*words: str) -> Result:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    return result


def test_regimes_are_scored_against_the_simulated_truth() -> None:
    figures = json.loads(tg("backtest", "regimes", "--seeds", "2", "--cycles", "300", "--json").stdout)
    assert figures["markets"] == 2
    assert figures["accuracy"].keys() == {"filter", "thresholds", "most frequent"}
    for scored in figures["accuracy"].values():
        assert scored["bars"] == 600
        right = sum(row[name] for name, row in scored["confusion"].items())
        assert scored["accuracy"] == pytest.approx(right / 600)


def test_the_table_names_every_way_and_the_confusion() -> None:
    shown = tg("backtest", "regimes", "--seeds", "1", "--cycles", "200").stdout
    for word in ("filter", "thresholds", "most frequent", "truth", "log score"):
        assert word in shown


def test_recorded_bars_are_scored_for_steadiness_alone(tmp_path: Path) -> None:
    open_ns = instant_ns("2024-01-01") + HOUR_NS * np.arange(900, dtype=np.int64)
    for base in ("BTC", "ETH"):
        write_bars(tmp_path, f"BINANCE_{base}-USDT_1h", open_ns)
    words = ("--data", str(tmp_path), "--instruments", "BTC/USDT,ETH/USDT", "--json")
    figures = json.loads(tg("backtest", "regimes", *words).stdout)
    assert figures.keys() == {"markets", "steadiness"}
    assert sum(figures["steadiness"]["filter"]["share"].values()) == pytest.approx(1.0)


def test_a_decision_and_the_status_tell_the_regime_its_chance_and_since_when() -> None:
    tg("backtest", "run", "--instruments", "BTC/USDT,XRP/USDT", "--cycles", "5", "--name", "seen")
    decision = json.loads(tg("decisions", "show", "--run", "seen", "--json").stdout)
    view = decision["regime_view"]
    assert view["regime"] == decision["regime"] != "unknown"
    assert view["probability"] == view["probabilities"][view["regime"]]
    said = f"{view['regime']} {view['probability']:.2f} since "
    assert said in tg("decisions", "show", "--run", "seen").stdout
    assert f"regime: {said}" in tg("status", "--run", "seen").stdout
