"""Ray shell of a technical agent. Decides nothing."""

from tg_actors.runtime.mailbox import AgentMailbox
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalSpec


class TechnicalActor(AgentMailbox):
    """Mailbox around :class:`TechnicalAgent`."""

    def __init__(self, spec: TechnicalSpec, symbols: tuple[str, ...], _bar_ns: int) -> None:
        super().__init__(TechnicalAgent(spec, len(symbols)))
