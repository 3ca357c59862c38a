"""One round with a vendor: attempts within one patience, retried as :mod:`tg_actors.llm.backoff` says.

Time is what the attempts say has passed, so that a replay, which takes none, decides the same.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tg_actors.llm.backoff import next_step
from tg_actors.llm.cassette import Talk
from tg_actors.llm.exchange import Exchange
from tg_actors.llm.faults import Fault, FaultKind, ProviderError, fault
from tg_actors.llm.providers.spec import Dialect, Reply, WireRequest
from tg_actors.llm.providers.table import read

_MS = 1e-3
#: Kept back of a deadline, for what is neither waiting nor asking.
_MARGIN_FRAC, _MARGIN_S_MAX = 0.1, 1.0
#: Less than this is not worth a connection.
_ATTEMPT_S_MIN = 0.01


class Patience:
    """How long one decision may still take, in all."""

    def __init__(self, deadline_s: float) -> None:
        self._most_s = deadline_s - min(deadline_s * _MARGIN_FRAC, _MARGIN_S_MAX)
        self.spent_s = 0.0

    @property
    def remaining_s(self) -> float:
        """What is left, 0 at least."""
        return max(self._most_s - self.spent_s, 0.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of a round: a reply or a fault, and every attempt."""

    reply: Reply | None
    fault: Fault | None
    exchanges: tuple[Exchange, ...]


#: The request of a round, without some parameters.
Build = Callable[[frozenset[str]], WireRequest]


async def ask(talk: Talk, build: Build, patience: Patience, attempts_max: int) -> Asked:
    """Ask until there is a reply, or nothing more is to be done in time.

    What the vendor refuses is added to ``talk.dropped``.
    """
    exchanges: list[Exchange] = []
    while patience.remaining_s >= _ATTEMPT_S_MIN:
        request = build(talk.dropped)
        exchange = await talk.send(request, patience.remaining_s)
        exchanges.append(exchange)
        patience.spent_s = exchange.elapsed_ms * _MS
        reply, failed = outcome_of(request.dialect, exchange)
        if failed is None:
            return Asked(reply, None, tuple(exchanges))
        step = next_step(
            failed, len(exchanges), attempts_max, patience.remaining_s, exchange.key, talk.dropped
        )
        if step.wait_s is None:
            return Asked(None, failed, tuple(exchanges))
        if step.drop is not None:
            talk.dropped |= {step.drop}
        await talk.wait(step.wait_s)
        patience.spent_s += step.wait_s
    return Asked(None, fault(FaultKind.TIMEOUT, "no time was left to ask"), tuple(exchanges))


def outcome_of(dialect: Dialect, exchange: Exchange) -> tuple[Reply | None, Fault | None]:
    """Return what an attempt brought: a reply, or why there is none."""
    if exchange.fault is not None or exchange.answer is None:
        return None, exchange.fault or fault(FaultKind.MALFORMED, "neither an answer nor a fault")
    try:
        return read(dialect, exchange.answer.text), None
    except ProviderError as error:
        return None, error.fault
