"""Laws of the rebalancing agent's own books on any path of prices."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.correlation_words import HOUR_NS, a_snapshot
from tg_actors.institutional.rebalancing import RebalancingAgent
from tg_actors.institutional.rebalancing_spec import RebalancingSpec

SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/BTC")

specs = st.builds(
    lambda **given: RebalancingSpec.model_validate(
        {"name": "rebalancing", "horizon_bars": 24, "target": "equal", "position_frac": 0.3, **given}
    ),
    invested_frac=st.floats(0.1, 0.9),
    cap_frac=st.floats(0.05, 0.3),
    cost_frac=st.sampled_from([0.0, 0.001, 0.02]),
    band_frac=st.sampled_from([None, 0.01, 0.1]),
    inner_frac=st.floats(0, 1),
    every_days=st.sampled_from([None, 1, 3]),
    say_bars=st.integers(1, 4),
)


@given(spec=specs, seed=st.integers(0, 2**32 - 1), stale=st.sets(st.sampled_from(SYMBOLS), max_size=2))
def test_books_balance_and_never_borrow(spec: RebalancingSpec, seed: int, stale: set[str]) -> None:
    rng = np.random.default_rng(seed)
    agent = RebalancingAgent(spec, SYMBOLS, HOUR_NS)
    agent.recall(None)
    prices = np.array([100.0, 10.0, 0.01])
    before: dict[str, Any] | None = None
    for cycle in range(0, 200, 8):
        prices = prices * np.exp(rng.normal(0, 0.1, 3))
        blind = [*stale] if rng.random() < 0.3 else []
        said = agent.opine(a_snapshot(SYMBOLS, prices.tolist(), cycle=cycle, stale=blind))
        assert said.incoherence(3) is None
        assert np.nanmin(said.direction, initial=0.0) >= 0
        units, marked, _, cash, _ = said.memory.T
        assert (units >= 0).all()
        assert cash[0] > -1e-12
        if before is not None:
            # Worth after is worth before at the new prices, less the cost of what was traded.
            traded = float((np.abs(units - before["units"]) * marked).sum())
            worth = float(before["cash"] + (before["units"] * marked).sum())
            np.testing.assert_allclose(cash[0] + (units * marked).sum(), worth - spec.cost_frac * traded)
        before = {"units": units, "cash": cash[0]}
