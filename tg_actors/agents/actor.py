"""Which actor runs which kind of agent on Ray; each starts from (spec, symbols, bar_ns)."""

from tg_actors.institutional.actor import (
    CorrelationActor,
    LiquidityActor,
    RebalancingActor,
    SmartMoneyActor,
    VolumeProfileActor,
)
from tg_actors.runtime.mailbox import AgentMailbox
from tg_actors.technical.actor import TechnicalActor

ACTORS: dict[str, type[AgentMailbox]] = {
    "technical": TechnicalActor,
    "liquidity": LiquidityActor,
    "smart_money": SmartMoneyActor,
    "volume_profile": VolumeProfileActor,
    "correlation": CorrelationActor,
    "rebalancing": RebalancingActor,
}
