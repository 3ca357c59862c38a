"""The audit of rewards, and the command that prints it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tg_actors.cli.main import app
from tg_actors.domain.errors import UserError
from tg_actors.rl.audit import ZOO, AuditReport, audit_all
from tg_actors.rl.presets import DEFAULT_REWARD, PRESETS, reward_preset


@pytest.fixture(scope="module")
def reports() -> dict[str, AuditReport]:
    return {report.preset: report for report in audit_all(seed=11)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_what_its_row_says(name: str, reports: dict[str, AuditReport]) -> None:
    assert reports[name].is_sound is PRESETS[name].is_sound
    assert ("FAILS THE AUDIT" in PRESETS[name].meaning) is not PRESETS[name].is_sound


def test_the_seed_pays_for_one_win_and_sitting_still(reports: dict[str, AuditReport]) -> None:
    assert reports["seed_v1"].overpaid == ("one_win_then_sit",)
    scores = {score.policy: score for score in reports["seed_v1"].scores}
    assert scores["one_win_then_sit"].reward > 0.05
    assert abs(scores["one_win_then_sit"].growth) < 1e-4
    assert reports[DEFAULT_REWARD].overpaid == ()


def test_the_seed_depends_on_the_size_of_the_account_and_growth_does_not() -> None:
    small, large = (audit_all(("v2", "seed_v1"), seed=11, cash=cash, bars=100) for cash in (100.0, 1e6))
    for policy in range(len(ZOO)):
        assert small[0].scores[policy].reward == pytest.approx(large[0].scores[policy].reward, abs=1e-9)
    last = [report.scores[-1].reward for report in (small[1], large[1])]
    assert abs(last[0] - last[1]) > 0.1


def test_zoo_policies_do_what_their_names_say(reports: dict[str, AuditReport]) -> None:
    growth = {score.policy: score.growth for score in reports["v2"].scores}
    assert growth["flat"] == 0.0
    assert growth["flip_every_bar"] < growth["churn"] < growth["hold"] < 0.0
    assert set(growth) == set(ZOO)


def test_an_unknown_reward_is_refused_in_one_sentence() -> None:
    with pytest.raises(UserError, match="known are v2, conservative"):
        reward_preset("v3")


def test_the_command_prints_the_audit() -> None:
    run = CliRunner().invoke(app, ["rl", "audit", "--reward", "seed_v1", "--json"])
    (report,) = json.loads(run.stdout)
    assert report["is_sound"] is False
    assert report["overpaid"] == ["one_win_then_sit"]
    assert np.isfinite([policy["excess"] for policy in report["policies"]]).all()
    table = CliRunner().invoke(app, ["rl", "audit", "--reward", "v2"])
    assert "sound" in table.stdout
    assert "flip every bar" in table.stdout
