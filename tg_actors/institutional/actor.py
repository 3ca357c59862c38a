"""Ray shells of the institutional agents, each of its own class to be known by. They decide nothing."""

from tg_actors.institutional.correlation import CorrelationAgent
from tg_actors.institutional.correlation_spec import CorrelationSpec
from tg_actors.institutional.liquidity import LiquidityAgent
from tg_actors.institutional.liquidity_spec import LiquiditySpec
from tg_actors.institutional.rebalancing import RebalancingAgent
from tg_actors.institutional.rebalancing_spec import RebalancingSpec
from tg_actors.institutional.smart_money import SmartMoneyAgent
from tg_actors.institutional.smart_money_spec import SmartMoneySpec
from tg_actors.institutional.volume_profile import VolumeProfileAgent
from tg_actors.institutional.volume_profile_spec import VolumeProfileSpec
from tg_actors.runtime.mailbox import AgentMailbox


class LiquidityActor(AgentMailbox):
    """Mailbox around :class:`LiquidityAgent`."""

    def __init__(self, spec: LiquiditySpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        super().__init__(LiquidityAgent(spec, symbols, bar_ns))


class SmartMoneyActor(AgentMailbox):
    """Mailbox around :class:`SmartMoneyAgent`."""

    def __init__(self, spec: SmartMoneySpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        super().__init__(SmartMoneyAgent(spec, symbols, bar_ns))


class VolumeProfileActor(AgentMailbox):
    """Mailbox around :class:`VolumeProfileAgent`."""

    def __init__(self, spec: VolumeProfileSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        super().__init__(VolumeProfileAgent(spec, symbols, bar_ns))


class CorrelationActor(AgentMailbox):
    """Mailbox around :class:`CorrelationAgent`."""

    def __init__(self, spec: CorrelationSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        super().__init__(CorrelationAgent(spec, symbols, bar_ns))


class RebalancingActor(AgentMailbox):
    """Mailbox around :class:`RebalancingAgent`."""

    def __init__(self, spec: RebalancingSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        super().__init__(RebalancingAgent(spec, symbols, bar_ns))
