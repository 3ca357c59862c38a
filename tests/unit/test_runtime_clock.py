from hypothesis import given
from hypothesis import strategies as st

from tg_actors.execution.wire import ReplayClock
from tg_actors.runtime.clock import LiveClock, PacedClock

S = 10**9


def test_a_replays_time_stands_still_between_snapshots() -> None:
    clock = ReplayClock(lambda: 5)
    assert [clock.desk_ns(1), clock.desk_ns(1), clock.desk_ns(2)] == [1, 1, 2]
    assert clock.wall_ns() == 5


def test_a_paced_desks_time_runs_on_from_each_snapshot_at_the_pace_of_its_market() -> None:
    now = [100 * S]
    clock = PacedClock(60.0, lambda: now[0])
    assert clock.desk_ns(1000 * S) == 1000 * S
    now[0] += 2 * S
    assert clock.desk_ns(1000 * S) == 1120 * S
    assert clock.desk_ns(1060 * S) == 1120 * S, "the next snapshot came early: time does not go back"
    now[0] += 3 * S
    assert clock.desk_ns(1060 * S) == 1240 * S


def test_a_live_desks_time_is_the_machines_and_an_old_snapshot_is_old() -> None:
    now = [5000 * S]
    clock = LiveClock(lambda: now[0])
    assert clock.desk_ns(1000 * S) == 5000 * S
    now[0] -= 10 * S
    assert clock.desk_ns(1000 * S) == 5000 * S, "the machine's clock was set back"
    assert clock.desk_ns(6000 * S) == 6000 * S, "a snapshot from the future is never before itself"


@given(steps=st.lists(st.tuples(st.integers(0, 100), st.integers(-50, 100)), min_size=1))
def test_no_clock_ever_goes_back_or_before_its_snapshot(steps: list[tuple[int, int]]) -> None:
    now, at_ns = [0], 0
    paced, live = PacedClock(7.0, lambda: now[0]), LiveClock(lambda: now[0])
    before = [0, 0]
    for passed, moved in steps:
        now[0] += passed
        at_ns += moved
        times = [paced.desk_ns(at_ns), live.desk_ns(at_ns)]
        assert all(time >= at_ns for time in times)
        assert all(time >= old for time, old in zip(times, before, strict=True))
        before = times
