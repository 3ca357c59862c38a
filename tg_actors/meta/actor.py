"""Ray shell of the meta agent. Decides nothing."""

import ray

from tg_actors.domain.decisions import Targets
from tg_actors.meta.ensemble import CombineRequest, EqualWeightEnsemble, MetaSpec


class MetaActor:
    """Mailbox around :class:`EqualWeightEnsemble`, which remembers nothing: a new process is as good."""

    def __init__(self, spec: MetaSpec) -> None:
        self._ensemble = EqualWeightEnsemble(spec.agents, spec.config)

    @ray.method
    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures; the same request gives the same answer."""
        return self._ensemble.combine(request)

    @ray.method
    def recall(self, weights: dict[str, float] | None) -> None:
        """Take back the journaled weights; equal weights follow from who is heard and need none."""

    def __repr__(self) -> str:
        return "MetaActor"
