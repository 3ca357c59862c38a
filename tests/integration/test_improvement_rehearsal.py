"""The whole improvement with real training, on the made-up market; and its commands."""

import json
from pathlib import Path

import pytest

from tests.cli_words import Tg
from tg_actors.backtest.apprentice import make
from tg_actors.backtest.rehearsal import Rehearsed, rehearse, small_plan
from tg_actors.cli import improving
from tg_actors.desk.plan import Flags
from tg_actors.domain.errors import UserError
from tg_actors.reports.rehearsal import render
from tg_actors.rl.improvement import Stage
from tg_actors.runtime.lock import sole_holder


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Rehearsed:
    return rehearse(small_plan(change=True), tmp_path_factory.mktemp("changed"), make, seed=1)


def test_a_market_that_changes_gets_a_new_champion_and_the_desk_earns_again(changed: Rehearsed) -> None:
    assert changed.recovered, changed.moves
    named = {phase.name: phase for phase in changed.phases}
    assert named["before"].mean_daily_frac > 0.0 > named["degraded"].mean_daily_frac
    interval = named["promoted"].interval
    assert interval is not None
    assert interval.low > 0.0
    last = [move.stage for move in changed.moves if move.attempt == changed.attempts]
    assert last[:4] == [Stage.COLLECTING, Stage.TRAINING, Stage.GATE, Stage.SHADOW]
    assert last[-2:] == [Stage.CANARY, Stage.CHAMPION]
    assert Rehearsed.model_validate_json(changed.model_dump_json()) == changed


def test_the_picture_shows_every_decision(changed: Rehearsed) -> None:
    page = render(changed)
    assert f"promoted on day {changed.promoted_day}" in page
    assert page.count("<path") == 2
    assert "day 50" in page
    assert all(move.stage.value in page for move in changed.moves)
    assert "http" not in page.replace("http-equiv", "")


def test_a_market_that_stays_as_it_is_promotes_nobody(tmp_path: Path) -> None:
    found = rehearse(small_plan(change=False), tmp_path, make, seed=1)
    assert found.promoted_day is None
    assert {move.stage for move in found.moves} == {
        Stage.COLLECTING,
        Stage.TRAINING,
        Stage.GATE,
        Stage.REFUSED,
    }


def test_the_judges_are_simulated_by_one_command(tg: Tg) -> None:
    answer = tg("models", "gate", "--simulate", "--challengers", "100", "--json")
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    assert content["gate"]["without skill"]["promoted_frac"] <= 0.01
    rules = {row["rule"] for row in content["sequential"]}
    assert rules == {"ahead_30_days", "naive_weekly", "always_valid", "once"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("improve", "--no-change"), "belong to --rehearse"),
        (("improve", "--model", "rl-nobody"), "there is no specialist"),
        (("improve", "--every", "soon"), "no length of time"),
        (("improve", "--market", "simulated"), "say with --cycles"),
        (("gate",), "has not judged"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(
    tg: Tg, arguments: tuple[str, ...], sentence: str
) -> None:
    answer = tg("models", *arguments)
    assert answer.code == 2
    assert sentence in answer.err.replace("\n", " ")


def test_the_status_of_a_model_that_nobody_improves_is_empty(tg: Tg) -> None:
    answer = tg("models", "improve", "--status", "--json")
    assert answer.code == 0, answer.err
    content = json.loads(answer.out)
    assert (content["attempt"], content["moves"]) == (0, [])


def test_two_do_not_improve_one_model_at_once(tg: Tg) -> None:
    lock = improving.folder_of() / "rl-balanced.lock"
    with sole_holder(lock, "test", "wait"):
        answer = tg("models", "improve", "--model", "balanced", "--market", "simulated", "--cycles", "9")
    assert answer.code == 2
    assert "another improvement of balanced" in answer.err.replace("\n", " ")
    assert "nothing has been attempted" in tg("models", "improve", "--status").err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("fails_first", [1, 2])
def test_a_market_that_is_down_for_a_while_ends_the_loop_only_in_its_first_round(
    fails_first: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class EnoughError(Exception):
        """The test has seen enough."""

    rounds: list[improving.Asked] = []

    def improve(asked: improving.Asked) -> None:
        rounds.append(asked)
        if len(rounds) == 3:
            raise EnoughError
        if len(rounds) == fails_first:
            raise UserError("the venue is down")

    monkeypatch.setattr(improving, "_improve", improve)
    monkeypatch.setattr(improving, "_seconds", lambda _: 0.0)
    asked = improving.Asked(
        model="rl-generalist",
        desk="d",
        flags=Flags(None, None, None, None, None, None, None),
        cycles=None,
        every="1d",
        train_days=5,
        test_days=1,
        windows=1,
        seeds=1,
        steps=1,
    )
    with pytest.raises(UserError if fails_first == 1 else EnoughError):
        improving.keep_improving(asked)
    assert len(rounds) == (1 if fails_first == 1 else 3)
    assert ("the venue is down" in capsys.readouterr().err) == (fails_first == 2)
