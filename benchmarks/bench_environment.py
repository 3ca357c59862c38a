"""Steps a CPU-second of the learning environment, through stable-baselines3's interface, on one core.

Beside it runs Gym-Trading-Env through ``DummyVecEnv``, before and after ours, where the interpreter given by
``--python`` has it; without it its figures are null. That interpreter is of an environment of its own:
gym-trading-env 0.3.5 installed with ``--no-deps`` (it pins an old ccxt), flask 2.2.5 with werkzeug 2.2.3,
nest_asyncio, pyecharts with simplejson and prettytable, pandas, gymnasium, stable-baselines3.
"""

import argparse
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ground import machine, show, spread
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.episodes import ACTIONS, Episodes
from tg_actors.rl.market import LearningMarket

_BARS, _ASSETS, _FEATURES = 10_000, 4, 16
_ROWS = (8, 64, 256, 1024, 4096)
_SPOT = EpisodeRules(bars=512)
_MARGIN = EpisodeRules(bars=512, leverage_max=3.0, shorts=True, liquidation_level=0.4, borrow_frac=1e-5)
_STEPS = 200

#: Run by the other interpreter: eight features, three positions, 64 environments, random actions.
_PEER = """
import json, time
import numpy as np, pandas as pd, gymnasium as gym, gym_trading_env
from stable_baselines3.common.vec_env import DummyVecEnv
rng = np.random.default_rng(1)
close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 10_000)))
frame = pd.DataFrame({"open": close, "high": close * 1.001, "low": close * 0.999, "close": close})
frame["volume"] = 1.0
frame.index = pd.date_range("2020-01-01", periods=len(frame), freq="h")
for k in range(8):
    frame[f"feature_{k}"] = rng.normal(size=len(frame))
make = lambda: gym.make("TradingEnv", df=frame, positions=[-1, 0, 1], trading_fees=0.001, verbose=0)
envs = DummyVecEnv([make] * 64)
envs.reset()
acts = rng.integers(0, 3, (300, 64))
rates = []
for _ in range(5):
    began = time.process_time()
    for act in acts:
        envs.step(act)
    rates.append(acts.size / (time.process_time() - began))
print(json.dumps(rates))
"""


def main() -> None:
    """Measure all, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", type=Path, default=Path(".venv-gym-trading-env/bin/python"))
    args = parser.parse_args()
    before = machine()
    market = _market()
    peer = _peer(args.python)
    spot = {n: _rates(market, _SPOT, n, args.rounds) for n in _ROWS}
    margin = {n: _rates(market, _MARGIN, n, args.rounds) for n in _ROWS}
    if peer is not None:
        peer += _peer(args.python) or []
    show(
        "environment",
        before,
        {
            "bars": _BARS,
            "instruments": _ASSETS,
            "features": _FEATURES,
            "spot_steps_per_s": {n: spread(rates) for n, rates in spot.items()},
            "margin_steps_per_s": {n: spread(rates) for n, rates in margin.items()},
            "gym_trading_env_steps_per_s_at_64": None if peer is None else spread(peer),
            "spot_256_over_gym_trading_env": _ratio(spot[256], peer),
            "margin_256_over_gym_trading_env": _ratio(margin[256], peer),
            "goal_steps_per_s": {"256": 2_500_000, "1024": 5_000_000},
            "goal_over_gym_trading_env": 60,
        },
    )


def _ratio(ours: list[float], peer: list[float] | None) -> float | None:
    return None if peer is None else round(float(np.median(ours) / np.median(peer)), 1)


def _market() -> LearningMarket:
    rng = np.random.default_rng(1)
    shape = (_BARS, _ASSETS)
    close = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(shape), axis=0))
    open_ = np.concatenate((close[:1], close[:-1]))
    return LearningMarket(
        open_=open_,
        close=close,
        observed=rng.standard_normal((*shape, _FEATURES)).astype(np.float32),
        names=tuple(f"f{k}" for k in range(_FEATURES)),
        worse=np.full(shape, 5e-4),
        funding=1e-5 * rng.standard_normal(shape),
        move_frac=np.full(_ASSETS, 0.01),
    )


def _rates(market: LearningMarket, rules: EpisodeRules, n: int, rounds: int) -> list[float]:
    # Loaded here, so that --help does not wait for it.
    from tg_actors.rl.environment import BatchVecEnv

    env = BatchVecEnv(Episodes(market, rules, n, seed=1))
    rng = np.random.default_rng(2)
    actions: list[Any] = [np.column_stack([rng.integers(0, k, n) for k in ACTIONS]) for _ in range(50)]
    env.reset()
    rates = []
    for _ in range(rounds):
        began = time.process_time()
        for step in range(_STEPS):
            env.step(actions[step % len(actions)])
        rates.append(_STEPS * n / (time.process_time() - began))
    return rates


def _peer(python: Path) -> list[float] | None:
    """Steps a second of Gym-Trading-Env, None where it is not installed."""
    if not python.exists():
        return None
    done = subprocess.run(  # noqa: S603 - the environment that we made
        [python, "-c", _PEER], check=False, capture_output=True, text=True, timeout=900
    )
    if done.returncode:
        return None
    return [float(rate) for rate in json.loads(done.stdout.splitlines()[-1])]


if __name__ == "__main__":
    main()
