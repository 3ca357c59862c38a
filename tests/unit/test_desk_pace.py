from threading import Event

from tg_actors.desk.pace import Pace

HOUR_NS = 3_600 * 10**9


def test_at_full_speed_nobody_waits() -> None:
    looked: list[int] = []
    Pace(HOUR_NS, None).wait(0, Event(), lambda: looked.append(1))
    assert looked == []


def test_the_first_bar_is_there_at_once() -> None:
    Pace(HOUR_NS, 1.0).wait(0, Event(), lambda: None)


def test_a_stop_ends_the_wait_for_a_bar_that_is_an_hour_away() -> None:
    pace, stop = Pace(HOUR_NS, 1.0), Event()
    pace.wait(0, stop, lambda: None)
    stop.set()
    pace.wait(0, stop, lambda: None)


def test_people_are_obeyed_while_waiting() -> None:
    pace, stop = Pace(HOUR_NS, 1.0), Event()
    pace.wait(0, stop, lambda: None)
    pace.wait(0, stop, stop.set)
    assert stop.is_set()
