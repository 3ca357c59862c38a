"""Token buckets: how many requests a key may make. Pure: time comes with the call."""

from collections.abc import Mapping
from dataclasses import dataclass

from tg_actors.exchange.server.config import RequestLimit

_SECOND_NS = 10**9


@dataclass(slots=True)
class _Bucket:
    used: float
    at_ns: int


class RequestLimits:
    """One bucket per dialect and caller. A refused request costs nothing."""

    def __init__(self, limits: Mapping[str, RequestLimit]) -> None:
        self._limits = limits
        self._buckets: dict[tuple[str, str], _Bucket] = {}

    def admit(self, dialect: str, caller: str, cost: int, at_ns: int) -> bool:
        """Take ``cost`` tokens; False when there are not enough."""
        limit = self._limits.get(dialect)
        if limit is None:
            return True
        bucket = self._drained(dialect, caller, at_ns, limit)
        if bucket.used + cost > limit.capacity:
            return False
        bucket.used += cost
        return True

    def usage(self, dialect: str, caller: str, at_ns: int) -> int:
        """Tokens in use, rounded up; 0 where nothing is limited."""
        limit = self._limits.get(dialect)
        if limit is None:
            return 0
        return -int(-self._drained(dialect, caller, at_ns, limit).used // 1)

    def _drained(self, dialect: str, caller: str, at_ns: int, limit: RequestLimit) -> _Bucket:
        bucket = self._buckets.setdefault((dialect, caller), _Bucket(0.0, at_ns))
        seconds = max(0, at_ns - bucket.at_ns) / _SECOND_NS
        bucket.used = max(0.0, bucket.used - seconds * limit.refill_per_s)
        bucket.at_ns = max(bucket.at_ns, at_ns)
        return bucket
