from collections import Counter

from tg_actors.chaos.schedule import RHYTHMS, Deed, schedule


def test_a_seed_names_a_schedule() -> None:
    assert schedule(5, 300) == schedule(5, 300)
    assert schedule(5, 300) != schedule(6, 300)


def test_fifteen_minutes_hold_what_the_goal_asks_for() -> None:
    for seed in range(5):
        counts = Counter(stroke.deed for stroke in schedule(seed, 900))
        # Three victims at a time in the mean.
        assert counts[Deed.KILL] > 110
        assert counts[Deed.ZOMBIE] > 33
        assert counts[Deed.RAYLET] > 5
        assert counts[Deed.HEAD] == 1


def test_strokes_come_in_order_and_not_before_their_time() -> None:
    strokes = schedule(7, 900)
    assert [stroke.at_s for stroke in strokes] == sorted(stroke.at_s for stroke in strokes)
    assert all(RHYTHMS[stroke.deed].after_s <= stroke.at_s < 900 for stroke in strokes)
    assert all(0 <= stroke.whom < 1 and 0 <= stroke.extent < 1 for stroke in strokes)
