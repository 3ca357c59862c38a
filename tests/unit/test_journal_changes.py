from tg_actors.journal import tables
from tg_actors.journal.changes import Changes, Unique


def test_of_many_rows_with_one_key_only_the_newest_is_written() -> None:
    batch = Changes()
    for cycle in (1, 2, 3):
        later = Changes()
        later.upsert(tables.venue_state, ("v", "a"), {"cycle": cycle})
        later.insert(tables.events, {"seq": cycle})
        batch.merge(later)
    assert batch.upserts == {"venue_state": {("v", "a"): {"cycle": 3}}}
    assert batch.inserts == {"events": [{"seq": 1}, {"seq": 2}, {"seq": 3}]}


def test_a_key_is_known_by_its_kind() -> None:
    changes = Changes()
    changes.learn(Unique.INTENT, ("same",))
    assert changes.knows(Unique.INTENT, ("same",))
    assert not changes.knows(Unique.CLIENT_ORDER, ("same",))
