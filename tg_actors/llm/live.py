"""A wire to a real vendor: circuit, budget, deadline and clock around one POST."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from tg_actors.domain.money import ZERO
from tg_actors.llm.budget import Spending
from tg_actors.llm.circuit import Circuit
from tg_actors.llm.cost import cost_usd, worst_request_usd
from tg_actors.llm.exchange import Exchange, RawAnswer, Sender
from tg_actors.llm.faults import MAYBE_BILLED, Fault, FaultKind, ProviderError, fault, fault_of
from tg_actors.llm.providers.spec import Price, ProviderSpec, Reply, WireRequest
from tg_actors.llm.providers.table import read

_ERROR = 400
_MS = 1e6


def reply_usd(row: ProviderSpec, reply: Reply, at_ns: int, prices: Mapping[str, Price]) -> Decimal | None:
    """Return what a reply has cost by the model that served it, None where nobody knows."""
    return None if reply.usage is None else cost_usd(row, reply.served_model, reply.usage, at_ns, prices)


class Purse(Protocol):
    """Who holds the money."""

    def reserve(self, model: str, usd: Decimal | None, at_ns: int) -> Spending | str:
        """Promise money, or say why not."""
        ...

    def settle(self, reserved: Spending, usd: Decimal | None) -> None:
        """Say what a call has cost, None where nobody knows."""
        ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """The time of day and a clock that never jumps, both in nanoseconds."""

    wall_ns: Callable[[], int]
    monotonic_ns: Callable[[], int]


class LiveWire:
    """One model at one vendor.

    Before a call: the circuit must be closed and the most it may cost is reserved. After it: what it has cost
    is settled; where the vendor may bill for nothing, all of the reservation is gone. A call that is cut off
    from outside stays reserved.
    """

    def __init__(
        self,
        row: ProviderSpec,
        model: str,
        sender: Sender,
        purse: Purse,
        clocks: Clocks,
        prices: Mapping[str, Price],
        circuit: Circuit | None = None,
    ) -> None:
        self._row = row
        self._model = model
        self._sender = sender
        self._purse = purse
        self._clocks = clocks
        self._prices = prices
        self.circuit = circuit or Circuit()

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:
        """Make one attempt within the time that remains."""
        at_ns = self._clocks.wall_ns()
        if not self.circuit.admit(at_ns):
            return self._unasked(request, at_ns, FaultKind.CIRCUIT_OPEN, f"{self._model} failed too often")
        most = worst_request_usd(self._row, request, at_ns, self._prices)
        reserved = self._purse.reserve(self._model, most, at_ns)
        if isinstance(reserved, str):
            self.circuit.abandoned()
            return self._unasked(request, at_ns, FaultKind.BUDGET, reserved)
        began_ns, is_judged = self._clocks.monotonic_ns(), False
        try:
            answer, failed = await self._post(request, remaining_s)
            is_judged = True
        finally:
            if not is_judged:
                self.circuit.abandoned()
        took_ns = self._clocks.monotonic_ns() - began_ns
        reply, failed = self._reply(request, answer, failed)
        self._conclude(reserved, reply, failed, at_ns + took_ns)
        return Exchange(
            key=request.key(),
            at_ns=at_ns,
            latency_ms=took_ns / _MS,
            answer=answer,
            fault=failed,
            client=self._sender.client,
        )

    def now_ns(self) -> int:
        """Read a clock that never jumps."""
        return self._clocks.monotonic_ns()

    async def _post(self, request: WireRequest, remaining_s: float) -> tuple[RawAnswer | None, Fault | None]:
        try:
            async with asyncio.timeout(remaining_s):
                answer = await self._sender.send(request)
        except TimeoutError:
            return None, fault(FaultKind.TIMEOUT, f"no answer within {remaining_s:.3g} s")
        except ProviderError as error:
            return None, error.fault
        if answer.status >= _ERROR:
            return answer, fault_of(answer.status, answer.headers, answer.text, self._row.may_drop)
        return answer, None

    def _reply(
        self, request: WireRequest, answer: RawAnswer | None, failed: Fault | None
    ) -> tuple[Reply | None, Fault | None]:
        if answer is None or failed is not None:
            return None, failed
        try:
            return read(request.dialect, answer.text), None
        except ProviderError as error:
            return None, error.fault

    def _conclude(self, reserved: Spending, reply: Reply | None, failed: Fault | None, now_ns: int) -> None:
        if failed is not None:
            self.circuit.failed(failed, now_ns)
            self._purse.settle(reserved, None if failed.kind in MAYBE_BILLED else ZERO)
            return
        self.circuit.succeeded()
        self._purse.settle(
            reserved, None if reply is None else reply_usd(self._row, reply, now_ns, self._prices)
        )

    def _unasked(self, request: WireRequest, at_ns: int, kind: FaultKind, why: str) -> Exchange:
        return Exchange(
            key=request.key(), at_ns=at_ns, latency_ms=0.0, answer=None, fault=fault(kind, why), client=""
        )
