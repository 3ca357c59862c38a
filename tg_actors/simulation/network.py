"""The line between the desk and the venue: requests and answers are lost, late, doubled or garbled."""

from collections.abc import Callable
from typing import TypeVar

from tg_actors.domain.errors import VenueError
from tg_actors.simulation.faults import Dice
from tg_actors.simulation.scheduler import MS, NS, Process, Promise, Scheduler

_T = TypeVar("_T")

#: The client gives up after this long; its request may still arrive.
TIMEOUT_NS = 10 * NS
_TRAVEL_NS = (5 * MS, 120 * MS)
_DELAY_NS = (NS, 20 * NS)
_LONG_DELAY_NS = (20 * NS, 60 * NS)
_LONG_FRAC = 0.25


class Network:
    """Carries requests to the venue. What is on its way goes on, whatever happens to its sender."""

    def __init__(self, scheduler: Scheduler, dice: Dice) -> None:
        self.dice = dice
        self.cut_until_ns = 0
        self.maintenance_until_ns = 0
        self._scheduler = scheduler

    def ask(self, process: Process, what: str, handle: Callable[[], _T], *, once: bool = True) -> _T:
        """Send a request and wait for the answer.

        Args:
            process: who asks.
            what: for the trace.
            handle: what the venue does when the request arrives.
            once: whether the request carries a number by which the venue knows a copy of it.

        Raises:
            VenueError: no usable answer came; what the venue did is unknown.
        """
        process.gate(f"ask: {what}")
        answer: Promise[tuple[bool, _T | None]] = Promise()
        self._send(what, handle, answer, once=once)
        if not process.wait(answer, TIMEOUT_NS):
            process.gate(f"no answer: {what}")
            raise VenueError("no answer came", retryable=True)
        process.gate(f"answered: {what}")
        sound, value = answer.value or (False, None)
        if not sound:
            raise VenueError("the answer makes no sense", retryable=True)
        return value  # type: ignore[return-value]  # a sound answer holds what the venue said

    def _send(
        self, what: str, handle: Callable[[], _T], answer: Promise[tuple[bool, _T | None]], *, once: bool
    ) -> None:
        dice, scheduler = self.dice, self._scheduler
        if scheduler.now_ns < self.cut_until_ns:
            dice.count("partition")
            return
        if dice.roll("request_lost"):
            scheduler.trace.note(scheduler.now_ns, "network", f"lost: {what}")
            return
        travel_ns = dice.between(*_TRAVEL_NS)
        if dice.roll("request_delayed"):
            travel_ns = self._delay_ns()
            scheduler.trace.note(scheduler.now_ns, "network", f"delayed {travel_ns / NS:.1f} s: {what}")
        done: list[bool] = []

        def arrive() -> None:
            if done and once:
                return  # the venue has seen this very request
            done.append(True)
            self._arrive(what, handle, answer)

        scheduler.after(travel_ns, arrive)
        if dice.roll("request_duplicated"):
            scheduler.after(travel_ns + dice.between(*_DELAY_NS), arrive)

    def _arrive(self, what: str, handle: Callable[[], _T], answer: Promise[tuple[bool, _T | None]]) -> None:
        dice, scheduler = self.dice, self._scheduler
        if scheduler.now_ns < self.maintenance_until_ns:
            dice.count("maintenance")
            self._answer(answer, (False, None))
            return
        if dice.roll("error_before"):
            self._answer(answer, (False, None))
            return
        scheduler.trace.note(scheduler.now_ns, "network", f"arrived: {what}")
        value = handle()
        if dice.roll("error_after") or dice.roll("answer_garbled"):
            self._answer(answer, (False, None))
            return
        self._answer(answer, (True, value))

    def _answer(self, answer: Promise[tuple[bool, _T | None]], value: tuple[bool, _T | None]) -> None:
        dice, scheduler = self.dice, self._scheduler
        if scheduler.now_ns < self.cut_until_ns or dice.roll("answer_lost"):
            return
        travel_ns = self._delay_ns() if dice.roll("answer_delayed") else dice.between(*_TRAVEL_NS)
        scheduler.after(travel_ns, lambda: answer.keep(value))

    def _delay_ns(self) -> int:
        long = self.dice.between(0, NS) < _LONG_FRAC * NS
        return self.dice.between(*(_LONG_DELAY_NS if long else _DELAY_NS))
