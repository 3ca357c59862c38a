"""Laws of the liquidity agent: mirrored markets, other units, other neighbours, other futures, dirty bars."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.liquidity_words import BARS, a_depth, opine, upside_down, walk
from tg_actors.domain.blocks import Opinions
from tg_actors.institutional.liquidity import BAR_EVIDENCE

seeds = st.integers(0, 2**32 - 1)


def equal(one: Opinions, other: Opinions) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=True)
        for a, b in (
            (one.direction, other.direction),
            (one.confidence, other.confidence),
            (one.evidence, other.evidence),
        )
    )


@given(seed=seeds)
@settings(max_examples=30)
def test_a_market_upside_down_is_heard_upside_down(seed: int) -> None:
    ohlcv = walk(3, seed)
    k = len(BAR_EVIDENCE)
    np.testing.assert_allclose(
        opine(upside_down(ohlcv)).evidence[:, :k], -opine(ohlcv).evidence[:, :k], atol=1e-9
    )


@given(seed=seeds, price=st.sampled_from([0.25, 1024.0]), volume=st.sampled_from([0.5, 4096.0]))
@settings(max_examples=30)
def test_units_do_not_matter(seed: int, price: float, volume: float) -> None:
    """Powers of two change no digit."""
    ohlcv = walk(3, seed)
    assert equal(opine(ohlcv), opine(ohlcv * np.array([price] * 4 + [volume])))


@given(seed=seeds)
@settings(max_examples=30)
def test_an_instrument_is_judged_for_itself(seed: int) -> None:
    both = np.concatenate((walk(1, seed), walk(1, seed + 1)), axis=1)
    together, alone = opine(both, a_depth(2, ofi_base=0.2)), opine(both[:, :1], a_depth(1, ofi_base=0.2))
    # numpy adds a single column up in another order: the last digit may differ.
    np.testing.assert_allclose(together.direction[:1], alone.direction, rtol=1e-9)
    np.testing.assert_allclose(together.evidence[:1], alone.evidence, rtol=1e-9, atol=1e-12)


@given(seed=seeds, data=st.data())
@settings(max_examples=40)
def test_missing_bars_never_make_it_incoherent(seed: int, data: st.DataObject) -> None:
    """`opine` checks coherence; what is missing is silence or fewer bars, never an opinion out of bounds."""
    ohlcv = walk(3, seed)
    rng = np.random.default_rng(seed)
    ohlcv[rng.random((BARS, 3)) < data.draw(st.floats(0.0, 1.0))] = np.nan
    opinions = opine(ohlcv, a_depth(3) if data.draw(st.booleans()) else None)
    heard = opinions.evidence[~np.isnan(opinions.direction)]
    assert np.isfinite(heard[:, : len(BAR_EVIDENCE)]).all()


@given(seed=seeds)
@settings(max_examples=20)
def test_more_of_the_past_than_it_asks_for_changes_nothing(seed: int) -> None:
    """Stateless: a desk that gives it a longer window, for another agent's sake, hears the same."""
    ohlcv = walk(2, seed, bars=BARS + 60)
    assert equal(opine(ohlcv), opine(ohlcv[-BARS:]))
