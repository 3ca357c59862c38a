"""The refit of the regimes: its sums against all paths, what it finds, and that it sees the past alone."""

from itertools import product
from math import log, nan

import numpy as np
import pytest

from tests.regime_words import HOUR_NS, asked, market, noise, views
from tg_actors.domain.blocks import F64
from tg_actors.meta.regime_chain import Chain
from tg_actors.meta.regime_refit import densities, refit, smoothed
from tg_actors.meta.regime_shapes import DOWN, RANGE, SHAPES, UP, WILD
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter

CONFIG = RegimeConfig(window_bars=64, refit_bars=256)
FIXED = CONFIG.model_copy(update={"refit_bars": None})
#: 300 calm bars, a wild market, a trend.
MOVES = np.concatenate((noise(300, 0.004), noise(80, 0.012), noise(80, 0.004, drift=0.4)))


def drawn(bars: int, vol: float, drift: float = 0.0) -> F64:
    """Moves over the usual one."""
    return vol * (np.random.default_rng(3).standard_normal(bars) + drift)


def likelihood(chain: Chain, moves: F64) -> float:
    total = 0.0
    p = chain.start
    for how_well in densities(chain, moves):
        p = np.einsum("st,sl,lm->tm", chain.stays, p, chain.levels) * how_well
        total += log(p.sum())
        p = p / p.sum()
    return total


def test_smoothing_is_the_sum_over_all_paths() -> None:
    moves = np.array([0.4, -2.5, nan])
    chain = Chain(HOUR_NS, SHAPES)
    seen, said = smoothed(chain, moves), densities(chain, moves)
    states = list(np.ndindex(chain.start.shape))
    before = np.einsum("st,sl,lm->tm", chain.stays, chain.start, chain.levels)
    chances, stayed, total = np.zeros(said.shape), np.zeros(len(SHAPES)), 0.0
    step = {(i, j): chain.stays[i[0], j[0]] * chain.levels[i[1], j[1]] for i, j in product(states, states)}
    for a, b in product(states, states):
        pair = before[a] * said[0][a] * step[a, b] * said[1][b]
        onward = np.array([step[b, c] * said[2][c] for c in states])
        weight = pair * onward.sum()
        total += weight
        chances[0][a] += weight
        chances[1][b] += weight
        stayed[a[0]] += weight * (a[0] == b[0])
        for c, each in zip(states, pair * onward, strict=True):
            chances[2][c] += each
            stayed[b[0]] += each * (b[0] == c[0])
    assert seen.chances == pytest.approx(chances / total, abs=1e-12)
    assert seen.stayed == pytest.approx(stayed / total, abs=1e-12)


def test_without_anything_known_the_shapes_stay_what_was_believed() -> None:
    for one, other in zip(refit(SHAPES, np.full(300, nan), HOUR_NS), SHAPES, strict=True):
        believed = (other.vol, other.drift, other.duration_h)
        assert (one.vol, one.drift, one.duration_h) == pytest.approx(believed)


def test_a_calmer_market_narrows_the_shapes_and_explains_itself_better() -> None:
    calm = drawn(2_000, 0.45)
    fitted = refit(SHAPES, calm, HOUR_NS)
    assert fitted[RANGE].vol < SHAPES[RANGE].vol
    assert fitted[WILD].vol == pytest.approx(SHAPES[WILD].vol, rel=0.1), "it did not occur"
    assert likelihood(Chain(HOUR_NS, fitted), calm) > likelihood(Chain(HOUR_NS, SHAPES), calm)


def test_a_stronger_trend_is_found_and_signs_never_turn() -> None:
    fitted = refit(SHAPES, drawn(2_000, 0.8, drift=0.3), HOUR_NS)
    assert fitted[UP].drift > 2 * SHAPES[UP].drift
    assert fitted[UP].duration_h > SHAPES[UP].duration_h, "it never ended"
    for seed_drift in (-0.5, 0.5):
        fitted = refit(SHAPES, drawn(500, 0.9, drift=seed_drift), HOUR_NS)
        assert fitted[UP].drift >= 0 >= fitted[DOWN].drift
        assert fitted[RANGE].drift == fitted[WILD].drift == 0


def test_equal_bars_give_equal_bits() -> None:
    assert refit(SHAPES, drawn(300, 1.2), HOUR_NS) == refit(SHAPES, drawn(300, 1.2), HOUR_NS)


def test_a_filter_that_goes_on_says_what_a_new_one_says_and_what_it_was_fitted_to_matters() -> None:
    closes = market(MOVES)
    closes[200] = np.nan
    said = views(closes, CONFIG)
    for at in range(250, len(closes), 7):
        assert RegimeFilter(CONFIG).view(asked(closes, at, CONFIG)) == said[at], f"bar {at}"
    assert said != views(closes, FIXED)
    assert said[:100] == views(closes, FIXED)[:100], "before there is a past nothing is fitted"


def test_a_refit_knows_nothing_of_later_bars() -> None:
    closes = market(MOVES)
    for split in (320, 385):
        other = np.concatenate((closes[:split], 3.0 * closes[split:]))
        assert views(closes, CONFIG)[:split] == views(other, CONFIG)[:split]


def test_the_window_holds_the_bars_of_the_fit() -> None:
    assert CONFIG.needs().window_bars == 2 * 64 + 256
    assert "refit_bars" not in FIXED.model_dump()
    assert RegimeConfig.model_validate_json(CONFIG.model_dump_json()) == CONFIG
