from math import nan

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.meta_words import a_snapshot, an_opinion
from tg_actors.domain.blocks import Opinions
from tg_actors.domain.decisions import Targets
from tg_actors.meta.ensemble import CombineRequest, EqualWeightEnsemble, MetaConfig

AGENTS = ("a", "b", "c", "d")
N = 3
directions = st.one_of(st.just(nan), st.floats(-1, 1))
opinions = st.sets(st.sampled_from(AGENTS)).flatmap(
    lambda heard: st.tuples(
        *[
            st.builds(
                an_opinion,
                st.just(agent),
                st.lists(directions, min_size=N, max_size=N),
                st.lists(st.floats(0, 1), min_size=N, max_size=N),
            )
            for agent in sorted(heard)
        ]
    )
)
configs = st.builds(MetaConfig, quorum=st.integers(1, 4), exposure_gain=st.floats(0.1, 5))


def combine(said: tuple[Opinions, ...], config: MetaConfig) -> Targets:
    return EqualWeightEnsemble(AGENTS, config).combine(CombineRequest(a_snapshot(n=N), said))


@given(said=opinions, config=configs)
def test_targets_are_sound(said: tuple[Opinions, ...], config: MetaConfig) -> None:
    found = combine(said, config)
    speakers = sum((~np.isnan(o.direction) for o in said), np.zeros(N, dtype=np.int64))
    silent = speakers < config.quorum
    assert np.array_equal(np.isnan(found.exposure), silent)
    assert np.array_equal(np.isnan(found.confidence), silent)
    assert (np.abs(found.exposure[~silent]) <= 1).all()
    # Rounding of a mean.
    assert ((found.confidence[~silent] >= 0) & (found.confidence[~silent] <= 1 + 1e-12)).all()
    assert (found.shares >= 0).all()
    total = found.shares.sum(axis=1)
    assert np.allclose(total[total > 0], 1, rtol=1e-12)
    assert abs(sum(found.weights) - bool(said)) < 1e-12


@given(said=opinions, config=configs)
def test_agrees_with_a_plain_loop(said: tuple[Opinions, ...], config: MetaConfig) -> None:
    found = combine(said, config)
    for i in range(N):
        views = [(o.direction[i], o.confidence[i]) for o in said if not np.isnan(o.direction[i])]
        if len(views) < config.quorum:
            continue
        mean = sum(d * c for d, c in views) / len(views)
        assert np.isclose(found.exposure[i], max(-1, min(1, config.exposure_gain * mean)), atol=1e-12)
        if abs(mean) > 1e-9:
            aligned = [c for d, c in views if d * c * mean > 0]
            assert np.isclose(found.confidence[i], sum(aligned) / len(views), atol=1e-12)


@given(said=opinions, config=configs)
def test_order_of_arrival_does_not_matter_to_the_last_bit(
    said: tuple[Opinions, ...], config: MetaConfig
) -> None:
    one, other = combine(said, config), combine(said[::-1], config)
    for name in ("exposure", "confidence", "shares"):
        assert getattr(one, name).tobytes() == getattr(other, name).tobytes()


@given(said=opinions, config=configs)
def test_opposite_opinions_make_the_opposite_target(said: tuple[Opinions, ...], config: MetaConfig) -> None:
    mirrored = tuple(an_opinion(o.agent, (-o.direction).tolist(), o.confidence.tolist()) for o in said)
    one, other = combine(said, config), combine(mirrored, config)
    assert np.array_equal(one.exposure, -other.exposure, equal_nan=True)
    assert np.array_equal(one.confidence, other.confidence, equal_nan=True)
    assert np.array_equal(one.shares, other.shares)


@given(said=opinions, config=configs)
def test_agent_that_abstains_everywhere_changes_only_the_weights(
    said: tuple[Opinions, ...], config: MetaConfig
) -> None:
    others = tuple(o for o in said if o.agent != "d")
    silent = an_opinion("d", [nan] * N, [nan] * N)
    one, other = combine(others, config), combine((*others, silent), config)
    assert np.allclose(one.exposure, other.exposure, equal_nan=True, atol=1e-12)
    assert np.allclose(one.shares, other.shares, atol=1e-12)
