import pytest

from serving.swap import Orders, Place, Report, Switchboard, Table, missing
from tg_actors.rl.acts import Role, Roles

NAME = "rl-aggressive"
SILENT_NS = 10


def board(**roles: object) -> Switchboard:
    made = Switchboard("board", SILENT_NS)
    made.wish({NAME: Roles(**roles)})  # type: ignore[arg-type]  # the words of Roles, by name
    return made


def hear(
    switchboard: Switchboard, replica: str, *versions: int, at_ns: int = 0, failed: int | None = None
) -> Orders:
    report = Report(
        replica=replica,
        loaded=tuple(f"{NAME}@{v}" for v in versions),
        failed={} if failed is None else {f"{NAME}@{failed}": "it is torn"},
    )
    return switchboard.heard(report, at_ns)


def place(switchboard: Switchboard) -> Place:
    return switchboard.table.places[NAME]


def test_a_version_comes_into_force_only_once_every_replica_holds_it() -> None:
    switchboard = board(champion=1)
    assert hear(switchboard, "a").wanted == (f"{NAME}@1",)
    hear(switchboard, "a", 1)
    assert place(switchboard).champion == 1
    hear(switchboard, "b", 1)

    switchboard.wish({NAME: Roles(champion=2, former=(1,))})
    hear(switchboard, "a", 1, 2)
    assert place(switchboard).champion == 1
    assert not switchboard.settled()
    hear(switchboard, "b", 1, 2)
    assert place(switchboard).champion == 2
    assert switchboard.settled()
    assert switchboard.swaps == 2


def test_what_one_replica_cannot_load_is_refused_and_the_old_one_stays() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    hear(switchboard, "b", 1)
    switchboard.wish({NAME: Roles(champion=2, former=(1,))})
    hear(switchboard, "a", 1, 2)
    orders = hear(switchboard, "b", 1, failed=2, at_ns=3)
    assert orders.wanted == (f"{NAME}@1",)
    assert place(switchboard).champion == 1
    assert switchboard.settled()
    (refusal,) = switchboard.refusals
    assert (refusal.version, refusal.role, refusal.replica, refusal.at_ns) == (2, Role.CHAMPION, "b", 3)


def test_a_refused_version_is_tried_again_once_the_record_speaks_of_the_model() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    switchboard.wish({NAME: Roles(champion=2, former=(1,))})
    hear(switchboard, "a", 1, failed=2)
    switchboard.wish({NAME: Roles(champion=2, former=(1, 1))})
    hear(switchboard, "a", 1, 2)
    assert place(switchboard).champion == 2


def test_a_first_champion_that_cannot_be_loaded_falls_back_to_the_newest_one_before() -> None:
    switchboard = board(champion=3, former=(1, 2))
    assert hear(switchboard, "a", failed=3).wanted == (f"{NAME}@2",)
    assert hear(switchboard, "a", failed=2).wanted == (f"{NAME}@1",)
    hear(switchboard, "a", 1)
    assert place(switchboard).champion == 1


def test_a_canary_that_fails_leaves_its_place_empty_and_the_champion_alone() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    switchboard.wish({NAME: Roles(champion=1, canary=2, canary_share_frac=0.1, shadow=3)})
    hear(switchboard, "a", 1, 3, failed=2)
    assert place(switchboard) == Place(champion=1, shadow=3)


def test_a_role_that_ends_ends_at_once_although_another_version_is_still_loading() -> None:
    switchboard = board(champion=1, canary=2, canary_share_frac=0.5)
    hear(switchboard, "a", 1, 2)
    assert place(switchboard).canary == 2
    switchboard.wish({NAME: Roles(champion=3, former=(1,))})
    assert place(switchboard) == Place(champion=1)


def test_a_replica_that_says_nothing_keeps_nobody_waiting_and_its_counts_remain() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    switchboard.heard(Report(replica="b", loaded=(f"{NAME}@1",), answered={f"{NAME}@1": 7}), 0)
    switchboard.wish({NAME: Roles(champion=2, former=(1,))})
    hear(switchboard, "a", 1, 2, at_ns=SILENT_NS)
    assert place(switchboard).champion == 1
    hear(switchboard, "a", 1, 2, at_ns=SILENT_NS + 1)
    assert place(switchboard).champion == 2
    assert switchboard.tally().answered == {f"{NAME}@1": 7}


def test_a_failure_of_what_is_in_force_does_not_take_it_from_the_others() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    orders = hear(switchboard, "b", failed=1)
    assert place(switchboard).champion == 1
    assert switchboard.refusals == []
    assert missing(orders, held=(), failed=(f"{NAME}@1",)) == (f"{NAME}@1",)


def test_a_model_that_is_gone_is_no_longer_in_force() -> None:
    switchboard = board(champion=1)
    hear(switchboard, "a", 1)
    switchboard.wish({})
    assert switchboard.table.places == {}
    assert switchboard.wanted() == ()


def test_shadows_of_all_replicas_are_added_up() -> None:
    switchboard = board(champion=1, shadow=2)
    pair = f"{NAME}@1|{NAME}@2"
    for replica, counts in (("a", (3, 4)), ("b", (1, 4))):
        switchboard.heard(
            Report(replica=replica, loaded=(f"{NAME}@1", f"{NAME}@2"), agreed={pair: counts}), 0
        )
    (row,) = switchboard.status()["shadows"]
    assert row == {"champion": f"{NAME}@1", "shadow": f"{NAME}@2", "rows": 8, "agreement_frac": 0.5}


@pytest.mark.parametrize(
    ("held", "failed", "left"),
    [((), (), ("x@1", "x@2")), (("x@1",), (), ("x@2",)), (("x@1",), ("x@2",), ())],
)
def test_a_replica_loads_what_it_neither_holds_nor_failed(
    held: tuple[str, ...], failed: tuple[str, ...], left: tuple[str, ...]
) -> None:
    orders = Orders(wanted=("x@1", "x@2"), table=Table(board="b"))
    assert missing(orders, held, failed) == left
