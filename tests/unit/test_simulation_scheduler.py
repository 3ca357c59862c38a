"""Virtual processes: they interleave by the seed, die where they stand, and freeze without noticing."""

import numpy as np
import pytest

from tg_actors.simulation.scheduler import NS, START_NS, Process, Promise, Scheduler
from tg_actors.simulation.trace import Trace


def _scheduler(seed: int = 0) -> Scheduler:
    return Scheduler(np.random.Generator(np.random.PCG64(seed)), Trace(START_NS, keep=True))


def _walkers(seed: int) -> tuple[list[str], str]:
    scheduler, steps = _scheduler(seed), []

    def walk(process: Process) -> None:
        for k in range(5):
            process.gate(f"step {k}")
            steps.append(f"{process.name}{k}")

    for name in "abc":
        Process(name, scheduler, walk, lambda: None).start()
    scheduler.run(START_NS + 60 * NS)
    return steps, scheduler.trace.digest


def test_equal_seeds_interleave_alike_and_others_do_not() -> None:
    assert _walkers(1) == _walkers(1)
    assert len({tuple(_walkers(seed)[0]) for seed in range(5)}) > 1
    assert sorted(_walkers(1)[0]) == sorted(f"{name}{k}" for name in "abc" for k in range(5))


def test_the_clock_jumps_to_the_next_thing_and_no_further() -> None:
    scheduler, seen = _scheduler(), []
    scheduler.after(3_600 * NS, lambda: seen.append(scheduler.now_ns))
    scheduler.run(START_NS + 3_599 * NS)
    assert seen == []
    scheduler.run(START_NS + 7_200 * NS)
    assert seen == [START_NS + 3_600 * NS]
    assert scheduler.now_ns == START_NS + 7_200 * NS


def test_a_killed_process_unwinds_and_passes_no_gate_on_its_way_out() -> None:
    scheduler, left, ended = _scheduler(), [], []

    def stubborn(process: Process) -> None:
        try:
            process.let_pass(100 * NS)
        finally:
            left.append("unwound")
            process.gate("one last effect")
            left.append("effect")

    process = Process("stubborn", scheduler, stubborn, lambda: ended.append(True))
    process.start()
    scheduler.after(NS, process.kill)
    scheduler.run(START_NS + 200 * NS)
    assert left == ["unwound"]
    assert ended == [True]
    assert process.dead


def test_a_frozen_process_goes_on_later_as_if_nothing_had_happened() -> None:
    scheduler, woke = _scheduler(), []

    def sleeper(process: Process) -> None:
        process.let_pass(2 * NS)
        woke.append(scheduler.now_ns)

    process = Process("sleeper", scheduler, sleeper, lambda: None)
    process.start()
    scheduler.after(NS, lambda: process.freeze(30 * NS))
    scheduler.run(START_NS + 100 * NS)
    assert woke == [START_NS + 31 * NS]


@pytest.mark.parametrize(("kept_after_ns", "kept"), [(NS, True), (9 * NS, False)])
def test_waiting_ends_with_the_promise_or_with_the_timeout(kept_after_ns: int, *, kept: bool) -> None:
    scheduler, promise, answers = _scheduler(), Promise[str](), []
    process = Process("waiter", scheduler, lambda p: answers.append(p.wait(promise, 5 * NS)), lambda: None)
    process.start()
    scheduler.after(kept_after_ns, lambda: promise.keep("here"))
    scheduler.run(START_NS + 60 * NS)
    assert answers == [kept]


def test_what_ends_a_process_by_itself_is_kept_for_its_supervisor() -> None:
    scheduler, ended = _scheduler(), []

    def fails(_: Process) -> None:
        raise ValueError("a bug")

    process = Process("fails", scheduler, fails, lambda: ended.append(True))
    process.start()
    scheduler.run(START_NS + NS)
    assert isinstance(process.failure, ValueError)
    assert ended == [True]
