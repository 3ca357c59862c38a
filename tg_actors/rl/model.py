"""A version of a model as an agent is handed it."""

from dataclasses import dataclass

from tg_actors.rl.manifest import Manifest
from tg_actors.rl.policy import NumpyPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A policy and what is known of it; it crosses process borders."""

    policy: NumpyPolicy
    manifest: Manifest

    @property
    def id(self) -> str:
        """``rl-aggressive@7``."""
        return self.manifest.id
