import pytest

from tg_actors.desk.health import Wards
from tg_actors.desk.supervision import ChildPolicy, Remedy, Restart, Supervisor
from tg_actors.domain.orders import TradingState

S = 1_000_000_000
R, G, E = Remedy.RESTART, Remedy.GIVE_UP, Remedy.ESCALATE

AGENT = ChildPolicy(intensity=2, period_s=10)
CORE = ChildPolicy(intensity=2, period_s=10, escalate_to=TradingState.HALTED)

#: Policy, seconds at which the child dies, what follows each time.
DEATHS = [
    (AGENT, [0, 1, 2], [R, R, G]),
    (CORE, [0, 1, 2], [R, R, E]),
    (CORE, [0, 1, 2, 3], [R, R, E, E]),
    # A death counts for less than its period: the one exactly as old is forgotten.
    (AGENT, [0, 5, 10], [R, R, R]),
    (AGENT, [0, 5, 9], [R, R, G]),
    (AGENT, [0, 20, 40, 60, 80], [R, R, R, R, R]),
    (ChildPolicy(intensity=0), [0], [G]),
    (ChildPolicy(intensity=0, escalate_to=TradingState.REDUCE_ONLY), [0], [E]),
    (ChildPolicy(restart=Restart.TEMPORARY), [0], [G]),
]


@pytest.mark.parametrize(("policy", "deaths", "remedies"), DEATHS)
def test_each_death_has_its_remedy(policy: ChildPolicy, deaths: list[int], remedies: list[Remedy]) -> None:
    supervisor = Supervisor({"child": policy})
    assert [supervisor.on_death("child", at * S) for at in deaths] == remedies
    assert supervisor.is_given_up("child") == (G in remedies)


def test_a_transient_child_comes_back_only_after_a_crash() -> None:
    supervisor = Supervisor({"child": ChildPolicy(restart=Restart.TRANSIENT)})
    assert supervisor.on_death("child", 0) is R
    assert supervisor.on_death("child", 1, crashed=False) is G


def test_children_are_counted_one_by_one() -> None:
    supervisor = Supervisor({"a": AGENT, "b": AGENT})
    assert [supervisor.on_death(child, 0) for child in "aabb"] == [R] * 4
    assert supervisor.on_death("a", 1) is G
    assert not supervisor.is_given_up("b")


def test_a_pardon_wipes_the_record() -> None:
    supervisor = Supervisor({"child": AGENT})
    for at in range(3):
        supervisor.on_death("child", at)
    supervisor.pardon("child")
    assert not supervisor.is_given_up("child")
    assert supervisor.deaths("child") == 0
    assert supervisor.on_death("child", 4) is R


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCE_ONLY])
def test_escalation_demands_the_state_of_the_policy(state: TradingState) -> None:
    assert Supervisor({"child": ChildPolicy(escalate_to=state)}).escalation("child") is state
    assert Supervisor({"child": ChildPolicy()}).escalation("child") is TradingState.HALTED


def test_a_child_without_a_policy_is_a_bug() -> None:
    with pytest.raises(KeyError):
        Supervisor({}).on_death("child", 0)


def _wards(now: list[int], policy: ChildPolicy = AGENT) -> Wards:
    return Wards(Supervisor({"child": policy}), ("child",), lambda: now[0])


def test_calls_that_fail_on_one_dead_process_are_one_death() -> None:
    now = [5 * S]
    wards = _wards(now)
    assert wards.failed("child") is not None
    for _ in range(3):
        now[0] += S // 2
        assert wards.failed("child") is None
    assert wards.deaths == {"child": 1}
    assert wards.health == {"child": "down"}
    assert wards.answered("child")
    assert not wards.answered("child")
    assert wards.health == {"child": "up"}


def test_a_child_that_comes_back_and_dies_again_has_died_twice() -> None:
    now = [5 * S]
    wards = _wards(now)
    for _ in range(2):
        assert wards.failed("child") is not None
        wards.answered("child")
        now[0] += 2 * S
    assert wards.deaths == {"child": 2}
    died = wards.failed("child")
    assert died is not None
    assert (died.deaths, died.remedy) == (3, "give_up")
    assert wards.health == {"child": "given up"}
    assert not wards.answered("child"), "who was given up stays away"
    wards.pardon("child")
    assert wards.health == {"child": "up"}


def test_late_is_no_illness() -> None:
    wards = _wards([0])
    wards.late("child")
    assert wards.health == {"child": "late"}
    wards.in_time("child")
    assert wards.health == {"child": "up"}
    wards.failed("child")
    wards.late("child")
    assert wards.health == {"child": "down"}, "a dead actor is not late"


def test_latency_quantiles() -> None:
    wards = _wards([0])
    assert wards.cycle_ms(0.5) == 0
    for ms in range(1, 101):
        wards.cycle_took(ms / 1e3)
    assert (wards.cycle_ms(0), wards.cycle_ms(0.5), wards.cycle_ms(0.99), wards.cycle_ms(1)) == (
        1,
        51,
        100,
        100,
    )
