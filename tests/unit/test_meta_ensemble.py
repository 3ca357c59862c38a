from math import nan
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from tests.meta_words import a_snapshot, an_opinion
from tg_actors.domain.decisions import Targets
from tg_actors.meta.actor import MetaActor
from tg_actors.meta.ensemble import CombineRequest, EqualWeightEnsemble, MetaConfig, MetaSpec

AGENTS = ("a", "b", "c")
View = tuple[float, float]


def combine(views: dict[str, View], config: MetaConfig | None = None) -> Targets:
    """One instrument; a view is direction and confidence."""
    opinions = tuple(an_opinion(agent, [direction], [trust]) for agent, (direction, trust) in views.items())
    return EqualWeightEnsemble(AGENTS, config).combine(CombineRequest(a_snapshot(), opinions))


@pytest.mark.parametrize(
    ("views", "exposure", "confidence", "shares"),
    [
        # Full agreement in full confidence is full exposure, however many were heard.
        ({"a": (1, 1), "b": (1, 1), "c": (1, 1)}, 1, 1, (1 / 3, 1 / 3, 1 / 3)),
        ({"b": (-1, 1)}, -1, 1, (0, 1, 0)),
        # Means by hand.
        ({"a": (1, 0.8), "b": (0.5, 0.4)}, 0.5, 0.6, (0.8, 0.2, 0)),
        # Dissent lowers both and is credited nothing.
        ({"a": (1, 0.8), "b": (1, 0.7), "c": (-1, 0.6)}, 0.3, 0.5, (8 / 15, 7 / 15, 0)),
        # A tie is flat, in no confidence.
        ({"a": (1, 0.8), "b": (-1, 0.8)}, 0, 0, (0, 0, 0)),
        # An abstention is not a hold: it is missing from the mean.
        ({"a": (1, 0.8), "b": (nan, nan)}, 0.8, 0.8, (1, 0, 0)),
        # A hold is one.
        ({"a": (1, 0.8), "b": (0, 0.8)}, 0.4, 0.4, (1, 0, 0)),
        # Nobody has an opinion.
        ({"a": (nan, nan)}, nan, nan, (0, 0, 0)),
        ({}, nan, nan, (0, 0, 0)),
    ],
)
def test_combination_by_hand(
    views: dict[str, View], exposure: float, confidence: float, shares: tuple[float, ...]
) -> None:
    found = combine(views)
    assert found.exposure == pytest.approx([exposure], nan_ok=True)
    assert found.confidence == pytest.approx([confidence], nan_ok=True)
    assert found.shares == pytest.approx(np.array([shares]))


def test_weights_are_equal_over_the_agents_heard() -> None:
    assert combine({"a": (1, 1), "c": (nan, nan)}).weights == (0.5, 0, 0.5)
    assert combine({}).weights == (0, 0, 0)


def test_targets_are_of_this_cycle_and_name_the_regime() -> None:
    found = combine({"a": (1, 1)})
    assert (found.cycle, found.agents, found.regime) == (3, AGENTS, "unknown")
    assert found.regime_view is None, "a snapshot without a window"


@pytest.mark.parametrize(("quorum", "heard"), [(1, True), (2, True), (3, False)])
def test_fewer_voices_than_the_quorum_are_no_target(quorum: int, heard: bool) -> None:
    found = combine({"a": (1, 1), "b": (1, 1), "c": (nan, nan)}, MetaConfig(quorum=quorum))
    assert np.isfinite(found.exposure[0]) == heard
    assert np.isfinite(found.confidence[0]) == heard
    assert found.shares.sum() == (1 if heard else 0)


@pytest.mark.parametrize(("gain", "exposure"), [(0.5, 0.2), (2.0, 0.8), (5.0, 1.0)])
def test_gain_multiplies_up_to_full_exposure(gain: float, exposure: float) -> None:
    assert combine({"a": (1, 0.4)}, MetaConfig(exposure_gain=gain)).exposure == pytest.approx([exposure])


def test_opinion_of_a_stranger_is_a_bug() -> None:
    with pytest.raises(KeyError):
        combine({"stranger": (1, 1)})


@pytest.mark.parametrize("wrong", [{"quorum": 0}, {"exposure_gain": 0.0}, {"quora": 1}])
def test_config_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        MetaConfig(**wrong)


def test_shell_answers_like_the_ensemble() -> None:
    shell: Any = MetaActor(MetaSpec(agents=AGENTS, config=MetaConfig()))
    request = CombineRequest(a_snapshot(), (an_opinion("a", [1.0], [0.8]),))
    expected = EqualWeightEnsemble(AGENTS, MetaConfig()).combine(request)
    assert np.array_equal(expected.exposure, shell.combine(request).exposure)
    assert repr(shell) == "MetaActor"
