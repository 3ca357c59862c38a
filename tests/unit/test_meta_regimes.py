"""The regime filter: what it sees in plain markets, and that it needs nothing but the bars."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import ValidationError

from tests.regime_words import CONFIG, FIRST_BAR, HOUR_NS, asked, market, noise, views
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import RegimeView
from tg_actors.meta.regime_shapes import LEVELS, REGIMES, SHAPES, Regime
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter


def last(closes: F64) -> RegimeView:
    found = RegimeFilter(CONFIG).view(asked(closes, len(closes) - 1))
    assert found is not None
    return found


CALM = noise(300, 0.004)


@pytest.mark.parametrize(
    ("after", "regime"),
    [
        (noise(60, 0.004, drift=0.6), Regime.TREND_UP),
        (noise(60, 0.005, drift=-0.6), Regime.TREND_DOWN),
        (noise(60, 0.002), Regime.RANGE),
        (noise(40, 0.016), Regime.HIGH_VOLATILITY),
    ],
)
def test_plain_markets_are_called_by_their_name(after: F64, regime: Regime) -> None:
    view = last(market(np.concatenate((CALM, after))))
    assert view.regime == regime.value
    assert view.probability == max(view.probabilities.values())


def test_a_market_that_turns_hard_makes_a_reversal_likelier() -> None:
    rising = noise(300, 0.004, drift=0.15)
    calm = last(market(np.concatenate((rising, noise(16, 0.004, drift=0.15, seed=6)))))
    turned = last(market(np.concatenate((rising, noise(16, 0.006, drift=-0.7, seed=6)))))
    assert turned.probabilities["reversal"] > 2 * calm.probabilities["reversal"]
    assert turned.probabilities["trend_up"] < 0.7 * calm.probabilities["trend_up"]


def test_a_filter_that_goes_on_says_what_a_new_one_says_at_every_bar() -> None:
    moves = np.concatenate((CALM, noise(80, 0.012), noise(80, 0.004, drift=0.4)))
    closes = market(moves)
    closes[120:130, 2] = np.nan
    closes[200] = np.nan
    for at, going_on in enumerate(views(closes)):
        assert RegimeFilter(CONFIG).view(asked(closes, at)) == going_on, f"bar {at}"


def test_what_is_asked_between_changes_nothing() -> None:
    closes = market(np.concatenate((CALM, noise(80, 0.012))))
    regimes = RegimeFilter(CONFIG)
    for at in (200, 200, 150, 379, 201, 379):
        assert regimes.view(asked(closes, at)) == RegimeFilter(CONFIG).view(asked(closes, at))


def test_the_future_changes_nothing() -> None:
    closes = market(np.concatenate((CALM, noise(80, 0.012))))
    other = np.concatenate((closes[:350], 3.0 * closes[350:]))
    assert views(closes)[:350] == views(other)[:350]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_instruments_are_a_market_too(n: int) -> None:
    assert last(market(np.concatenate((CALM, noise(80, 0.004, drift=1.0))), n=n)).regime == "trend_up"


def test_the_label_holds_until_another_is_more_probable_by_the_margin() -> None:
    closes = market(np.concatenate((noise(400, 0.004), noise(100, 0.004, drift=0.3), noise(100, 0.01))))
    said = [view for view in views(closes) if view is not None]
    for before, now in pairwise(said):
        if before.since_ns == now.since_ns:
            assert before.regime == now.regime
        ahead = max(now.probabilities.values()) - now.probabilities[now.regime]
        assert ahead <= CONFIG.margin_frac + 2e-4  # four digits
    eager = views(closes, CONFIG.model_copy(update={"margin_frac": 0.0}))
    assert len({view.since_ns for view in eager if view}) > len({view.since_ns for view in said})


def test_since_is_the_close_of_the_bar_that_changed_the_label() -> None:
    falling_then_rising = np.concatenate((noise(300, 0.004, drift=-0.3), noise(60, 0.004, drift=0.8)))
    # One pass from beginning to end: the next one would look back less far.
    said = views(market(falling_then_rising), RegimeConfig(window_bars=512))
    view = said[-1]
    assert view is not None
    changed = view.since_ns // HOUR_NS - FIRST_BAR
    assert 300 < changed < 360
    before, then = said[changed - 1], said[changed]
    assert before is not None
    assert then is not None
    assert before.regime != then.regime == view.regime


def test_chances_are_of_every_regime_and_sum_to_one() -> None:
    for view in views(market(CALM))[60:]:
        assert view is not None
        assert list(view.probabilities) == [regime.value for regime in REGIMES]
        assert sum(view.probabilities.values()) == pytest.approx(1.0, abs=3e-4)
        assert view.probability == view.probabilities[view.regime]


def test_before_enough_is_known_there_is_no_regime() -> None:
    said = views(market(CALM))
    # The first bar has no move, and the pass that is heard may begin later than the market.
    assert said[: CONFIG.known_bars_min] == [None] * CONFIG.known_bars_min
    assert said[CONFIG.known_bars_min] is not None
    assert RegimeFilter(CONFIG).view(SimpleNamespace(window=None)) is None  # type: ignore[arg-type]  # of it only the window is read


def test_a_market_that_stands_still_teaches_nothing() -> None:
    view = last(np.full((300, 3), 7.0))
    assert 0 < view.probability < 0.5


def test_a_hole_is_time_that_passes() -> None:
    closes = market(np.concatenate((CALM, noise(60, 0.004, drift=0.6))))
    sure = last(closes)
    holed = np.concatenate((closes, np.full((60, closes.shape[1]), np.nan)))
    assert last(holed).probabilities["trend_up"] < sure.probabilities["trend_up"]


def test_the_window_asked_for_holds_every_pass() -> None:
    assert RegimeConfig().needs().window_bars == 2 * RegimeConfig().window_bars


def test_a_regime_that_would_never_be_known_is_refused() -> None:
    with pytest.raises(ValidationError, match="never be known"):
        RegimeConfig(window_bars=64, known_bars_min=65)


def test_shapes_are_a_chain() -> None:
    for i, shape in enumerate(SHAPES):
        assert sum(shape.next.values()) == pytest.approx(1.0)
        assert i not in shape.next
    assert set(REGIMES) == set(Regime) - {Regime.UNKNOWN}
    assert list(LEVELS) == sorted(LEVELS)
