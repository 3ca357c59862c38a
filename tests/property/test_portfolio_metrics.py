"""Metrics against empyrical-reloaded, and what must hold of any run."""

import math

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.blocks import F64
from tg_actors.portfolio import metrics

changes = st.lists(st.integers(-900, 1_500), min_size=2, max_size=80).map(lambda xs: np.array(xs) / 10_000)


def same(ours: float | None, theirs: float) -> None:
    """They say NaN or infinity where we say nothing."""
    if ours is None:
        assert not math.isfinite(theirs) or abs(theirs) > 1e9 or theirs == 0
    else:
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)


@given(returns=changes)
def test_metrics_agree_with_empyrical(returns: F64) -> None:
    with np.errstate(all="ignore"):
        same(metrics.sharpe_daily_365(returns), empyrical.sharpe_ratio(returns, annualization=365))
        same(metrics.sortino_daily_365(returns), empyrical.sortino_ratio(returns, annualization=365))
        same(metrics.volatility_daily_365(returns), empyrical.annual_volatility(returns, annualization=365))
        same(metrics.cvar_95_daily(returns), -empyrical.conditional_value_at_risk(returns))
        if metrics.tail_ratio_daily(returns) is not None:
            same(metrics.tail_ratio_daily(returns), empyrical.tail_ratio(returns))
        equity = np.concatenate(([1.0], np.cumprod(1 + returns)))
        same(metrics.max_drawdown(equity), -empyrical.max_drawdown(returns))


@given(returns=changes)
def test_what_must_hold_of_any_run(returns: F64) -> None:
    equity = 1_000 * np.concatenate(([1.0], np.cumprod(1 + returns)))
    at_ns = (np.arange(equity.size) + 1) * metrics.DAY_NS
    drawdown, ulcer = metrics.max_drawdown(equity), metrics.ulcer_index(equity)
    assert drawdown is not None
    assert ulcer is not None
    assert 0 <= ulcer <= drawdown < 1
    cvar = metrics.cvar_95_daily(returns)
    assert cvar is not None
    assert -returns.max() - 1e-12 <= cvar <= -returns.min() + 1e-12
    lasted = metrics.drawdown_days_max(at_ns, equity)
    assert lasted is not None
    assert 0 <= lasted <= returns.size
    assert (lasted == 0) == (drawdown == 0)
    chained = math.prod(1 + change for *_, change in metrics.monthly_returns(at_ns, equity))
    assert chained == pytest.approx(equity[-1] / equity[0])
    assert metrics.daily_returns(at_ns, equity) == pytest.approx(returns)


@given(returns=changes, more=st.integers(1, 5))
def test_a_rolling_ratio_does_not_know_what_comes(returns: F64, more: int) -> None:
    before = metrics.rolling_sharpe_daily_365(returns, 2)
    after = metrics.rolling_sharpe_daily_365(np.concatenate((returns, np.full(more, 0.5))), 2)
    assert np.array_equal(before, after[: returns.size], equal_nan=True)
