"""Which version of its model each learned agent asks, in which cycle.

Versions are an input from outside, like the market: the registry's record is looked at once per cycle,
between two cycles, and whatever changes is journaled as :class:`ModelFollowed` with the first cycle that it
holds for. So a desk that starts again, and a replay, ask in every cycle whom the run has asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from tg_actors.agents.kinds import AgentSpec, misfit_of
from tg_actors.desk.files import configs_folder
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.journal.readers import JournalReader
from tg_actors.rl.model import Model
from tg_actors.rl.record import NO_RECORD, Stamp
from tg_actors.rl.registry import ModelRegistry
from tg_actors.rl.spec import RlSpec
from tg_actors.runtime.home import home

#: The event that tells which version an agent follows from a cycle on.
MODEL_FOLLOWED = "ModelFollowed"
_FOLDER = "models"
_MINUTE_NS = 60 * 10**9


class ModelFollowed(Message):
    """From the cycle of this event on an agent asks this version; None: it has none and abstains."""

    agent: str
    model: str
    version: int | None
    sha256: str = ""


class Followed(NamedTuple):
    """One version that was followed, and the first cycle that it holds for."""

    cycle: int
    said: ModelFollowed


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What an agent is to be handed before a cycle."""

    said: ModelFollowed
    model: Model | None


class Models(Protocol):
    """Where a desk's versions come from."""

    def recall(self, followed: Sequence[Followed], cycle: int) -> tuple[Change, ...]:
        """Take what was followed up to ``cycle``; returns what holds there."""
        ...

    def due(self, cycle: int) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Return what changes from ``cycle`` on, and what a person should know."""
        ...


class RegistryModels:
    """Follows the champions of a registry; without ``follows`` only those of the very first cycle.

    A version that cannot be had, or that observes something else, is refused with an alert: the agent stays
    with the one it has.
    """

    def __init__(
        self,
        specs: Iterable[AgentSpec],
        registry: ModelRegistry | None,
        *,
        follows: bool,
        bar_ns: int | None = None,
    ) -> None:
        self._specs = learned(specs) if registry is not None else ()
        self._registry, self._follows, self._bar_ns = registry, follows, bar_ns
        self._held: dict[str, ModelFollowed] = {}
        self._stamp: Stamp | None = None
        self._lost: dict[str, str] = {}

    def recall(self, followed: Sequence[Followed], cycle: int) -> tuple[Change, ...]:
        """Load what was followed; what is gone meanwhile is told by the next :meth:`due`."""
        changes = []
        for spec in self._specs:
            said = newest(followed, spec.name, cycle)
            if said is None:
                continue
            self._held[spec.name] = said
            model, why = None, ""
            if said.version is not None:
                model, why = self._load(spec, said.version, said.sha256)
            if why:
                self._lost[spec.name] = f"{spec.name} has lost its model: {why}"
                self._held[spec.name] = said.model_copy(update={"version": None, "sha256": ""})
            changes.append(Change(self._held[spec.name], model))
        return tuple(changes)

    def due(self, cycle: int) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Look whether the record has changed; it costs one look at a file."""
        del cycle  # what holds now holds from it on
        lost, self._lost = self._lost, {}
        alerts = tuple(lost.values())
        changes = [Change(self._held[agent], None) for agent in lost]
        if self._registry is None or not self._specs or (self._held and not self._follows):
            return tuple(changes), alerts
        stamp, before = self._registry.stamp(), self._stamp
        if stamp == before:
            return tuple(changes), alerts
        self._stamp = stamp
        if stamp == NO_RECORD and before is not None:
            return tuple(changes), (*alerts, f"models stay as they are: {self._registry.record} is gone")
        try:
            roles = self._registry.all_roles()
        except UserError as error:
            return tuple(changes), (*alerts, f"models stay as they are: {error}")
        for spec in self._specs:
            wanted = roles[spec.model].champion if spec.model in roles else None
            change, why = self._change(spec, wanted)
            changes += [] if change is None else [change]
            alerts += (why,) if why else ()
        return tuple(changes), alerts

    def _change(self, spec: RlSpec, wanted: int | None) -> tuple[Change | None, str]:
        held = self._held.get(spec.name)
        if held is not None and held.version == wanted:
            return None, ""
        if wanted is None:
            said = ModelFollowed(agent=spec.name, model=spec.model, version=None)
            self._held[spec.name] = said
            return Change(said, None), f"{spec.name} abstains: {without_model(spec.model)}"
        model, why = self._load(spec, wanted)
        if model is None:
            return None, f"{spec.name} does not follow {spec.model}@{wanted}: {why}"
        said = ModelFollowed(agent=spec.name, model=spec.model, version=wanted, sha256=model.manifest.sha256)
        self._held[spec.name] = said
        return Change(said, model), ""

    def _load(self, spec: RlSpec, version: int, sha256: str | None = None) -> tuple[Model | None, str]:
        if self._registry is None:
            return None, "there is no registry"
        try:
            return load_for(spec, self._registry, version, sha256, bar_ns=self._bar_ns), ""
        except UserError as error:
            return None, str(error)


class RecordedModels:
    """Hands out what a journal says was followed: for replays."""

    def __init__(
        self, specs: Iterable[AgentSpec], registry: ModelRegistry | None, run: JournalReader
    ) -> None:
        self._specs = {spec.name: spec for spec in learned(specs)}
        self._registry = registry
        self._followed = followed_in(run)

    def recall(self, followed: Sequence[Followed], cycle: int) -> tuple[Change, ...]:
        """A replay begins at its first cycle."""
        del followed, cycle
        return ()

    def due(self, cycle: int) -> tuple[tuple[Change, ...], tuple[str, ...]]:
        """Return what was followed from this very cycle on.

        Raises:
            UserError: a version that the run asked is not there any more.
        """
        said = {one.said.agent: one.said for one in self._followed if one.cycle == cycle}
        return tuple(self._change(one) for one in said.values()), ()

    def _change(self, said: ModelFollowed) -> Change:
        if said.version is None:
            return Change(said, None)
        if self._registry is None:
            raise UserError(f"the run has asked {said.model}@{said.version} and names no registry")
        model = load_for(self._specs[said.agent], self._registry, said.version, said.sha256)
        return Change(said, model)


def learned(specs: Iterable[AgentSpec]) -> tuple[RlSpec, ...]:
    """Return the agents that ask a model."""
    return tuple(spec for spec in specs if isinstance(spec, RlSpec))


def home_registry() -> ModelRegistry:
    """Open the registry of this home, with the versions that ship below it."""
    return open_registry(home() / _FOLDER)


def open_registry(folder: Path) -> ModelRegistry:
    """Open a registry, with the versions that ship below it."""
    return ModelRegistry(folder, configs_folder() / _FOLDER)


def registry_folder(specs: Iterable[AgentSpec]) -> str | None:
    """Return the folder that a plan names, None for a desk without learned agents."""
    return str(home() / _FOLDER) if learned(specs) else None


def load_for(
    spec: RlSpec,
    registry: ModelRegistry,
    version: int,
    sha256: str | None = None,
    *,
    bar_ns: int | None = None,
) -> Model:
    """Return a version that an agent can ask; ``sha256`` is the one that it must have.

    Raises:
        UserError: it is not there, damaged, another one, observes something else, or was trained on bars
            of another length than ``bar_ns``.
    """
    policy, manifest = registry.load(spec.model, version)
    if sha256 is not None and manifest.sha256 != sha256:
        raise UserError(f"{manifest.id} is not the version that this run has asked: put the old one back")
    if (why := misfit_of(manifest.features)) is not None:
        raise UserError(f"{manifest.id} {why}: train it again with 'tg train'")
    if bar_ns is not None and manifest.bar_ns != bar_ns:
        raise UserError(
            f"{manifest.id} was trained on bars of {_minutes(manifest.bar_ns)}, "
            f"these have {_minutes(bar_ns)}: leave the agent out, "
            "or train with 'tg train all --timeframe …' and promote that"
        )
    return Model(policy, manifest)


def _minutes(bar_ns: int) -> str:
    return f"{bar_ns / _MINUTE_NS:g} minutes"


def champions(
    specs: Iterable[AgentSpec], registry: ModelRegistry, bar_ns: int | None = None
) -> dict[str, Model]:
    """Return what each learned agent would ask now, by the agent's name; without a model it is missing.

    Raises:
        UserError: a champion is damaged, observes something else than its agent, or was trained on bars of
            another length than ``bar_ns``.
    """
    found: dict[str, Model] = {}
    roles = registry.all_roles()
    for spec in learned(specs):
        version = roles[spec.model].champion if spec.model in roles else None
        if version is not None:
            found[spec.name] = load_for(spec, registry, version, bar_ns=bar_ns)
    return found


def champions_at_home(specs: Sequence[AgentSpec], bar_ns: int | None = None) -> dict[str, Model]:
    """Return what each learned agent would ask now; a desk without any needs no home."""
    return champions(specs, home_registry(), bar_ns) if learned(specs) else {}


def without_model(name: str) -> str:
    """Say how to get a model where there is none."""
    return f"no version of {name} is champion: 'tg train' makes one, 'tg models promote' puts it to work"


def followed_in(journal: JournalReader) -> tuple[Followed, ...]:
    """Return every version that was followed in a run, oldest first."""
    return tuple(
        Followed(event.cycle, ModelFollowed.model_validate_json(event.payload))
        for event in journal.events({MODEL_FOLLOWED})
    )


def newest(followed: Iterable[Followed], agent: str, cycle: int) -> ModelFollowed | None:
    """Return what an agent is to ask in a cycle, None for nothing yet.

    That counts which was journaled for this very cycle by a coordinator that died before it decided it: a
    replay believes the journal.
    """
    return next(
        (one.said for one in reversed(tuple(followed)) if one.said.agent == agent and one.cycle <= cycle),
        None,
    )
