"""Agents are traded in thought, and those that earn get the weight."""

from dataclasses import replace
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter

from tests.meta_words import a_snapshot, an_opinion
from tg_actors.domain.blocks import F64, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Targets
from tg_actors.meta.actor import MetaActor
from tg_actors.meta.bandits.specs import LeaderSpec
from tg_actors.meta.ensemble import CombineRequest, EqualWeightEnsemble, MetaConfig, MetaSpec
from tg_actors.meta.learned import Learned, blank, recalled
from tg_actors.meta.learning import LearningEnsemble, Remembering, open_ensemble
from tg_actors.meta.policies import EqualWeightPolicy, LearningPolicy, Policy, SelectionPolicy, WeightsPolicy

AGENTS = ("bull", "bear", "mute")
POLICIES: TypeAdapter[Policy] = TypeAdapter(Policy)
WARM = {"mean_bps": 1.0, "deviation_bps": 5.0, "pulls": 20}
LEADER = LeaderSpec(discount=1.0, prior=1.0)


def policy(kind: str = "selection", **said: Any) -> Any:
    return POLICIES.validate_python({"kind": kind, "algorithm": {"kind": "leader", "discount": 0.9}, **said})


def market(cycle: int, price: float) -> MarketSnapshot:
    return replace(a_snapshot(), cycle=cycle, bid=np.array([price]), ask=np.array([price]))


def says(agent: str, direction: float) -> Opinions:
    return an_opinion(agent, [direction], [nan if isnan(direction) else 1.0])


SPEAKING = (says("bull", 1.0), says("bear", -1.0), says("mute", nan))


def played(
    chosen: LearningPolicy, prices: list[float], said: tuple[Opinions, ...] = SPEAKING
) -> list[Targets]:
    meta = Remembering(open_ensemble(AGENTS, MetaConfig(policy=chosen)))
    requests = (CombineRequest(market(k, p), said, cycle_id=f"{k:x}") for k, p in enumerate(prices))
    return [meta.combine(request) for request in requests]


def _memory(targets: Targets) -> F64:
    assert targets.memory is not None
    return targets.memory


def _bytes(targets: Targets) -> bytes:
    return _memory(targets).tobytes()


def learned(chosen: LearningPolicy, targets: Targets) -> Learned:
    found = blank(AGENTS, 1, chosen)
    assert targets.memory is not None
    found.unpack(targets.memory)
    return found


def test_every_agent_is_paid_for_what_it_held_less_its_costs() -> None:
    chosen = policy(shadow={"cost_bps": 10.0, "rule": {"confidence_frac_min": 0.0, "band_frac": 0.1}})
    books = learned(chosen, played(chosen, [100.0, 110.0, 99.0])[-1])
    # It bought once for 10 bps; then +10 %, then -10 %. Without shorts a bear holds nothing.
    assert books.earned_frac[:3] == pytest.approx([0.1 - 0.1 - 0.001, 0.0, 0.0])
    assert books.cycles.tolist() == [2]
    assert books.earned_by_regime.sum(axis=0) == pytest.approx(books.earned_frac)
    assert books.regime_cycles.sum() == pytest.approx(2)
    assert books.watched.tolist() == [1, 1, 0], "who says nothing and holds nothing is not judged"
    assert books.bandit.pulls(books.context).tolist() == pytest.approx([1.9, 1.9, 0])


def test_a_short_is_paid_where_shorts_are_allowed() -> None:
    rule = {"confidence_frac_min": 0.0, "band_frac": 0.1, "allow_short": True}
    chosen = policy(shadow={"cost_bps": 0.0, "rule": rule})
    books = learned(chosen, played(chosen, [100.0, 90.0])[-1])
    assert books.earned_frac[:3] == pytest.approx([-0.1, 0.1, 0.0])


def test_a_missing_price_pays_nothing_and_the_next_pays_it_all() -> None:
    chosen = policy(shadow={"cost_bps": 0.0})
    all_targets = played(chosen, [100.0, nan, 120.0])
    assert learned(chosen, all_targets[1]).earned_frac[0] == 0
    assert learned(chosen, all_targets[2]).earned_frac[0] == pytest.approx(0.2)


def test_selection_follows_who_earns_and_the_weights_lean_to_it() -> None:
    rising, falling = [100.0 * 1.004**k for k in range(40)], [100.0 * 0.996**k for k in range(40)]
    for prices, arm in ((rising, 0), (falling, 1)):
        assert played(policy(), prices)[-1].weights == tuple(float(k == arm) for k in range(3))
        weights = played(policy("weights"), prices)[-1].weights
        assert weights[arm] > 0.6
        assert weights[2] == 0, "who is silent has no weight"
        assert sum(weights) == pytest.approx(1)
    level = played(policy("weights", sharpness=0.0), rising)[-1]
    assert level.weights == (0.5, 0.5, 0.0)


def test_the_chosen_arm_alone_makes_the_target() -> None:
    targets = played(policy(), [100.0 * 1.004**k for k in range(40)])[-1]
    assert targets.exposure.tolist() == [1.0]
    assert targets.shares.tolist() == [[1.0, 0.0, 0.0]]


def test_a_disabled_arm_is_judged_but_has_no_weight() -> None:
    chosen = policy(disabled=("bull",))
    targets = played(chosen, [100.0 * 1.004**k for k in range(40)])
    assert {one.weights for one in targets} == {(0.0, 1.0, 0.0)}
    assert learned(chosen, targets[-1]).earned_frac[0] > 0.1


def test_whom_the_desk_file_disables_does_not_make_up_a_quorum_as_whom_a_person_disables() -> None:
    request = CombineRequest(market(0, 100.0), SPEAKING, cycle_id="0")
    for by_file, by_person in ((("bear",), {}), ((), {"bear": False})):
        config = MetaConfig(quorum=2, policy=policy("weights", disabled=by_file))
        targets = open_ensemble(AGENTS, config).combine(replace(request, switched=by_person))
        assert np.isnan(targets.exposure).all()
    both = MetaConfig(quorum=2, policy=policy("weights", disabled=("bear",)))
    back = open_ensemble(AGENTS, both).combine(replace(request, switched={"bear": True}))
    assert np.isfinite(back.exposure).all()


def test_nobody_to_choose_is_no_target() -> None:
    targets = played(policy(disabled=AGENTS), [100.0, 101.0])[-1]
    assert targets.weights == (0.0, 0.0, 0.0)
    assert np.isnan(targets.exposure).all()


@pytest.mark.parametrize("kind", ["weights", "selection"])
def test_who_is_not_expected_to_earn_does_not_count_and_without_anybody_nothing_is_held(kind: str) -> None:
    chosen = policy(kind, trust_errors_min=1.0, shadow={"cost_bps": 0.0})
    rising = played(chosen, [100.0 * 1.004**k * (1.0 + 0.001 * (k % 2)) for k in range(60)])
    assert rising[0].weights == (0.0, 0.0, 0.0), "nobody is trusted before there is evidence"
    assert rising[0].exposure.tolist() == rising[0].confidence.tolist() == [0.0]
    assert rising[-1].weights == (1.0, 0.0, 0.0), "the bear holds nothing and earns nothing"
    assert rising[-1].exposure.tolist() == [1.0]
    falling = played(chosen, [100.0 * 0.996**k for k in range(60)])
    assert {one.weights for one in falling} == {(0.0, 0.0, 0.0)}
    assert learned(chosen, falling[-1]).earned_frac[3] == 0, "the ensemble stood aside"
    silent = played(chosen, [100.0, 101.0], said=(says("mute", nan),))
    assert np.isnan(silent[-1].exposure).all(), "nobody speaks: positions stay as they are"
    assert "trust_errors_min" not in policy(kind).model_dump()


def test_a_costly_arm_teaches_only_where_it_was_asked() -> None:
    prices = [100.0 * 1.004**k for k in range(30)]
    free, costly = policy(), policy(costly=("bear",))
    pulls = [learned(one, played(one, prices)[-1]).bandit.pulls(np.full(5, 0.2))[1] for one in (free, costly)]
    assert pulls[1] < pulls[0] / 3


def test_those_whom_the_stage_does_not_let_count_are_learnt_from() -> None:
    meta = Remembering(open_ensemble(AGENTS, MetaConfig(policy=policy())))
    bull, bear, _ = SPEAKING
    requests = [CombineRequest(market(k, 100.0 * 1.004**k), (bear,), (bull,)) for k in range(20)]
    targets = [meta.combine(request) for request in requests]
    assert {one.weights for one in targets} == {(0.0, 1.0, 0.0)}
    assert learned(policy(), targets[-1]).earned_frac[0] > 0.05


def test_a_warm_start_decides_the_first_cycle() -> None:
    warm = {"bear": {"mean_bps": 20.0, "deviation_bps": 5.0, "pulls": 50}}
    assert played(policy(warm=warm), [100.0])[0].weights == (0.0, 1.0, 0.0)
    assert played(policy(), [100.0])[0].weights == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "algorithm",
    [
        "ucb1",
        "ucb_tuned",
        "discounted_ucb",
        "sliding_window_ucb",
        "gaussian_thompson",
        "beta_thompson",
        "exp3",
        "linucb",
        "per_regime",
        "leader",
    ],
)
@pytest.mark.parametrize("kind", ["selection", "weights"])
def test_a_process_that_was_handed_the_memory_decides_alike(kind: str, algorithm: str) -> None:
    chosen = POLICIES.validate_python({"kind": kind, "algorithm": {"kind": algorithm}})
    assert isinstance(chosen, SelectionPolicy | WeightsPolicy)
    drawn = np.random.default_rng(1)
    prices = (100.0 * np.cumprod(1.0 + 0.01 * drawn.standard_normal(60))).tolist()
    immortal = played(chosen, prices)
    memory: F64 | None = None
    for k, price in enumerate(prices):
        newborn = LearningEnsemble(AGENTS, MetaConfig(policy=chosen), chosen)
        targets = newborn.combine(
            CombineRequest(market(k, price), SPEAKING, memory=memory, cycle_id=f"{k:x}")
        )
        memory = targets.memory
        assert targets.weights == immortal[k].weights
        assert _bytes(targets) == _bytes(immortal[k])


def test_the_memory_of_another_desk_is_refused() -> None:
    meta = open_ensemble(AGENTS, MetaConfig(policy=policy()))
    with pytest.raises(ValueError, match="other arms, instruments or algorithm"):
        meta.combine(CombineRequest(market(0, 100.0), SPEAKING, memory=np.zeros(3)))


def test_a_changed_crew_keeps_what_its_arms_have_earned() -> None:
    chosen = policy("weights", shadow={"cost_bps": 0.0}, warm={"new": WARM})
    before = played(chosen, [100.0 * 1.004**k for k in range(40)])[-1]
    old = learned(chosen, before)
    meta = Remembering(open_ensemble(("new", "bull"), MetaConfig(policy=chosen)))
    meta.recall(before.memory, before.agents)
    said = (says("new", -1.0), says("bull", 1.0))
    price = 100.0 * 1.004**40
    targets = meta.combine(CombineRequest(market(40, price), said, cycle_id="28"))
    books = recalled(_memory(targets), ("new", "bull"), ("new", "bull"), 1, chosen)
    assert books.cycles == old.cycles + 1
    assert books.earned_frac[1] == pytest.approx(old.earned_frac[0] + 0.004), "the bull still held"
    assert books.earned_frac[2] > old.earned_frac[3], "and so did the ensemble"
    assert books.earned_frac[0] == 0.0
    bull = books.bandit.pulls(books.context)[1]
    assert bull == pytest.approx(old.bandit.pulls(old.context)[0] * 0.9 + 1)
    assert 0 < books.bandit.pulls(books.context)[0] < WARM["pulls"], "the new one began warm"
    with pytest.raises(ValueError, match="other arms, instruments or algorithm"):
        recalled(_memory(targets), AGENTS, ("new", "bull"), 1, chosen)


def test_equal_weights_learn_nothing_and_are_not_written() -> None:
    assert isinstance(open_ensemble(AGENTS, MetaConfig()), EqualWeightEnsemble)
    assert "policy" not in MetaConfig().model_dump()
    written = MetaConfig(policy=policy("weights")).model_dump_json()
    assert MetaConfig.model_validate_json(written).policy == policy("weights")
    assert not EqualWeightPolicy().learns


def test_shell_answers_like_the_core() -> None:
    config = MetaConfig(policy=policy("weights"))
    shell: Any = MetaActor(MetaSpec(agents=AGENTS, config=config))
    request = CombineRequest(market(0, 100.0), SPEAKING)
    assert _bytes(shell.combine(request)) == _bytes(open_ensemble(AGENTS, config).combine(request))
