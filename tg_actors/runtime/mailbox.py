"""The shell of every agent: a mailbox around its core. Decides nothing."""

from typing import Protocol

import ray

from tg_actors.domain.blocks import F64, MarketSnapshot, Opinions
from tg_actors.runtime.actors import Watchdog


class _Core(Protocol):
    """What an agent's core answers."""

    @property
    def name(self) -> str: ...

    def opine(self, snapshot: MarketSnapshot) -> Opinions: ...

    def recall(self, memory: F64 | None) -> None: ...


class AgentMailbox:
    """Base of the actors of agents; a restarted process abstains until it is recalled.

    On the dashboard it is its class and its agent: ``LiquidityActor:liquidity``.
    """

    def __init__(self, core: _Core) -> None:
        self._core = core
        Watchdog()

    def __repr__(self) -> str:
        return f"{type(self).__name__}:{self._core.name}"

    @ray.method
    def recall(self, memory: F64 | None) -> None:
        """Hand back the memory of the agent's last journaled opinion."""
        self._core.recall(memory)

    @ray.method
    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Give an opinion on every instrument; the same cycle gets the same answer."""
        return self._core.opine(snapshot)
