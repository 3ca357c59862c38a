"""Ray shell of a technical agent. Decides nothing."""

import ray

from tg_actors.domain.blocks import F64, MarketSnapshot, Opinions
from tg_actors.runtime.actors import Watchdog
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalAgentSpec


class TechnicalActor:
    """Mailbox around :class:`TechnicalAgent`; a restarted process abstains until it is recalled."""

    def __init__(self, spec: TechnicalAgentSpec) -> None:
        self._name = spec.spec.name
        self._agent = TechnicalAgent(spec.spec, spec.n)
        Watchdog()

    def __repr__(self) -> str:
        return f"TechnicalActor:{self._name}"

    @ray.method
    def recall(self, memory: F64 | None) -> None:
        """Hand back the memory of the agent's last journaled opinion."""
        self._agent.recall(memory)

    @ray.method
    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Give an opinion on every instrument; the same cycle gets the same answer."""
        return self._agent.opine(snapshot)
