"""The no-trade region: its width, its edges, and what it saves against a calendar."""

import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.institutional.bands import goals, half_width

NEVER = np.zeros(3, dtype=bool)


def test_width_is_the_first_term_of_the_expansion() -> None:
    # w = 1/2, c = 1 %, gamma = 2: (0.75 * 0.01 / 16) ** (1/3)
    assert half_width(np.array([0.5]), 0.01, 2.0)[0] == pytest.approx((0.0075 / 16) ** (1 / 3))
    assert half_width(np.array([0.0, 1.0]), 0.01, 2.0).tolist() == [0.0, 0.0]
    assert half_width(np.array([0.3]), 0.0, 2.0)[0] == 0.0
    # Eight times the cost is twice the band.
    assert half_width(np.array([0.3]), 0.008, 2.0)[0] == pytest.approx(
        2 * half_width(np.array([0.3]), 0.001, 2.0)[0]
    )


@pytest.mark.parametrize(("inner", "low", "high"), [(1.0, 0.25, 0.35), (0.5, 0.275, 0.325), (0.0, 0.3, 0.3)])
def test_who_is_outside_goes_back_to_its_own_side(inner: float, low: float, high: float) -> None:
    weight, target, band = np.array([0.1, 0.34, 0.5]), np.full(3, 0.3), np.full(3, 0.05)
    goal, trades = goals(weight, target, band, inner, NEVER)
    assert trades.tolist() == [True, False, True]
    np.testing.assert_allclose(goal, [low, 0.34, high])


def test_who_is_due_goes_to_the_target_and_who_has_none_is_left_alone() -> None:
    weight, target, band = np.array([0.31, 0.31, 0.9]), np.array([0.3, 0.3, np.nan]), np.full(3, 0.05)
    goal, trades = goals(weight, target, band, 1.0, np.array([True, False, True]))
    assert trades.tolist() == [True, False, False]
    np.testing.assert_allclose(goal, [0.3, 0.31, 0.9])


def kept(returns: F64, target: F64, *, every: int | None, band: float) -> tuple[float, float]:
    """Root mean square drift and turnover a year of keeping weights, by a calendar or by bands."""
    weight, drifts, turnover = target.copy(), [], 0.0
    for day, moves in enumerate(returns):
        grown = weight * np.exp(moves)
        weight = grown / (1.0 - weight.sum() + grown.sum())
        due = np.full(len(target), every is not None and day % every == 0)
        goal, _ = goals(weight, target, np.full(len(target), band), 1.0, due)
        turnover += float(np.abs(goal - weight).sum())
        weight = goal
        drifts.append(((weight - target) ** 2).sum())
    return float(np.sqrt(np.mean(drifts))), turnover * 365 / len(returns)


@pytest.mark.parametrize("every", [7, 30])
def test_bands_turn_over_less_than_a_calendar_that_drifts_as_far(every: int) -> None:
    rng = np.random.default_rng(11)
    common, own = rng.standard_normal((1_500, 1)), rng.standard_normal((1_500, 6))
    returns = 0.04 * (0.8 * common + 0.6 * own)
    target = np.full(6, 0.1)
    drift, turnover = kept(returns, target, every=every, band=np.inf)
    # The band whose drift is that of the calendar, by bisection: it is monotone in the band.
    low, high = 0.0, 0.1
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if kept(returns, target, every=None, band=middle)[0] < drift else (low, middle)
        )
    same, less = kept(returns, target, every=None, band=high)
    assert same == pytest.approx(drift, rel=0.01)
    # A week: 0.85 against 1.71 times equity a year; a month: 0.45 against 0.81. Costs are in proportion.
    assert less < 0.65 * turnover
