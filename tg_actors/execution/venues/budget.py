"""Keep below a venue's limits: a bucket of calls that refills; bursts are free until it is empty."""

from collections.abc import Callable


class Budget:
    """Spend tokens, waiting for the missing ones.

    Args:
        burst: tokens in a full bucket.
        per_s: how fast it refills.
        now_s: a monotonic clock.
        wait_s: waits that many seconds.
    """

    def __init__(
        self, burst: float, per_s: float, now_s: Callable[[], float], wait_s: Callable[[float], None]
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._now_s = now_s
        self._wait_s = wait_s
        self._tokens = burst
        self._at_s = now_s()

    def spend(self, tokens: float) -> None:
        """Take tokens out, after the wait that they need."""
        now_s = self._now_s()
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._per_s) - tokens
        self._at_s = now_s
        if self._tokens < 0:
            self._wait_s(-self._tokens / self._per_s)
