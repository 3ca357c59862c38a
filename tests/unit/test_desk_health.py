"""Deaths are counted once each, whatever their number of failed calls, and never forgiven by waiting."""

import pytest
from pydantic import ValidationError

from tg_actors.desk.health import Wards
from tg_actors.desk.supervision import ChildPolicy, Remedy, Supervisor
from tg_actors.domain.orders import TradingState

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 100 * S

    def __call__(self) -> int:
        return self.now_ns


def wards(clock: Clock, **policy: object) -> tuple[Wards, Supervisor]:
    supervisor = Supervisor({"a": ChildPolicy.model_validate({"intensity": 3, "period_s": 300, **policy})})
    return Wards(supervisor, ("a",), clock), supervisor


def test_a_burst_of_failed_calls_is_one_death() -> None:
    clock = Clock()
    sut, _ = wards(clock)
    seen = []
    for _ in range(50):
        seen.append(sut.failed("a"))
        clock.now_ns += S // 10
    assert [death is not None for death in seen].count(True) == 1
    assert sut.deaths["a"] == 1


def test_an_actor_that_never_comes_back_is_given_up() -> None:
    clock = Clock()
    sut, supervisor = wards(clock)
    for _ in range(600):
        sut.failed("a")
        clock.now_ns += S // 10
    assert supervisor.is_given_up("a")
    assert sut.health["a"] == "given up"
    assert sut.deaths["a"] == 4


def test_a_death_after_an_answer_counts_at_once() -> None:
    clock = Clock()
    sut, _ = wards(clock)
    assert sut.failed("a") is not None
    assert sut.answered("a")
    assert not sut.answered("a")
    clock.now_ns += S
    assert sut.failed("a") is not None


def test_remembered_deaths_count_towards_the_intensity() -> None:
    clock = Clock()
    sut, supervisor = wards(clock)
    for _ in range(3):
        supervisor.recall("a", clock.now_ns)
    death = sut.failed("a")
    assert death is not None
    assert death.remedy == Remedy.GIVE_UP


def test_latency_quantiles() -> None:
    sut, _ = wards(Clock())
    assert sut.cycle_ms(0.99) == 0.0
    for ms in range(1, 101):
        sut.cycle_took(ms / 1e3)
    assert (sut.cycle_ms(0.5), sut.cycle_ms(0.99)) == (51.0, 100.0)


def test_an_escalation_never_loosens() -> None:
    with pytest.raises(ValidationError, match="REDUCE_ONLY or HALTED"):
        ChildPolicy(escalate_to=TradingState.ACTIVE)
