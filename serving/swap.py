"""Which version serves in which role: what the record wishes against what every replica has proved. Pure.

A version comes into force once every replica that is alive has loaded and probed it, and for all of them by
the same table. One that a single replica cannot load or that fails its probe is refused: the champion stays
whoever it was, a canary's or shadow's place stays empty, until the record speaks of the model again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.rl.acts import Role, Roles
from tg_actors.rl.manifest import model_id, parse_model_id

#: Refusals that are remembered for the reader of the status.
_REFUSALS_KEPT = 50


class Place(Message):
    """The versions of one model in force, None where there is none."""

    champion: int | None = None
    canary: int | None = None
    canary_share_frac: float | None = Field(default=None, gt=0, lt=1)
    shadow: int | None = None

    def ids(self, name: str) -> tuple[str, ...]:
        """Every version that has a role, such as ``rl-aggressive@7``."""
        return tuple(model_id(name, v) for v in (self.champion, self.canary, self.shadow) if v is not None)


class Table(Message):
    """What is in force; a larger generation is a newer table of the same board."""

    board: str
    generation: int = 0
    places: dict[str, Place] = Field(default_factory=dict)

    def ids(self) -> frozenset[str]:
        """Every version that has a role in any model."""
        return frozenset(i for name, place in self.places.items() for i in place.ids(name))


class Report(Message):
    """What one replica has to say: what it holds, what it could not load, and what it has counted.

    ``answered``: requests by version. ``agreed``: by ``champion|shadow``, rows answered alike and all rows.
    """

    replica: str
    pid: int = 0
    loaded: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)
    answered: dict[str, int] = Field(default_factory=dict)
    agreed: dict[str, tuple[int, int]] = Field(default_factory=dict)


class Orders(Message):
    """What a replica is to do: hold these versions, and answer by this table."""

    wanted: tuple[str, ...]
    table: Table


class Refusal(Message):
    """A version that may not answer, and why."""

    model: str
    version: int
    role: Role
    reason: str
    replica: str
    at_ns: int


@dataclass(slots=True)
class _Replica:
    report: Report
    heard_ns: int


@dataclass(slots=True)
class _Wish:
    roles: Roles
    refused: set[int] = field(default_factory=set)

    def champion(self) -> int | None:
        """The champion of the record, or of those before it the newest that was not refused."""
        candidates = (self.roles.champion, *reversed(self.roles.former))
        return next((v for v in candidates if v is not None and v not in self.refused), None)

    def unless_refused(self, version: int | None) -> int | None:
        return None if version in self.refused else version


class Switchboard:
    """The state of all swaps. ``board`` names this incarnation; times come from outside."""

    def __init__(self, board: str, silent_ns: int) -> None:
        self.table = Table(board=board)
        self.refusals: list[Refusal] = []
        self.swaps = 0
        self._silent_ns = silent_ns
        self._wishes: dict[str, _Wish] = {}
        self._replicas: dict[str, _Replica] = {}
        self._past = Tally()

    def wish(self, roles: Mapping[str, Roles]) -> None:
        """Take in the record; a model of which it says something new is tried anew."""
        kept = {n: w for n, w in self._wishes.items() if roles.get(n) == w.roles}
        self._wishes = {name: kept.get(name) or _Wish(said) for name, said in roles.items()}
        self._settle()

    def heard(self, report: Report, at_ns: int) -> Orders:
        """Take in what a replica says and return what it is to do."""
        self._replicas[report.replica] = _Replica(report, at_ns)
        self._forget(at_ns - self._silent_ns)
        for wanted, reason in report.failed.items():
            self._refuse(wanted, reason, report.replica, at_ns)
        self._settle()
        return Orders(wanted=self.wanted(), table=self.table)

    def wanted(self) -> tuple[str, ...]:
        """Return every version that a replica should hold: in force, or to come."""
        coming = {i for name, wish in self._wishes.items() for i in self._coming(name, wish).ids(name)}
        return tuple(sorted(coming | self.table.ids()))

    def settled(self) -> bool:
        """Whether all that the record wishes, and was not refused, is in force."""
        places = {name: self._coming(name, wish) for name, wish in self._wishes.items()}
        return places == self.table.places

    def tally(self) -> "Tally":
        """Return what all replicas have counted, those that are gone included."""
        total = Tally().plus(self._past)
        for replica in self._replicas.values():
            total = total.plus(Tally.of(replica.report))
        return total

    def status(self) -> dict[str, Any]:
        """Return everything a reader may want to know, as plain data."""
        tally = self.tally()
        return {
            "generation": self.table.generation,
            "settled": self.settled(),
            "swaps": self.swaps,
            "models": {name: place.model_dump() for name, place in sorted(self.table.places.items())},
            "wanted": list(self.wanted()),
            "replicas": [
                {"replica": name, "pid": r.report.pid, "loaded": list(r.report.loaded)}
                for name, r in sorted(self._replicas.items())
            ],
            "refused": [refusal.model_dump(mode="json") for refusal in self.refusals],
            "answered": dict(sorted(tally.answered.items())),
            "shadows": [_shadow_row(pair, *counts) for pair, counts in sorted(tally.agreed.items())],
        }

    def _coming(self, name: str, wish: _Wish) -> Place:
        """The place as it is to be once every replica is ready."""
        canary = wish.unless_refused(wish.roles.canary)
        now = self.table.places.get(name, Place())
        champion = wish.champion()
        if wish.roles.champion in wish.refused and now.champion is not None:
            champion = now.champion
        return Place(
            champion=champion,
            canary=canary,
            canary_share_frac=wish.roles.canary_share_frac if canary is not None else None,
            shadow=wish.unless_refused(wish.roles.shadow),
        )

    def _settle(self) -> None:
        """Bring into force what every live replica has proved."""
        places = {name: self._possible(name, wish) for name, wish in self._wishes.items()}
        if places == self.table.places:
            return
        self.swaps += sum(
            place.champion != self.table.places.get(name, Place()).champion for name, place in places.items()
        )
        self.table = self.table.model_copy(update={"generation": self.table.generation + 1, "places": places})

    def _possible(self, name: str, wish: _Wish) -> Place:
        coming, now = self._coming(name, wish), self.table.places.get(name, Place())
        held = self._held_by_all()
        if all(i in held for i in coming.ids(name)):
            return coming
        # A role that ends, ends at once; a version that is not ready keeps nobody else waiting.
        champion = coming.champion if _is_held(name, coming.champion, held) else now.champion
        canary = coming.canary if _is_held(name, coming.canary, held) else None
        return Place(
            champion=champion,
            canary=canary,
            canary_share_frac=coming.canary_share_frac if canary is not None else None,
            shadow=coming.shadow if _is_held(name, coming.shadow, held) else None,
        )

    def _held_by_all(self) -> frozenset[str]:
        held = [frozenset(replica.report.loaded) for replica in self._replicas.values()]
        return frozenset.intersection(*held) if held else frozenset()

    def _refuse(self, wanted: str, reason: str, replica: str, at_ns: int) -> None:
        """Count a failure against a version, unless it has proved itself to all others and is in force."""
        name, version = parse_model_id(wanted)
        wish = self._wishes.get(name)
        if wish is None or version in wish.refused or wanted in self.table.ids():
            return
        for role in _roles_of(version, wish):
            self.refusals.append(
                Refusal(model=name, version=version, role=role, reason=reason, replica=replica, at_ns=at_ns)
            )
        del self.refusals[:-_REFUSALS_KEPT]
        wish.refused.add(version)

    def _forget(self, before_ns: int) -> None:
        """A replica that says nothing is gone, and keeps nobody waiting."""
        for name in [n for n, replica in self._replicas.items() if replica.heard_ns < before_ns]:
            self._past = self._past.plus(Tally.of(self._replicas.pop(name).report))


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests by version, and by ``champion|shadow`` the rows answered alike and all rows."""

    answered: Mapping[str, int] = field(default_factory=dict)
    agreed: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, report: Report) -> "Tally":
        """What one replica has counted."""
        return cls(report.answered, report.agreed)

    def plus(self, other: "Tally") -> "Tally":
        """Return the sum."""
        answered, agreed = dict(self.answered), dict(self.agreed)
        for version, count in other.answered.items():
            answered[version] = answered.get(version, 0) + count
        for pair, (same, rows) in other.agreed.items():
            before = agreed.get(pair, (0, 0))
            agreed[pair] = (before[0] + same, before[1] + rows)
        return Tally(answered, agreed)


def missing(orders: Orders, held: Iterable[str], failed: Iterable[str]) -> tuple[str, ...]:
    """What a replica has yet to load; what failed is tried again only while it is in force elsewhere."""
    out = set(held) | (set(failed) - orders.table.ids())
    return tuple(i for i in orders.wanted if i not in out)


def _is_held(name: str, version: int | None, held: frozenset[str]) -> bool:
    return version is not None and model_id(name, version) in held


def _roles_of(version: int, wish: _Wish) -> Iterator[Role]:
    found = [role for role in Role if wish.roles.version_of(role) == version]
    yield from found or [Role.CHAMPION]


def _shadow_row(pair: str, same: int, rows: int) -> dict[str, Any]:
    champion, _, shadow = pair.partition("|")
    agreement = same / rows if rows else None
    return {"champion": champion, "shadow": shadow, "rows": rows, "agreement_frac": agreement}
