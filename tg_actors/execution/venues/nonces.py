"""Nonces: strictly increasing numbers, and with a fence in them an order between executors."""

from collections.abc import Callable

#: Milliseconds since 1970 take 41 bits; epochs go above, and 500,000 of them stay below 2**63.
_EPOCH_SHIFT = 44


class Nonces:
    """Milliseconds, never twice.

    Args:
        now_ms: the wall clock.
        epoch: makes every nonce of this epoch larger than all of older ones, so that the venue itself
            refuses an older executor. A key that has seen such a nonce takes no plain one ever again.
    """

    def __init__(self, now_ms: Callable[[], int], epoch: int | None = None) -> None:
        self._now_ms = now_ms
        self._floor = 0 if epoch is None else epoch << _EPOCH_SHIFT
        self._last = 0

    def __call__(self) -> int:
        """Return the next one."""
        self._last = max(self._last + 1, self._floor + self._now_ms())
        return self._last
