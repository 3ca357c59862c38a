"""Ray shell of the risk room: a mailbox around :class:`RiskCore`. Decides nothing."""

from decimal import Decimal

import ray

from tg_actors.domain.decisions import DenialCode, Judgement, RiskState
from tg_actors.risk.judge import JudgeRequest, RiskCore, deny_all
from tg_actors.risk.limits import RiskSpec
from tg_actors.runtime.actors import Watchdog


class RiskActor:
    """Judges once it has been told what it knew; a new process denies everything until then."""

    def __init__(self, spec: RiskSpec) -> None:
        self._core = RiskCore(
            spec.limits, spec.instruments, spec.desk, spec.account, spec.bar_ns, spec.stages
        )
        self._recalled = False
        Watchdog()

    @ray.method
    def judge(self, request: JudgeRequest) -> Judgement:
        """Size, resize or deny; the same cycle again gives the same answer."""
        if not self._recalled:
            return deny_all(request, DenialCode.RISK_UNAVAILABLE, "the risk room has not been recalled yet")
        return self._core.judge(request)

    @ray.method
    def recall(self, state: RiskState | None) -> None:
        """Take back the memory of the newest judgement; None for a desk that has never judged."""
        self._core.restore(state or RiskState())
        self._recalled = True

    @ray.method
    def rearm(self, equity: Decimal) -> RiskState:
        """A person resumes trading: the breakers start again from this equity; the new memory."""
        return self._core.rearm(equity)

    def __repr__(self) -> str:
        return "RiskActor"
