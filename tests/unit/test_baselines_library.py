"""A thousand strategies: each with its own name, its own behaviour, and no knowledge of the future."""

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from tests.baseline_words import HOUR_NS, noise
from tg_actors.backtest.baselines.library import FAMILIES, library
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.domain.errors import UserError

LIBRARY = library(HOUR_NS)


def test_more_than_a_thousand_strategies_have_names_of_their_own() -> None:
    names = [baseline.name for baseline in LIBRARY]
    assert len(set(names)) == len(names) >= 1_000
    assert "sma_cross(24,120,long)" in names


def test_more_than_a_thousand_behave_differently_on_one_market() -> None:
    studies = Studies(noise(3_000, 12))
    prints = {hashlib.sha256(np.ascontiguousarray(b.targets(studies)).tobytes()).digest() for b in LIBRARY}
    assert len(prints) >= 1_000


def test_targets_are_fractions_of_equity_for_every_bar_of_every_instrument() -> None:
    bars = noise(900, 4, holes=0.05)
    studies = Studies(bars)
    for baseline in LIBRARY:
        targets = baseline.targets(studies)
        assert targets.shape == bars.close.shape, baseline.name
        assert not (np.abs(targets) > 1.0).any(), baseline.name
        assert not np.nan_to_num(targets[:150, 0]).any(), f"{baseline.name} held what was not listed yet"


def test_only_one_instrument_is_a_market_too() -> None:
    bars = noise(900, 1)
    studies = Studies(bars)
    assert all(b.targets(studies).shape == (900, 1) for b in LIBRARY)


@pytest.mark.parametrize("change", ["cut", "multiplied", "missing"])
def test_no_strategy_knows_the_future(change: str) -> None:
    bars = noise(2_400, 5, holes=0.01)
    known = 1_900
    whole, other = Studies(bars), Studies(CHANGES[change](bars, known))
    late = [
        baseline.name
        for baseline in LIBRARY
        if not _same(baseline.targets(whole)[:known], baseline.targets(other)[:known])
    ]
    assert late == []


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    return np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes()


def _changed(bars: MarketBars, known: int, factor: float) -> MarketBars:
    arrays = {}
    for name in ("open_", "high", "low", "close", "volume"):
        array = getattr(bars, name).copy(order="F")
        array[known:] *= factor
        arrays[name] = array
    return replace(bars, **arrays)


CHANGES: dict[str, Callable[[MarketBars, int], MarketBars]] = {
    "cut": lambda bars, known: bars.slice(0, known),
    "multiplied": lambda bars, known: _changed(bars, known, 3.7),
    "missing": lambda bars, known: _changed(bars, known, np.nan),
}


def test_the_test_above_would_find_a_strategy_that_peeks() -> None:
    bars = noise(400, 2)
    peeks = np.roll(bars.close, -1, axis=0)
    assert not _same(peeks[:300], np.roll(bars.slice(0, 300).close, -1, axis=0))


def test_a_cache_too_small_for_anything_changes_nothing() -> None:
    bars = noise(600, 3)
    roomy, tight = Studies(bars), Studies(bars, cache_bytes=1)
    for baseline in LIBRARY[::37]:
        assert _same(baseline.targets(roomy), baseline.targets(tight)), baseline.name


def test_every_family_says_where_it_comes_from() -> None:
    assert all(family.source for family in FAMILIES.values())


def test_daily_bars_have_no_hours() -> None:
    names = {baseline.family.name for baseline in library(24 * HOUR_NS)}
    assert "hour" not in names
    assert "weekday" in names


def test_an_unknown_family_is_a_mistake_that_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'sma'.*sma_cross"):
        library(HOUR_NS, ["sma"])


def test_dollar_cost_averaging_spends_the_same_amount_in_every_step() -> None:
    bars = noise(400, 1)
    (dca,) = [b for b in LIBRARY if b.name == "dca(24,4)"]
    targets = dca.targets(Studies(bars))[:, 0]
    steps = np.flatnonzero(~np.isnan(targets))
    assert steps.tolist() == [0, 24, 48, 72]
    price = bars.close[steps, 0]
    units = np.cumsum(0.25 / price)
    spent = np.array([0.25, 0.5, 0.75, 1.0])
    assert targets[steps] == pytest.approx(units * price / (units * price + 1.0 - spent))
