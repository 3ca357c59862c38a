"""A circuit breaker for one model at one vendor, pure: outcomes in, may we ask or not."""

from enum import StrEnum

from tg_actors.llm.faults import Fault, FaultKind

_S = 10**9
#: Nothing that passes by itself: a person must act, and each further call would only be refused.
_STANDING = frozenset({FaultKind.AUTH, FaultKind.QUOTA, FaultKind.NOT_FOUND})
_COUNTING = frozenset(
    {
        FaultKind.RATE_LIMIT,
        FaultKind.OVERLOADED,
        FaultKind.SERVER,
        FaultKind.TRANSPORT,
        FaultKind.UNREACHABLE,
        FaultKind.TIMEOUT,
        FaultKind.MALFORMED,
    }
)


class CircuitState(StrEnum):
    """Closed: ask. Open: do not. Half open: one call may find out."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """Stop asking a vendor that does not answer.

    CLOSED -> OPEN after ``failures_max`` failures in a row, at once where only a person can help, and where
    the vendor names a time to wait that is longer than ``cool_s``; OPEN -> HALF_OPEN when the time is over;
    then one answer closes it and one failure opens it again. A request that was wrong (``bad_request``,
    ``context_overflow``) says nothing about the vendor. Equal calls at equal times give equal states.
    """

    def __init__(self, failures_max: int = 5, cool_s: float = 60.0, standing_s: float = 3600.0) -> None:
        self._failures_max = failures_max
        self._cool_ns, self._standing_ns = int(cool_s * _S), int(standing_s * _S)
        self._failures = 0
        self._open_until_ns: int | None = None
        self._is_probing = False

    def state(self, now_ns: int) -> CircuitState:
        """Return the state at an instant."""
        if self._open_until_ns is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now_ns < self._open_until_ns else CircuitState.HALF_OPEN

    def admit(self, now_ns: int) -> bool:
        """Return whether a call may go out; a half-open circuit lets one through until it is judged."""
        state = self.state(now_ns)
        if state is CircuitState.HALF_OPEN:
            allowed, self._is_probing = not self._is_probing, True
            return allowed
        return state is CircuitState.CLOSED

    def succeeded(self) -> None:
        """Take note of an answer."""
        self._failures, self._open_until_ns, self._is_probing = 0, None, False

    def failed(self, fault: Fault, now_ns: int) -> None:
        """Take note of a failure."""
        probing, self._is_probing = self._is_probing, False
        if fault.kind in _STANDING:
            self._open(now_ns + self._standing_ns)
        if fault.kind not in _COUNTING:
            return
        self._failures += 1
        asked_ns = int((fault.retry_after_s or 0.0) * _S)
        if asked_ns > self._cool_ns:
            self._open(now_ns + asked_ns)
        elif probing or self._failures >= self._failures_max:
            self._open(now_ns + max(self._cool_ns, asked_ns))

    def abandoned(self) -> None:
        """Take note that a call that was admitted was never made, or never judged."""
        self._is_probing = False

    def _open(self, until_ns: int) -> None:
        self._open_until_ns = max(until_ns, self._open_until_ns or 0)
