"""One Serve application a session: the fixture ``served``, tiny policies, and what came of a deployment.

Import ``served`` (and ``local_ray`` comes from the root) in a conftest or a test module; mark tests ``ray``.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest

from tg_actors.rl.manifest import Manifest
from tg_actors.rl.market import F32
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.serve_config import ServeConfig
from tg_actors.runtime.serving import Serving, deploy, shutdown

FEATURES = 16
WIDTH = 8


@dataclass(frozen=True)
class Served:
    """A deployed application, the home folder that it reads, and the registry of its models."""

    url: str
    home: Path
    registry: ModelRegistry
    serving: Serving


def tiny_arrays(seed: int, features: int = FEATURES) -> dict[str, F32]:
    """Weights of a small policy that nobody trained."""
    rng = np.random.default_rng(seed)
    shapes = {
        "hidden_0.weight": (WIDTH, features),
        "hidden_0.bias": (WIDTH,),
        "hidden_1.weight": (WIDTH, WIDTH),
        "hidden_1.bias": (WIDTH,),
        "choice.weight": (8, WIDTH),
        "choice.bias": (8,),
    }
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def tiny_manifest(name: str, features: int = FEATURES) -> Manifest:
    """What is known of such a policy."""
    return Manifest(
        name=name,
        features=tuple(f"feature_{k}" for k in range(features)),
        instruments=("BTC/USDT",),
        market="none",
        bar_ns=3_600 * 10**9,
        from_ns=0,
        to_ns=1,
        seed=1,
        reward="v2",
        code_version="test",
        created_at_ns=1,
    )


def add_version(registry: ModelRegistry, name: str, seed: int, features: int = FEATURES) -> int:
    """Register a tiny policy."""
    return registry.register(name, tiny_arrays(seed, features), tiny_manifest(name, features))


def champion(registry: ModelRegistry, name: str, version: int) -> None:
    """Promote without a judge."""
    registry.promote(name, version, reason="a test", actor="test", at_ns=version)


@pytest.fixture(scope="session")
def served(local_ray: str) -> Iterator[Served]:
    """Deploy the application on the session's Ray, with ``rl-balanced@1`` in force and a home of its own."""
    del local_ray
    with tempfile.TemporaryDirectory(prefix="tgserve", dir="/tmp") as folder:
        home = Path(folder)
        registry = ModelRegistry(home / "models")
        champion(registry, "rl-balanced", add_version(registry, "rl-balanced", 1))
        serving = deploy(ServeConfig(port=0, grpc_port=0), home)
        try:
            yield Served(serving.url, home, registry, serving)
        finally:
            shutdown()


def observations(rows: int = 3, seed: int = 5, features: int = FEATURES) -> F32:
    """Rows that any policy of this width takes."""
    drawn: F32 = np.random.default_rng(seed).standard_normal((rows, features)).astype(np.float32)
    return drawn


def own_processes(title: str) -> list[psutil.Process]:
    """Processes of this name that this very process has started, through Ray."""
    named = [p for p in psutil.process_iter(["cmdline"]) if title in " ".join(p.info["cmdline"] or [])]
    return [p for p in named if os.getpid() in {parent.pid for parent in p.parents()}]
