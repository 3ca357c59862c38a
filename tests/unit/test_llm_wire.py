"""The wire around one POST, with a sender and clocks of our own: money, circuit, what is never asked."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

import pytest

from tests.llm_words import models, prompt
from tg_actors.llm.briefing import question_of
from tg_actors.llm.circuit import Circuit, CircuitState
from tg_actors.llm.cost import worst_request_usd
from tg_actors.llm.exchange import Exchange, RawAnswer
from tg_actors.llm.faults import FaultKind, ProviderError, fault
from tg_actors.llm.live import Clocks, LiveWire
from tg_actors.llm.providers.spec import Dialect, WireRequest
from tg_actors.llm.providers.table import request_of
from tg_actors.llm.rehearsal.faults import MemoryPurse
from tg_actors.llm.rehearsal.scene import observation
from tg_actors.llm.rehearsal.vendor import reply_text
from tg_actors.market.timeframes import instant_ns

NOON = instant_ns("2026-11-21T12:00")
S = 10**9
SPEC = models().models["gpt-4o"]
REQUEST = request_of(SPEC.row, question_of(SPEC, prompt(), observation(), (), frozenset()))
MOST = worst_request_usd(SPEC.row, REQUEST, NOON, {})


class Sender:
    """Does what it is told."""

    client = "test 1.0"

    def __init__(self, act: Callable[[], Awaitable[RawAnswer]]) -> None:
        self._act = act

    async def send(self, request: WireRequest) -> RawAnswer:
        assert request == REQUEST
        return await self._act()


def raising(kind: FaultKind) -> Callable[[], Awaitable[RawAnswer]]:
    async def act() -> RawAnswer:
        raise ProviderError(fault(kind, "so"))

    return act


def answering(
    model: str = "gpt-5.6-luna", *, usage: tuple[int, int] | None = (1000, 100)
) -> Callable[[], Awaitable[RawAnswer]]:
    async def act() -> RawAnswer:
        return RawAnswer(status=200, headers={}, text=reply_text(Dialect.CHAT, model, "{}", usage=usage))

    return act


async def forever() -> RawAnswer:
    await asyncio.Event().wait()
    raise AssertionError


def wire(
    act: Callable[[], Awaitable[RawAnswer]], circuit: Circuit | None = None, now_ns: int = NOON
) -> tuple[LiveWire, MemoryPurse]:
    purse = MemoryPurse()
    clocks = Clocks(lambda: now_ns, lambda: 0)
    return LiveWire(SPEC.row, "gpt-4o", Sender(act), purse, clocks, {}, circuit), purse


def sent(made: LiveWire, remaining_s: float = 30.0) -> Exchange:
    return asyncio.run(made.send(REQUEST, remaining_s))


@pytest.mark.parametrize(
    ("act", "spent"),
    [
        (answering(), Decimal("0.00032")),
        (answering("gpt-moon"), MOST),
        (answering(usage=None), MOST),
        (raising(FaultKind.TRANSPORT), MOST),
        (raising(FaultKind.UNREACHABLE), Decimal(0)),
        (raising(FaultKind.TIMEOUT), MOST),
    ],
)
def test_what_nobody_can_rule_out_stays_spent(
    act: Callable[[], Awaitable[RawAnswer]], spent: Decimal
) -> None:
    made, purse = wire(act)
    exchange = sent(made)
    assert purse.budget.spent_usd(NOON) == spent
    assert (exchange.key, exchange.client) == (REQUEST.key(), "test 1.0")


def test_a_call_that_hangs_is_cut_off_and_stays_spent() -> None:
    made, purse = wire(forever)
    exchange = sent(made, 0.01)
    assert exchange.fault is not None
    assert exchange.fault.kind is FaultKind.TIMEOUT
    assert purse.budget.spent_usd(NOON) == MOST


def test_a_call_that_is_given_up_leaves_room_for_another_probe() -> None:
    circuit = Circuit(failures_max=1, cool_s=1.0)
    circuit.failed(fault(FaultKind.SERVER, ""), NOON - 2 * S)
    made, _ = wire(forever, circuit)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.send(REQUEST, 30.0), 0.01)

    asyncio.run(give_up())
    assert circuit.state(NOON) is CircuitState.HALF_OPEN
    assert circuit.admit(NOON)


def test_an_open_circuit_asks_nobody_and_spends_nothing() -> None:
    circuit = Circuit()
    circuit.failed(fault(FaultKind.AUTH, ""), NOON)
    made, purse = wire(answering(), circuit)
    exchange = sent(made)
    assert exchange.fault is not None
    assert (exchange.fault.kind, exchange.answer) == (FaultKind.CIRCUIT_OPEN, None)
    assert purse.budget.spent_usd(NOON) == 0


def test_an_answer_closes_the_circuit() -> None:
    circuit = Circuit(failures_max=1, cool_s=1.0)
    circuit.failed(fault(FaultKind.SERVER, ""), NOON - 2 * S)
    made, _ = wire(answering(), circuit)
    assert sent(made).fault is None
    assert circuit.state(NOON) is CircuitState.CLOSED
