from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.portfolio.performance import DAY_NS, DEFINITIONS, EquityPoint, measure

HOUR_NS = DAY_NS // 24
gaps = st.integers(1, 40)
equities = st.integers(1, 10**9).map(lambda n: Decimal(n) / 100)
curves = st.lists(st.tuples(gaps, equities), min_size=1, max_size=40).map(
    lambda steps: [
        EquityPoint(int(at) * HOUR_NS, equity)
        for at, (_, equity) in zip(np.cumsum([gap for gap, _ in steps]), steps, strict=True)
    ]
)


@given(curve=curves)
def test_sharpe_and_drawdown_agree_with_pandas(curve: list[EquityPoint]) -> None:
    at = pd.to_datetime([point.at_ns for point in curve], unit="ns", utc=True)
    series = pd.Series([float(point.equity) for point in curve], index=at)
    closes = series.groupby((at - pd.Timedelta(1, "ns")).floor("D")).last().asfreq("D").ffill()
    days = (at - pd.Timedelta(1, "ns")).floor("D")
    # The first mark closes its day where it is the only one of it; else the first day begins with it.
    opening = series.iloc[: 1 if (days == days[0]).sum() > 1 else 0]
    daily = pd.Series([*opening, *closes]).pct_change().dropna()
    assert np.prod(1 + daily) == pytest.approx(series.iloc[-1] / series.iloc[0])
    found = measure(curve, [])

    drawdown = (1 - series / series.cummax()).max()
    assert found.max_drawdown_frac == pytest.approx(drawdown, rel=1e-12, abs=1e-15)
    assert 0 <= drawdown <= 1
    if found.sharpe_daily_365 is None:
        assert len(daily) < 2 or daily.max() - daily.min() < 1e-9
    else:
        assert found.sharpe_daily_365 == pytest.approx(daily.mean() / daily.std() * 365**0.5, rel=1e-9)


@given(curve=curves, factor=st.integers(1, 10**6))
def test_ratios_do_not_depend_on_the_size_of_the_account(curve: list[EquityPoint], factor: int) -> None:
    one = measure(curve, [])
    other = measure([EquityPoint(at, equity * factor) for at, equity, _ in curve], [])
    for name in DEFINITIONS:
        expected = getattr(one, name)
        scaled = pytest.approx(expected, rel=1e-6, abs=1e-9) if isinstance(expected, float) else expected
        assert getattr(other, name) == scaled, name


@given(curve=curves, dip=st.integers(1, 99))
def test_drawdown_never_shrinks_with_more_history(curve: list[EquityPoint], dip: int) -> None:
    peak = max(point.equity for point in curve)
    last = EquityPoint(curve[-1].at_ns + 1, peak * dip / 100)
    before, after = measure(curve, []).max_drawdown_frac, measure([*curve, last], []).max_drawdown_frac
    assert before is not None
    assert after is not None
    assert after >= max(before, 1 - dip / 100 - 1e-12)
