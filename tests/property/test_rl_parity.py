"""One account, three ways: episodes, the kernel, and the whole desk over the practice exchange agree."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel_words import CLOSE, OPEN, market, through_desk
from tests.rl_words import random_actions
from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.kernel import KernelRules, replay
from tg_actors.domain.blocks import F64
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import LEVELS, Episodes
from tg_actors.rl.market import LearningMarket

CASH = 10_000.0
FIXED = st.floats(0, 50).map(lambda bps: SlippageModel(SlippageName.FIXED_BPS, bps))
VOLATILE = st.floats(0, 1).map(lambda times: SlippageModel(SlippageName.VOLATILITY, times))


def played(ohlcv: F64, rules: KernelRules, seed: int, *, shorts: bool) -> tuple[F64, F64]:
    """Targets ``(T,)`` and equity ``(T,)`` of random actions on every bar."""
    bars = len(ohlcv)
    learning = LearningMarket(
        open_=ohlcv[:, [OPEN]],
        close=ohlcv[:, [CLOSE]],
        observed=np.zeros((bars, 1, 0), dtype=np.float32),
        names=(),
        worse=rules.slippage.terms(ohlcv[:, CLOSE], None).base[:, np.newaxis],
    )
    episode = EpisodeRules(fee_frac=rules.fee_frac, shorts=shorts, bars=bars - 1, cash=CASH)
    episodes = Episodes(learning, episode, 1, 0)
    episodes.reset(0, staggered=False)
    rng = np.random.default_rng(seed)
    targets, equity = np.full(bars, np.nan), np.full(bars, CASH)
    for bar in range(bars - 1):
        actions = random_actions(rng, 1)
        before = int(episodes.level[0])
        step = {0: 1, 1: -1, 2: 0}[int(actions[0, 0])] * (int(actions[0, 1]) + 1)
        targets[bar] = min(max(before + step, -LEVELS if shorts else 0), LEVELS) / LEVELS
        stepped = episodes.step(actions)
        equity[bar + 1] = stepped.passage.after[0]
    return targets, equity


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    fee_frac=st.floats(0, 0.02),
    slippage=st.one_of(st.just(SlippageModel()), FIXED, VOLATILE),
    shorts=st.booleans(),
)
def test_episodes_and_kernel_agree(seed: int, fee_frac: float, slippage: SlippageModel, shorts: bool) -> None:
    ohlcv = market(seed, 120)
    rules = KernelRules(fee_frac=fee_frac, slippage=slippage)
    targets, equity = played(ohlcv, rules, seed, shorts=shorts)
    replayed = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, rules, CASH)
    assert equity.tolist() == pytest.approx(replayed.equity.tolist(), rel=1e-9)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    fee_frac=st.floats(0, 0.01),
    slippage=st.one_of(st.just(SlippageModel()), FIXED),
)
def test_episodes_and_the_desk_agree(seed: int, fee_frac: float, slippage: SlippageModel) -> None:
    ohlcv = market(seed, 40)
    rules = KernelRules(fee_frac=fee_frac, slippage=slippage)
    targets, equity = played(ohlcv, rules, seed, shorts=False)
    desk = through_desk(ohlcv, targets, rules, CASH)
    assert equity.tolist() == pytest.approx(desk.equity.tolist(), rel=1e-9)
