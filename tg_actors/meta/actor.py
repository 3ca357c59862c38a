"""Ray shell of the meta agent. Decides nothing."""

import ray

from tg_actors.domain.decisions import Targets
from tg_actors.meta.ensemble import CombineRequest, MetaSpec
from tg_actors.meta.learning import open_ensemble
from tg_actors.runtime.actors import Watchdog


class MetaActor:
    """Mailbox around the core, whose memory travels with each request: a new process is as good."""

    def __init__(self, spec: MetaSpec) -> None:
        self._ensemble = open_ensemble(spec.agents, spec.config)
        Watchdog()

    @ray.method
    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures; the same request gives the same answer."""
        return self._ensemble.combine(request)

    def __repr__(self) -> str:
        return "MetaActor"
