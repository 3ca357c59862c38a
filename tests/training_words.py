"""A market whose regimes are known and mean opposite things, and rooms to train in that take seconds."""

from dataclasses import replace

import numpy as np

from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.classroom import Classroom, Fold
from tg_actors.rl.market import LearningMarket, usual_moves
from tg_actors.rl.plans import CloningPlan, TrainingPlan

#: What a signal of 1 is worth in each regime, in moves: opposite at home and elsewhere.
MEANING = {"trend_up": 1.0, "trend_down": 1.0, "range": -0.7, "high_volatility": -1.0, "reversal": 0.7}


def regime_market(seed: int, bars: int = 2_000, assets: int = 6, stay: float = 0.98) -> LearningMarket:
    """Regimes last 50 bars, signals 5; a bar's mean move is the signal times its regime's meaning."""
    rng = np.random.default_rng(seed)
    names = [regime.value for regime in REGIMES]
    regime = np.zeros(bars, dtype=int)
    for t in range(1, bars):
        regime[t] = regime[t - 1] if rng.random() < stay else rng.integers(len(names))
    signal = np.zeros((bars, assets))
    for t in range(1, bars):
        fresh = rng.integers(-1, 2, assets)
        signal[t] = np.where(rng.random(assets) < 0.8, signal[t - 1], fresh)
    meaning = np.array([MEANING[name] for name in names])[regime][:, np.newaxis]
    moves = np.zeros((bars, assets))
    moves[1:] = 0.004 * (signal * meaning)[:-1] + 0.004 * rng.standard_normal((bars - 1, assets))
    close = 100.0 * np.exp(np.cumsum(moves, axis=0))
    observed = np.zeros((bars, assets, len(names) + 1), dtype=np.float32)
    observed[:, :, 0] = signal
    observed[np.arange(bars), :, regime + 1] = 1.0
    return LearningMarket(
        open_=np.concatenate((close[:1], close[:-1])),
        close=close,
        observed=observed,
        names=("signal", *(f"p_{name}" for name in names)),
        move_frac=usual_moves(close),
    )


def small_room(market: LearningMarket, steps: int = 65_536, rows: int = 64, bars: int = 64) -> Classroom:
    """One fold: learn on the first half, choose on a quarter, judge on the rest."""
    total = len(market.close)
    half, most = total // 2, 3 * total // 4
    fold = Fold(
        train_end=half, choose_first=half + 24, choose_end=most, judge_first=most + 24, judge_end=total
    )
    plan = TrainingPlan(
        steps=steps, rows=rows, n_steps=64, batch=1_024, hidden=16, chunk_rollouts=4, device="cpu"
    )
    return Classroom(
        market=market,
        rules=EpisodeRules(fee_frac=2e-4, bars=bars),
        folds=(fold,),
        plan=plan,
        cloning=CloningPlan(hidden=16, epochs=4),
        shown={},
        part_frac=1.0,
    )


def quick_room(seed: int = 3) -> Classroom:
    """A room whose trials take a second: nobody learns much in it."""
    room = small_room(regime_market(seed, bars=600), steps=4_096, rows=16)
    return replace(room, plan=room.plan.model_copy(update={"batch": 512, "chunk_rollouts": 1}))
