"""The correlation agent: each condition speaks where it should, and only from what it may know."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.correlation_words import BEGIN_DAY, DAYS, HOUR_NS, a_snapshot, on_sessions, walks, window
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.institutional.correlation import CorrelationAgent
from tg_actors.institutional.correlation_spec import CorrelationSpec
from tg_actors.institutional.correlation_view import CONDITIONS, study

SYMBOLS = ("ETH/USDT", "BTC/USDT", "XRP/USDT", "GOLD/USDT")
#: BTC and two that follow it, and one that does not.
LOADINGS = [[0.85], [0.95], [0.85], [0.0]]


def spec(only: str = "", **changes: object) -> CorrelationSpec:
    """A spec in which one condition counts, or all."""
    weights = {name: float(not only or name == only) for name in CONDITIONS}
    return CorrelationSpec.model_validate(
        {"name": "correlation", "horizon_bars": 24, "conditions": weights, **changes}
    )


def moved(closes: F64, columns: list[int], frac: float, days: int = 5) -> F64:
    """The same with an extra move over the last days."""
    factor = np.ones(len(closes))
    factor[-days - 1 :] = (1.0 + frac) ** (np.arange(days + 1) / days)
    bent = closes.copy()
    bent[:, columns] *= factor[:, np.newaxis]
    return bent


def opine(closes: F64, only: str = "", references: F64 | None = None, **changes: object) -> Opinions:
    agent = CorrelationAgent(spec(only, **changes), SYMBOLS, HOUR_NS)
    agent.recall(None)
    watched = None if references is None else window(references, ("SPY",))
    return agent.opine(a_snapshot(SYMBOLS, closes[-1], days=window(closes, SYMBOLS), references=watched))


def evidence(opinions: Opinions, name: str) -> F64:
    return opinions.evidence[:, opinions.evidence_names.index(name)]


STILL = walks(LOADINGS, days=DAYS)


def test_those_who_move_with_a_falling_leader_are_left() -> None:
    fallen = opine(moved(STILL, [0, 1, 2], -0.3), "leader")
    assert fallen.incoherence(4) is None
    assert (fallen.direction[:3] < -0.3).all()
    assert fallen.abstained[3] is Abstention.NO_CONVICTION
    risen = opine(moved(STILL, [0, 1, 2], 0.3), "leader")
    assert risen.abstained == (Abstention.NO_CONVICTION,) * 4
    assert (evidence(risen, "leader") == 0).all()


def test_the_nearer_to_the_leader_the_more_it_says() -> None:
    closes = moved(walks([[0.5], [0.95], [0.9], [0.0]]), [0, 1, 2], -0.2)
    score = evidence(opine(closes, "leader"), "leader")
    assert score[1] < score[2] < score[0] < score[3] + 1e-9


def test_without_the_named_leader_it_is_who_correlates_most() -> None:
    with_btc = study(moved(STILL, [1], -0.3), SYMBOLS, spec("leader"))
    other = study(moved(STILL, [1], -0.3), ("ETH/USDT", "X/USDT", "XRP/USDT", "GOLD/USDT"), spec("leader"))
    np.testing.assert_array_equal(with_btc.scores, other.scores)


def test_stress_is_a_fall_in_which_everything_becomes_one() -> None:
    closes = walks([[0.3], [0.3], [0.3], [0.3]])
    rng = np.random.default_rng(3)
    panic = np.cumsum(rng.normal(-0.02, 0.05, 25))[:, np.newaxis]
    one = closes.copy()
    one[-25:] *= np.exp(panic)
    stress = evidence(opine(moved(one, [0, 1, 2, 3], -0.3), "stress"), "stress")
    assert (stress < -0.4).all()
    # The same fall where all were one before is less, and the panic without a fall is none.
    always = walks([[0.97]] * 4)
    assert (evidence(opine(moved(always, [0, 1, 2, 3], -0.3), "stress"), "stress") > stress * 0.7).all()
    assert (evidence(opine(moved(one, [0, 1, 2, 3], 1.5), "stress"), "stress") == 0).all()


def test_an_index_that_falls_is_felt_by_those_who_follow_it() -> None:
    joint = walks([*[[0.8]] * 3, [0.0], [0.9]])
    coins, index = joint[:, :4], on_sessions(joint[:, 4:])
    fallen = opine(coins, "references", moved(index, [0], -0.15))
    assert (evidence(fallen, "references")[:3] < -0.2).all()
    assert evidence(fallen, "references")[3] > -0.15
    assert (evidence(fallen, "references_known") == 1).all()
    risen = opine(coins, "references", moved(index, [0], 0.15))
    assert (evidence(risen, "references")[:3] == 0).all()


def test_coins_alone_are_enough_and_the_evidence_says_so() -> None:
    alone = opine(moved(STILL, [0, 1, 2], -0.3))
    assert (evidence(alone, "references_known") == 0).all()
    assert (evidence(alone, "references") == 0).all()
    assert (alone.direction[:3] < 0).all()
    # An index of which nothing is known yet changes nothing.
    blank = opine(moved(STILL, [0, 1, 2], -0.3), references=np.full((DAYS, 1), np.nan))
    np.testing.assert_array_equal(alone.direction, blank.direction)
    np.testing.assert_array_equal(alone.evidence, blank.evidence)


def test_who_goes_its_own_way_is_favoured_while_it_does_not_fall() -> None:
    rising = opine(moved(STILL, [3], 0.15), "diversifier")
    assert np.flatnonzero(rising.direction > 0).tolist() == [3]
    falling = opine(moved(STILL, [3], -0.15), "diversifier")
    assert evidence(falling, "diversifier")[3] < evidence(rising, "diversifier")[3] / 2


def test_a_follower_follows_through() -> None:
    rng = np.random.default_rng(4)
    x = rng.standard_normal((DAYS, 4)) * 0.03
    x[1:, 2] = 0.9 * x[:-1, 1] + 0.4 * x[1:, 2]
    x[-1, 1] = 0.12  # four standard deviations up, yesterday; XRP has not moved yet
    up = opine(100 * np.exp(np.cumsum(x, axis=0)), "lead_lag")
    assert np.flatnonzero(np.isfinite(up.direction)).tolist() == [2]
    assert up.direction[2] > 0.5
    x[-1, 1] = -0.12
    assert opine(100 * np.exp(np.cumsum(x, axis=0)), "lead_lag").direction[2] < -0.5


def test_weights_of_the_allocator_stand_in_the_evidence() -> None:
    for target in ("equal", "inverse_volatility", "erc", "hrp"):
        weights = evidence(opine(STILL, target=target, target_cap_frac=0.5), "target_weight")
        assert weights.sum() == pytest.approx(1.0)
        assert (weights > 0).all()
        assert weights[3] == max(weights)
    assert max(evidence(opine(STILL, target_cap_frac=0.3), "target_weight")) == pytest.approx(0.3)


def test_it_says_once_that_it_has_no_opinion_any_more() -> None:
    closes = moved(STILL, [0, 1, 2], -0.3)
    # One day later the leader has jumped back up.
    back = np.vstack((closes[1:], closes[-1] * np.array([1.45, 1.45, 1.45, 1.0])))
    dropped = opine(back, "leader")
    assert dropped.direction[:3].tolist() == [0.0, 0.0, 0.0]
    assert dropped.confidence[:3].tolist() == [1.0, 1.0, 1.0]
    assert dropped.abstained[3] is Abstention.NO_CONVICTION
    again = np.vstack((back[1:], back[-1]))
    assert opine(again, "leader").abstained == (Abstention.NO_CONVICTION,) * 4


def a_view(closes: F64, cycle: int, stale: tuple[str, ...] = ()) -> MarketSnapshot:
    return a_snapshot(SYMBOLS, closes[-1], cycle=cycle, days=window(closes, SYMBOLS), stale=stale)


def test_reasons_to_be_silent() -> None:
    agent = CorrelationAgent(spec(), SYMBOLS, HOUR_NS)
    nothing = agent.opine(a_snapshot(SYMBOLS, [1.0] * 4))
    assert nothing.abstained == (Abstention.NO_SOURCE,) * 4
    assert nothing.incoherence(4) is None
    fallen = moved(STILL, [0, 1, 2], -0.3)
    fallen[:-40, 0] = np.nan
    said = agent.opine(a_view(fallen, 1, stale=(SYMBOLS[2],)))
    assert said.abstained[0] is Abstention.WARMING_UP
    assert said.abstained[1] is None
    assert said.abstained[2] is Abstention.STALE_MARKET
    assert said.incoherence(4) is None
    assert agent.opine(a_view(fallen[-20:], 2)).abstained == (Abstention.WARMING_UP,) * 4


def test_an_opinion_is_a_function_of_the_snapshot_whatever_was_asked_before() -> None:
    fallen, other = moved(STILL, [0, 1, 2], -0.3), moved(STILL, [0, 1, 2], 0.3)
    agent = CorrelationAgent(spec(), SYMBOLS, HOUR_NS)
    agent.opine(a_view(other, 7))  # the same day of another past
    later, blank = agent.opine(a_view(fallen, 8)), CorrelationAgent(spec(), SYMBOLS, HOUR_NS)
    fresh = blank.opine(a_view(fallen, 8))
    np.testing.assert_array_equal(later.direction, fresh.direction)
    np.testing.assert_array_equal(later.evidence, fresh.evidence)
    assert later.memory.shape == (4, 0)


def test_references_that_end_a_day_earlier_stand_in_their_own_rows() -> None:
    joint = walks([*[[0.8]] * 3, [0.0], [0.9]])
    coins, index = joint[:, :4], moved(on_sessions(joint[:, 4:]), [0], -0.15)
    agent = CorrelationAgent(spec("references"), SYMBOLS, HOUR_NS)
    day = window(coins, SYMBOLS)
    late = window(index[:-1], ("SPY",), BEGIN_DAY + DAYS - 1)
    unknown = index.copy()
    unknown[-1] = np.nan
    said = [
        agent.opine(a_snapshot(SYMBOLS, coins[-1], days=day, references=references))
        for references in (late, window(unknown, ("SPY",)))
    ]
    np.testing.assert_array_equal(said[0].evidence, said[1].evidence)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"conditions": dict.fromkeys(CONDITIONS, 0.0)}, "at least one condition"),
        ({"lags_days": (0,)}, "from 1 on"),
        ({"lags_days": (1, 1)}, "each once"),
        ({"leaders": "BTC"}, "Extra inputs"),
    ],
)
def test_a_wrong_file_is_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        spec(**wrong)  # type: ignore[arg-type]  # deliberately not what it takes


def test_it_asks_for_the_longest_window_and_a_day_more() -> None:
    needs = spec(references=("SPY",)).needs()
    assert (needs.days, needs.references) == (92, ("SPY",))
