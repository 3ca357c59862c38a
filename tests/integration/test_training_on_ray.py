"""Trials on Ray: who dies goes on, the weights are those of one process; and the command itself."""

import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import ray

from tests.cli_words import Tg
from tests.training_words import quick_room
from tg_actors.cli.training_loop import Loop, train_inline
from tg_actors.desk.files import configs_folder
from tg_actors.desk.models import home_registry
from tg_actors.rl.actor import TrainerActor
from tg_actors.rl.classroom import Finished, load_finished
from tg_actors.rl.plans import TrainingProgress
from tg_actors.rl.registry import ModelRegistry
from tg_actors.rl.trials import Schedule, Step, Trial, trials_of
from tg_actors.runtime.actors import put, spawn
from tg_actors.runtime.trials import count_trials

TRIALS = trials_of(["aggressive"], [1], folds=1)


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.deaths, self.steps, self.ends = list[str](), dict[str, int](), list[Finished]()

    def phase(self, text: str) -> None:
        pass

    def begun(self, schedule: Schedule, names: Mapping[str, int]) -> None:
        pass

    def progressed(self, trial: Trial, news: Sequence[TrainingProgress]) -> None:
        self.steps[trial.key] = news[-1].steps

    def ended(self, finished: Finished) -> None:
        self.ends.append(finished)

    def died(self, trial: Trial) -> None:
        self.deaths.append(trial.key)


class Fatal(deque[TrainingProgress]):
    """The third word of a life is its last, once."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self._mark, self._said = mark, 0

    def append(self, news: TrainingProgress) -> None:
        self._said += 1
        if self._said == 3 and not self._mark.exists():
            self._mark.touch()
            os._exit(1)
        super().append(news)


class MortalTrainer(TrainerActor):
    def __init__(self, folder: str, name: str) -> None:
        super().__init__(folder, name)
        self._news = Fatal(Path(folder) / "died")


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_a_killed_trainer_goes_on_and_ends_with_the_very_weights(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    room = quick_room()
    train_inline(room, here, Schedule(TRIALS, ["one"]), Told(), lambda: False)
    schedule, told = Schedule(TRIALS, ["mortal"]), Told()
    trainer = spawn(MortalTrainer, "MortalTrainer", str(there), "mortal", concurrency=2)
    try:
        Loop(schedule, {"mortal": trainer}, put(room), told).run(lambda: False)
    finally:
        ray.kill(trainer)
    assert told.deaths == ["generalist-seed1-fold0"]
    assert schedule.count(Step.DONE) == 2
    assert [one.trial for one in told.ends] == list(TRIALS)
    assert told.steps
    for trial in TRIALS:
        ends = [load_finished(folder, trial) for folder in (here, there)]
        assert ends[0] is not None
        assert ends[1] is not None
        assert ends[0][0].sha256 == ends[1][0].sha256


def test_the_command_trains_judges_registers_and_does_nothing_twice(tg: Tg, home: Path) -> None:
    command = "train aggressive --inline --worlds 1 --cycles 1200 --seeds 1 --folds 1 --steps 1000 --json"
    first = tg(*command.split(), "--instruments", "BTC/USDT,ETH/USDT")
    assert first.code == 0, first.err
    events = [json.loads(line) for line in first.out.splitlines()]
    kinds = [event.get("event") for event in events]
    assert kinds.count("ended") == 2
    assert kinds.count("progress") >= 2
    result = events[-1]
    assert result["trials"] == 2
    (policy,) = result["policies"]
    registry = home_registry()
    shipped = ModelRegistry(configs_folder() / "models").versions("rl-aggressive")
    number = shipped[-1] + 1
    assert policy["version"] == f"rl-aggressive@{number}", "its number is that of no other version"
    assert registry.roles("rl-aggressive").champion == shipped[-1], "training promotes nothing"
    manifest = registry.probe("rl-aggressive", number)
    assert (manifest.parents, len(str(manifest.trainer["trunk_sha256"]))) == ((), 64)
    assert manifest.market == "simulated market, seed 4000"
    assert manifest.evidence is not None
    assert manifest.evidence.days == result["days"]
    assert "simulated market" in manifest.evidence.verdict
    assert manifest.trainer["is_distinct"] is policy["is_distinct"]
    assert manifest.trials == policy["evidence"]["trials"] == 2
    again = tg(*command.split(), "--instruments", "BTC/USDT,ETH/USDT")
    repeated = [json.loads(line) for line in again.out.splitlines()]
    assert not [event for event in repeated if event.get("event") in {"ended", "progress"}]
    assert repeated[-1] == result
    assert registry.versions("rl-aggressive") == (*shipped, number)
    assert count_trials(_only_market(home)) == 2


def test_a_trial_that_cannot_be_trained_is_told_here_as_on_ray(tmp_path: Path) -> None:
    room = quick_room()
    endless = replace(room, rules=replace(room.rules, bars=len(room.market.close)))
    schedule = Schedule(TRIALS, ["one"])
    train_inline(endless, tmp_path, schedule, Told(), lambda: False)
    assert schedule.count(Step.FAILED) == 2
    assert "hold no episode of 600" in schedule.reasons[TRIALS[0]]


def _only_market(home: Path) -> str:
    lines = [json.loads(line) for line in (home / "trials.jsonl").read_text().splitlines()]
    (market,) = {line["market"] for line in lines}
    return str(market)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ("--worlds 2 --market recorded --data .", "--worlds is of simulated markets"),
        ("--cycles 400", "whole days are too few for 1 folds"),
        ("--slippage-bps 10000", "takes all of a fill"),
    ],
)
def test_a_wish_that_cannot_be_is_one_sentence(tg: Tg, flags: str, says: str) -> None:
    answer = tg("train", "generalist", "--inline", "--folds", "1", *flags.split())
    assert answer.code == 2
    assert says in answer.err
