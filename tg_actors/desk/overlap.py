"""Which cycles of a run lie in the time that a model of it was trained on: there a backtest flatters."""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from tg_actors.desk.models import followed_in
from tg_actors.domain.message import Message
from tg_actors.journal.readers import JournalReader
from tg_actors.rl.manifest import Manifest, model_id
from tg_actors.rl.model import Model
from tg_actors.rl.registry import ModelRegistry


class Overlap(Message):
    """A version that an agent asked in ``cycles`` cycles of the time that it was trained on.

    ``market`` is the one of its training, in its manifest's words; ``from_ns`` to ``to_ns`` its time.
    """

    agent: str
    version: str
    market: str
    from_ns: int
    to_ns: int
    cycles: int

    @property
    def sentence(self) -> str:
        """The overlap as a person is told of it."""
        return (
            f"{self.agent} asked {self.version} in {self.cycles} cycles of the time that it was trained on "
            f"({self.market}): on that market they prove nothing"
        )


def overlaps(journal: JournalReader, registry: ModelRegistry) -> tuple[Overlap, ...]:
    """Return what of a run lies in the training of its models; a version that is gone says nothing.

    Raises:
        UserError: the manifest of a version is damaged.
    """
    at_ns = [at for at, _ in journal.equity_curve()]
    followed = followed_in(journal)
    found = []
    for agent in dict.fromkeys(one.said.agent for one in followed):
        mine = [one for one in followed if one.said.agent == agent]
        ends = [*(one.cycle for one in mine), len(at_ns)]
        for one, (begin, end) in zip(mine, pairwise(ends), strict=True):
            version = one.said.version
            if version is not None and version in registry.versions(one.said.model):
                manifest = registry.manifest(one.said.model, version)
                found += _overlap(agent, manifest, at_ns[begin:end])
    return tuple(found)


def trained_on(models: Mapping[str, Model], at_ns: Iterable[int]) -> tuple[Overlap, ...]:
    """Return what of a market, by its closes, lies in the training of models, by their agents' names."""
    closes = list(at_ns)
    return tuple(one for agent, model in models.items() for one in _overlap(agent, model.manifest, closes))


def _overlap(agent: str, manifest: Manifest, at_ns: list[int]) -> list[Overlap]:
    cycles = sum(manifest.from_ns < at <= manifest.to_ns for at in at_ns)
    if not cycles:
        return []
    return [
        Overlap(
            agent=agent,
            version=model_id(manifest.name, manifest.version),
            market=manifest.market,
            from_ns=manifest.from_ns,
            to_ns=manifest.to_ns,
            cycles=cycles,
        )
    ]
