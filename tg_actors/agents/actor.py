"""Which actor runs which kind of agent on Ray; each starts from (spec, symbols, bar_ns)."""

import ray

from tg_actors.agents.kinds import open_learned
from tg_actors.institutional.actor import (
    CorrelationActor,
    LiquidityActor,
    RebalancingActor,
    SmartMoneyActor,
    VolumeProfileActor,
)
from tg_actors.rl.model import Model
from tg_actors.rl.spec import RlSpec
from tg_actors.runtime.mailbox import AgentMailbox
from tg_actors.technical.actor import TechnicalActor


class RlActor(AgentMailbox):
    """Mailbox around :class:`~tg_actors.rl.agent.RlAgent`."""

    def __init__(self, spec: RlSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        agent = open_learned(spec, symbols, bar_ns)
        super().__init__(agent)
        self._follow = agent.follow

    @ray.method
    def follow(self, model: Model | None) -> None:
        """Ask this version from the next cycle on."""
        self._follow(model)


ACTORS: dict[str, type[AgentMailbox]] = {
    "technical": TechnicalActor,
    "liquidity": LiquidityActor,
    "smart_money": SmartMoneyActor,
    "volume_profile": VolumeProfileActor,
    "correlation": CorrelationActor,
    "rebalancing": RebalancingActor,
    "rl": RlActor,
}
