"""What every agent is to the desk: a core with a name, a memory and an opinion."""

from typing import Protocol

from tg_actors.domain.blocks import F64, MarketSnapshot, Opinions
from tg_actors.market.needs import MarketNeeds


class OpiningCore(Protocol):
    """The pure core of an agent."""

    @property
    def name(self) -> str:
        """The agent's name."""
        ...

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the agent's view of all instruments."""
        ...

    def recall(self, memory: F64 | None) -> None:
        """Take back what it had remembered, None for a blank start."""
        ...


class OpiningSpec(Protocol):
    """What all files in ``configs/agents`` have in common; each kind adds its own parameters."""

    @property
    def name(self) -> str:
        """The agent's name, that of its file."""
        ...

    @property
    def kind(self) -> str:
        """Its row in the table of kinds."""
        ...

    @property
    def horizon_bars(self) -> int:
        """How many bars ahead its opinions look."""
        ...

    def needs(self) -> MarketNeeds:
        """What its snapshots must hold beyond the newest bar and its indicators."""
        ...
