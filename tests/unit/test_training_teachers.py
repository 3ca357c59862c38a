"""Who teaches, what was recorded to learn on, how it is cut, and how policies are judged on it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.rl_words import random_actions
from tg_actors.backtest.learned import DISAGREEMENT_MIN, Examination, folds_of
from tg_actors.backtest.learning_market import Lessons, record_lessons
from tg_actors.backtest.population import TradingCosts
from tg_actors.backtest.teachers import faculty, rigid_rule, teachers
from tg_actors.cli.training import _seen, _shown
from tg_actors.cli.training_manifest import manifest_of
from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import from_float
from tg_actors.market.config import MarketSpec, SimulatedSource, open_market
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.regimes import RegimeConfig
from tg_actors.rl.classroom import Classroom, Finished
from tg_actors.rl.demonstrations import Shown
from tg_actors.rl.episodes import LEVELS
from tg_actors.rl.evaluation import Acting, levels_of, towards
from tg_actors.rl.manifest import Manifest
from tg_actors.rl.market import F32, usual_moves
from tg_actors.rl.plans import CloningPlan, TrainingPlan
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS
from tg_actors.rl.trials import Trial

COSTS = TradingCosts(fee_frac=0.001, slippage_bps=2.0)
SYMBOLS = ("BTC/USDT", "ETH/USDT")
_DAY_NS = 86_400 * 10**9


def spec(seed: int) -> MarketSpec:
    return MarketSpec(
        symbols=SYMBOLS,
        timeframe=Timeframe.HOUR_1,
        source=SimulatedSource(seed=seed),
        spread_bps=dict.fromkeys(SYMBOLS, from_float(1.0)),
    )


@cache
def lessons() -> Lessons:
    return record_lessons([spec(70), spec(71)], RegimeConfig(), COSTS, 1_500)


def test_worlds_are_recorded_side_by_side_at_the_desks_costs() -> None:
    found = lessons()
    assert found.market.close.shape == (1_500, 4)
    assert found.symbols == SYMBOLS * 2
    assert np.array_equal(found.market.close[:, 2:], found.worlds[1].close)
    assert (found.market.worse == 2e-4).all()
    assert found.rules(shorts=False, bars=64).fee_frac == 0.001
    chances = np.stack([found.market.column(n) for n in found.market.names if n.startswith("p_")])
    known = found.market.column("regime_known") == 1.0
    assert known.mean() > 0.9
    assert np.allclose(chances.sum(axis=0)[known], 1.0, atol=1e-3)


def test_what_is_recorded_is_what_a_desk_shows_at_that_bar() -> None:
    found = lessons()
    snapshot = open_market(spec(70)).advance(700)
    assert snapshot is not None
    assert np.array_equal(snapshot.ohlcv[:, 3], found.market.close[700, :2])
    assert np.allclose(found.market.column("rsi")[700, :2], snapshot.feature("rsi_14") / 50 - 1, atol=1e-6)


def test_folds_are_whole_days_with_gaps_and_never_reach_back() -> None:
    found = lessons()
    folds = folds_of(found, 2)
    for one in folds:
        assert one.train_end + 24 <= one.choose_first + 1
        assert one.choose_end + 24 <= one.judge_first + 1
        assert (one.judge_end - one.judge_first - 1) % 24 == 0
        # What is decided at midnight's close is filled in the first bar of the day.
        assert found.close_ns[one.judge_first] % _DAY_NS == 0
    assert folds[1].judge_first == folds[0].judge_end - 1
    assert folds[1].train_end > folds[0].train_end
    with pytest.raises(UserError, match="too few for 9 folds"):
        folds_of(found, 9)


def test_teachers_are_chosen_by_the_past_alone_and_only_from_their_families() -> None:
    found, end = lessons(), 800
    only = ("zscore", "sma_cross", "rsi")
    school = faculty(found, end, shorts=False, only=only)
    later = [
        replace(world, close=np.where(_after(world.close, end), 1.0, world.close)) for world in found.worlds
    ]
    again = faculty(Lessons(found.market, tuple(later), COSTS), end, shorts=False, only=only)
    assert np.array_equal(school.earned, again.earned)
    assert all("both" not in member.parameters for member in school.members)
    chosen = school.chosen(SPECIALISTS["contrarian"], 50)
    assert {school.members[k].family.name for k in chosen} <= {"zscore", "rsi"}
    taught = teachers(found, school, SPECIALISTS[GENERALIST], 2)
    assert taught[-1].name == "cash"
    assert all(one.targets.shape == found.market.close.shape for one in taught)
    assert all((one.worth >= 0).all() for one in taught)
    rule = rigid_rule(found, school)
    assert rule.name in {member.name for member in school.members}


def _after(array: F64, end: int) -> np.ndarray:
    return np.broadcast_to((np.arange(len(array)) >= end)[:, np.newaxis], array.shape)


class Clairvoyant:
    """Holds what rises next: the answers stand in a column that only this test adds."""

    def __init__(self, part: float, sign: int = 1) -> None:
        self._part, self._sign = part, sign

    def act(self, observed: F32) -> I64:
        held = np.rint(observed[:, -3] * LEVELS).astype(np.int64)
        up = self._sign * observed[:, -5] > 0
        return towards(held, levels_of(self._part * up[np.newaxis].astype(np.float64))[0])


class Gambling:
    """Does anything."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(1)

    def act(self, observed: F32) -> I64:
        return random_actions(self._rng, len(observed))


def examination() -> Examination:
    """Every name has two seeds on one fold; seed 2 looks better where seeds are chosen."""
    found = lessons()
    market = found.market
    coming = np.zeros(market.close.shape)
    coming[:-1] = np.log(market.close[1:] / market.open_[1:])
    seen = np.concatenate((market.observed, coming[..., np.newaxis].astype(np.float32)), axis=2)
    market = replace(
        market, observed=seen, names=(*market.names, "coming"), move_frac=usual_moves(market.close)
    )
    found = Lessons(market, found.worlds, TradingCosts(0.0001, 0.0))
    room = Classroom(
        market=replace(market, worse=np.zeros_like(market.worse)),
        rules=found.rules(shorts=False, bars=64),
        folds=folds_of(found, 1),
        plan=TrainingPlan(),
        cloning=CloningPlan(),
        shown={},
    )
    minds: dict[str, Acting] = {
        GENERALIST: Clairvoyant(0.2),
        "aggressive": Clairvoyant(1.0),
        "balanced": Clairvoyant(0.2),
        "contrarian": Gambling(),
    }
    policies = {(name, seed, 0): mind for name, mind in minds.items() for seed in (1, 2)}
    policies["aggressive", 1, 0] = Clairvoyant(1.0, sign=-1)
    values = {key: float(key[1]) for key in policies}
    school = faculty(found, room.folds[0].train_end, shorts=False, only=("sma_cross",))
    return Examination(room, found, [school], policies, values, (1, 2))


def test_what_earns_is_supported_and_what_is_better_at_home_is_distinct() -> None:
    judged = {
        one.name: one for one in examination().judge((GENERALIST, "aggressive", "contrarian"), trials=7)
    }
    best = judged["aggressive"]
    assert best.evidence.is_supported
    assert best.evidence.trials == 7
    assert best.seeds_chosen == (2,)
    assert best.home is not None
    assert best.home.interval is not None
    assert best.home.interval.low > 0.0
    assert best.is_distinct
    assert min(best.disagreement.values()) >= DISAGREEMENT_MIN
    worst, right = best.sharpe_by_seed[1], best.sharpe_by_seed[2]
    assert worst is not None
    assert right is not None
    assert worst < 0 < right
    assert best.sharpe_worst == worst
    assert [one.name for one in best.against] == ["cash", "buy and hold", "rule", "rule by regime"]
    assert all(one.interval is not None and one.interval.low > 0 for one in best.against)
    gambler = judged["contrarian"]
    assert not gambler.evidence.is_supported
    assert not gambler.is_distinct
    assert gambler.evidence.total_return_frac is not None
    assert gambler.evidence.total_return_frac < 0


def test_one_policy_under_two_names_is_not_distinct() -> None:
    judged = {one.name: one for one in examination().judge((GENERALIST, "balanced"), trials=1)}
    assert judged["balanced"].disagreement == {GENERALIST: 0.0}
    assert not judged["balanced"].is_distinct
    days = judged["balanced"].returns_frac
    assert np.allclose(days, judged[GENERALIST].returns_frac)
    assert judged["balanced"].first_day * _DAY_NS % _DAY_NS == 0


def test_a_version_is_the_child_of_the_very_weights_that_it_began_with() -> None:
    """The best specialist may have begun with the generalist of a seed that was not kept."""
    exam = examination()
    (one,) = exam.judge(("aggressive",), trials=1)
    trial = Trial(specialist="aggressive", seed=2, fold=0)
    finished = Finished(
        trial=trial, value=0.0, steps=1, best_steps=1, sha256="a" * 64, is_stopped_early=False
    )

    def made(trunk: str, room: Classroom = exam.room) -> Manifest:
        kept = {"b" * 64: "rl-generalist@3"}
        return manifest_of(room, exam.lessons, "a market", one, finished, trunk, kept, at_ns=1)

    child, orphan = made("b" * 64), made("c" * 64)
    assert (child.parents, child.trainer["trunk_sha256"]) == (("rl-generalist@3",), "b" * 64)
    assert (orphan.parents, orphan.trainer["trunk_sha256"]) == ((), "c" * 64)
    shown = Shown(np.zeros((1, 1), np.float32), np.zeros((1, 2), np.int64), np.ones(1))
    cloned = made("b" * 64, replace(exam.room, shown={(0, "aggressive"): shown}))
    assert (cloned.parents, cloned.trainer["trunk_sha256"]) == ((), None)
    assert (cloned.trainer["is_cloned"], child.trainer["is_cloned"]) == (True, False)


def test_who_has_no_teacher_is_shown_nothing() -> None:
    """Everything rises and nobody reverts: there is nothing for a contrarian to copy."""
    exam = examination()
    school = exam.faculties[0]
    rising = replace(school, earned=np.ones_like(school.earned))
    assert set(_shown(exam.room, exam.lessons, [rising])) == {(0, GENERALIST)}


def test_bars_that_were_corrected_are_another_market() -> None:
    market = lessons().market
    corrected = market.close.copy()
    corrected[7, 0] *= 1.001
    assert _seen(replace(market, close=corrected)) != _seen(market) == _seen(replace(market))
