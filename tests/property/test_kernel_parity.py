"""Two simulators, one truth: the kernel and the whole desk agree on what both can express."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel_words import CLOSE, OPEN, VOLUME, held_targets, market, through_desk
from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.fills import FillRule
from tg_actors.backtest.kernel import KernelRules, replay

SLIPPAGES = st.one_of(
    st.just(SlippageModel()),
    st.floats(0, 50).map(lambda bps: SlippageModel(SlippageName.FIXED_BPS, bps)),
    st.floats(0, 50).map(lambda bps: SlippageModel(SlippageName.IMPACT_BPS, bps)),
)
RULES = st.builds(
    KernelRules,
    fill=st.sampled_from([FillRule.NEXT_OPEN, FillRule.SIGNAL_CLOSE]),
    fee_frac=st.floats(0, 0.02),
    slippage=SLIPPAGES,
    size_at=st.sampled_from(["fill", "decision"]),
    on=st.sampled_from(["change", "every_bar"]),
)
#: Small rebalances are differences of large numbers: their error is that of the position.
TOLERANCE = 1e-9


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    bars=st.integers(1, 60),
    missing_frac=st.sampled_from([0.0, 0.2]),
    unsaid_frac=st.sampled_from([0.0, 0.3]),
    rules=RULES,
    cash=st.sampled_from([0.37, 10_000.0, 12_345_678.9]),
)
def test_kernel_and_desk_agree_on_every_fill(
    seed: int, bars: int, missing_frac: float, unsaid_frac: float, rules: KernelRules, cash: float
) -> None:
    ohlcv = market(seed, bars, missing_frac)
    targets = held_targets(seed, bars, (0.0, 0.1, 0.5, 0.77, 1.0))
    targets[np.random.default_rng(seed).random(bars) < unsaid_frac] = np.nan

    kernel = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, rules, cash, volume=ohlcv[:, VOLUME])
    desk = through_desk(ohlcv, targets, rules, cash)

    assert desk.final_equity == pytest.approx(kernel.final_equity, rel=TOLERANCE)
    for exact in ("bar", "decided"):
        assert desk.fills[exact].tolist() == kernel.fills[exact].tolist()
    assert desk.fills["price"].tolist() == pytest.approx(kernel.fills["price"].tolist(), rel=TOLERANCE)
    size = cash / np.nanmin(ohlcv[:, CLOSE]) if np.isfinite(ohlcv[:, CLOSE]).any() else 0.0
    quantities = desk.fills["quantity"].tolist()
    assert quantities == pytest.approx(kernel.fills["quantity"].tolist(), rel=TOLERANCE, abs=size * 1e-12)
    assert desk.fills["fee"].tolist() == pytest.approx(
        kernel.fills["fee"].tolist(), rel=TOLERANCE, abs=cash * 1e-12
    )
    if rules.fill is FillRule.NEXT_OPEN:
        assert desk.equity.tolist() == pytest.approx(kernel.equity.tolist(), rel=TOLERANCE)
