"""The actors of a desk by name: what to spawn, under which policy, and how to find it again."""

from dataclasses import dataclass
from typing import Any

from tg_actors.desk.supervision import ChildPolicy
from tg_actors.runtime.actors import Handle, look_up, spawn


@dataclass(frozen=True, slots=True)
class Station:
    """One supervised actor: its public name, its class, what it is started with, its policy, its nodes."""

    name: str
    cls: type[Any]
    args: tuple[Any, ...]
    policy: ChildPolicy
    concurrency: int = 1
    node_resource: str | None = None


@dataclass(frozen=True, slots=True)
class Crew:
    """All supervised actors of a desk.

    ``agents`` maps an agent's name to its station's name; ``onlookers`` are stations that the cycle does
    not ask: somebody must look after them all the same.
    """

    stations: tuple[Station, ...]
    market: str
    meta: str
    risk: str
    executor: str
    agents: dict[str, str]
    onlookers: tuple[str, ...] = ()

    def station(self, name: str) -> Station:
        """Find a station by name.

        Raises:
            KeyError: there is none.
        """
        return {station.name: station for station in self.stations}[name]


def man(station: Station) -> Handle:
    """Return the actor of a station, spawning it when it is not there."""
    return look_up(station.name) or spawn(
        station.cls,
        station.name,
        *station.args,
        concurrency=station.concurrency,
        node_resource=station.node_resource,
    )
