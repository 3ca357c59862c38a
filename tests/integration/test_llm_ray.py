"""What comes of a question crosses Ray whole: outcomes, and the error that no vendor's own class survives."""

from typing import Any

import pytest

from tests.llm_words import at_bench, saying
from tg_actors.llm.faults import FaultKind, ProviderError, fault
from tg_actors.llm.rehearsal.scene import observation


@pytest.mark.ray
@pytest.mark.usefixtures("local_ray")
def test_outcomes_and_every_kind_of_error_cross_ray() -> None:
    import ray

    @ray.remote(num_cpus=0)
    def echo(sent: Any) -> Any:
        if isinstance(sent, ProviderError):
            raise sent
        return sent

    outcome = at_bench("gpt-4o", saying(), lambda made: made.decider().decide(observation()))
    assert ray.get(echo.remote(outcome)) == outcome
    for kind in FaultKind:
        sent = ProviderError(fault(kind, "why", status=500, retry_after_s=1.5, parameter="temperature"))
        with pytest.raises(ProviderError) as raised:
            ray.get(echo.remote(sent))
        assert raised.value.fault == sent.fault
        assert raised.value.retryable is sent.retryable
