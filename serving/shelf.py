"""The versions that a replica holds: those with a role always, others by turns, the longest unused leaves."""

from collections import OrderedDict
from collections.abc import Iterable

from tg_actors.rl.policy import NumpyPolicy


class Shelf:
    """At most ``kept_max`` versions without a role beside all that have one."""

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._held: OrderedDict[str, NumpyPolicy] = OrderedDict()
        self._wanted: frozenset[str] = frozenset()

    def __contains__(self, model_id: str) -> bool:
        return model_id in self._held

    def ids(self) -> tuple[str, ...]:
        """Return what is held, sorted."""
        return tuple(sorted(self._held))

    def want(self, ids: Iterable[str]) -> None:
        """Say what must stay."""
        self._wanted = frozenset(ids)
        self._make_room()

    def put(self, model_id: str, policy: NumpyPolicy) -> None:
        """Hold a version."""
        self._held[model_id] = policy
        self._held.move_to_end(model_id)
        self._make_room()

    def get(self, model_id: str) -> NumpyPolicy | None:
        """Return a version, None when it is not held."""
        policy = self._held.get(model_id)
        if policy is not None:
            self._held.move_to_end(model_id)
        return policy

    def _make_room(self) -> None:
        spare = [model_id for model_id in self._held if model_id not in self._wanted]
        for model_id in spare[: max(0, len(spare) - self._kept_max)]:
            del self._held[model_id]
