"""Small random policies, their manifests, and registries that hold them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tg_actors.agents.kinds import OBSERVER
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.manifest import Manifest, OutOfSample
from tg_actors.rl.market import F32
from tg_actors.rl.model import Model
from tg_actors.rl.policy import CHOICES, NumpyPolicy
from tg_actors.rl.registry import ModelRegistry

#: What an agent of a desk observes.
FEATURES = (*OBSERVER.names, *ACCOUNT)
NAME = "rl-aggressive"


def arrays(seed: int = 0, features: int = len(FEATURES), hidden: int = 8) -> dict[str, F32]:
    """A policy that does one thing here and another there."""
    rng = np.random.default_rng(seed)
    shapes = {
        "hidden_0.weight": (hidden, features),
        "hidden_0.bias": (hidden,),
        "hidden_1.weight": (hidden, hidden),
        "hidden_1.bias": (hidden,),
        "choice.weight": (CHOICES, hidden),
        "choice.bias": (CHOICES,),
    }
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def evidence(returns: Iterable[float] = (0.01, -0.005) * 20, first_day: int = 20_000) -> OutOfSample:
    return OutOfSample(
        market="simulated", first_day=first_day, returns_frac=tuple(returns), costs="fee 10 bps"
    )


def manifest(
    name: str = NAME,
    features: tuple[str, ...] = FEATURES,
    *,
    proof: OutOfSample | None = None,
    shorts: bool = False,
    reward: str = "v2",
) -> Manifest:
    return Manifest(
        name=name,
        features=features,
        instruments=("BTC/USDT",),
        market="simulated",
        bar_ns=3_600 * 10**9,
        from_ns=0,
        to_ns=10**18,
        seed=1,
        reward=reward,
        shorts=shorts,
        trainer={"steps": 1, "note": "random"},
        code_version="test",
        evidence=proof,
        created_at_ns=1,
    )


def model(seed: int = 0, *, shorts: bool = False, reward: str = "v2") -> Model:
    """A version that no registry has seen."""
    made = manifest(shorts=shorts, reward=reward).model_copy(update={"version": seed + 1})
    return Model(NumpyPolicy(arrays(seed)), made)


def registry(folder: Path, *seeds: int, name: str = NAME, proof: OutOfSample | None = None) -> ModelRegistry:
    """A registry with a version per seed; none has a role."""
    opened = ModelRegistry(folder)
    for seed in seeds:
        opened.register(name, arrays(seed), manifest(name, proof=proof))
    return opened


def promote(opened: ModelRegistry, version: int, name: str = NAME) -> None:
    opened.promote(name, version, reason="test", actor="test", at_ns=version)
