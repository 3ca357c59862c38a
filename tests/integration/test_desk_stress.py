"""Stress episodes: the judge sees what it must see, and recorded crashes leave every limit whole."""

import itertools
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import SYMBOLS, Desk, Scene, flipping, simulated
from tg_actors.desk.config import load_desk
from tg_actors.desk.files import find_config, load
from tg_actors.desk.stress import StressPlan, judge, run_episode

PLAN = load(StressPlan, find_config("configs/stress.yaml"))
#: Those of the desk that scenes are built from, with room for many trades.
LIMITS = load_desk("laptop-paper").risk.model_copy(update={"trades_per_day_max": 99})


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    scene = Scene(feed=simulated(), script=flipping(5), risk={"trades_per_day_max": 99})
    with scene.open(tmp_path_factory.mktemp("stress")) as desk:
        desk.run(120)
        yield desk


def test_a_desk_within_its_limits_breaks_none(desk: Desk) -> None:
    found = judge("calm", "desk", desk.journal, LIMITS, len(SYMBOLS))
    assert found.fills > 20
    assert (found.breaches, found.entries_after_halt, found.journal_ok) == ((), 0, True)


@pytest.mark.parametrize(
    ("limit", "value", "named"),
    [
        ("position_frac_max", Decimal("0.001"), "position"),
        ("leverage_max", Decimal("0.001"), "gross exposure"),
        ("order_notional_max", Decimal(1), "order notional"),
        ("trades_per_day_max", 1, "trades a day"),
    ],
)
def test_the_judge_notices_every_limit(desk: Desk, limit: str, value: Decimal | int, named: str) -> None:
    limits = LIMITS.model_copy(update={limit: value})
    found = judge("tight", "desk", desk.journal, limits, len(SYMBOLS))
    assert found.breaches
    assert all(named in breach for breach in found.breaches)


def test_entries_of_one_cycle_count_together_in_the_reporting_currency(desk: Desk) -> None:
    # Two entries of 14 % each: neither is beyond 15 %, and the second is quoted in BTC.
    limits = LIMITS.model_copy(update={"leverage_max": Decimal("0.15"), "position_frac_max": Decimal("0.15")})
    first = judge("tight", "desk", desk.journal, limits, len(SYMBOLS)).breaches[0]
    assert first.startswith("cycle 0 XRP/BTC: gross exposure 2850")


@pytest.mark.data
@pytest.mark.parametrize("name", ["march-2020", "luna-2022"])
def test_a_crash_trips_the_breakers_and_ends_the_loss(name: str, tmp_path: Path, data_dir: Path) -> None:
    episode = next(one for one in PLAN.episodes if one.name == name)
    desk = load_desk("stress")
    found = run_episode(desk, PLAN, episode, data_dir, tmp_path / "run.sqlite", itertools.count(1).__next__)
    assert (found.breaches, found.entries_after_halt, found.journal_ok) == ((), 0, True)
    assert any(breaker.startswith("DRAWDOWN_LIMIT") for breaker in found.breakers)
    assert found.worst_bar_frac < -0.2
    # The limit, and what an hour of such a market can still take before the market orders fill.
    assert found.max_drawdown_frac < float(desk.risk.drawdown_frac_max) + 0.05
