"""Which trial is trained next, and what a death or a failure does."""

import numpy as np
import pytest

from tg_actors.rl.specialists import GENERALIST, SPECIALISTS
from tg_actors.rl.trials import Schedule, Step, Trial, trials_of

AGGRESSIVE = Trial(specialist="aggressive", seed=1, fold=0)
TRUNK = Trial(specialist=GENERALIST, seed=1, fold=0)


def test_a_specialist_brings_its_generalist_and_waits_for_it() -> None:
    trials = trials_of(["aggressive"], [1, 2], folds=2)
    assert len(trials) == 8
    assert [trial.specialist for trial in trials[:4]] == [GENERALIST] * 4
    schedule = Schedule(trials_of(["aggressive"], [1], 1), ["a", "b"])
    assert [order.trial for order in schedule.orders()] == [TRUNK]
    assert not schedule.orders()
    schedule.on_done("a")
    assert [order.trial for order in schedule.orders()] == [AGGRESSIVE]


def test_what_was_done_before_is_not_done_again() -> None:
    schedule = Schedule([TRUNK, AGGRESSIVE], ["a"], done=[TRUNK])
    assert [order.trial for order in schedule.orders()] == [AGGRESSIVE]
    assert schedule.done == 1


def test_a_death_is_followed_by_another_try_until_there_are_too_many() -> None:
    schedule = Schedule([TRUNK, AGGRESSIVE], ["a"], deaths_max=2)
    for _ in range(2):
        schedule.orders()
        assert schedule.on_died("a") == TRUNK
        assert schedule.step_of(TRUNK) is Step.WAITING
    schedule.orders()
    schedule.on_died("a")
    assert schedule.is_over
    assert schedule.reasons == {
        TRUNK: "its trainer died 3 times",
        AGGRESSIVE: "generalist-seed1-fold0 failed",
    }


def test_a_failed_specialist_takes_nobody_with_it() -> None:
    other = Trial(specialist="balanced", seed=1, fold=0)
    schedule = Schedule([TRUNK, AGGRESSIVE, other], ["a"], done=[TRUNK])
    schedule.orders()
    schedule.on_failed("a", "a market too short")
    assert [order.trial for order in schedule.orders()] == [other]
    schedule.on_done("a")
    assert schedule.is_over
    assert (schedule.count(Step.DONE), schedule.count(Step.FAILED)) == (2, 1)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_it_ends_and_nobody_starts_before_the_trunk(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trials = trials_of(SPECIALISTS, [1, 2], folds=2)
    schedule = Schedule(trials, ["a", "b", "c"])
    done: set[Trial] = set()
    for _ in range(1_000):
        for order in schedule.orders():
            assert order.trial.trunk is None or order.trial.trunk in done
        running = schedule.running()
        if not running:
            break
        worker = sorted(running)[int(rng.integers(len(running)))]
        happening = rng.random()
        if happening < 0.6:
            done.add(schedule.on_done(worker))
        elif happening < 0.9:
            schedule.on_died(worker)
        else:
            schedule.on_failed(worker, "planted")
    assert schedule.is_over
    assert schedule.count(Step.DONE) == len(done)
    assert schedule.count(Step.DONE) + schedule.count(Step.FAILED) == len(trials)
