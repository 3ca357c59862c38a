"""Which faults a seed brings and how often: drawn per seed, so that every seed has a character of its own."""

from collections import Counter

import numpy as np

#: Chances per opportunity, at most. A seed draws each: half of them are off, the others anywhere below.
RATES_MAX: dict[str, float] = {
    # the network between executor and venue
    "request_lost": 0.15,
    "answer_lost": 0.15,
    "request_duplicated": 0.10,
    "request_delayed": 0.15,
    "answer_delayed": 0.10,
    "answer_garbled": 0.10,
    "error_before": 0.10,
    "error_after": 0.10,
    # the venue's news
    "news_lost": 0.25,
    "news_duplicated": 0.25,
    "news_late": 0.25,
    # the venue itself
    "partial_fill": 0.60,
    "slow_fill": 0.40,
    "venue_cancel": 0.05,
    "read_lag": 0.80,
    "torn_view": 0.30,
    # the disk
    "commit_error": 0.02,
    "commit_error_late": 0.02,
    # calls between coordinator and executor
    "call_lost": 0.08,
    "call_delayed": 0.10,
    "call_duplicated": 0.08,
}
_OFF_FRAC = 0.4


class Dice:
    """Decides at each opportunity whether a fault strikes, and counts those that did."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self.rates = {
            name: 0.0 if rng.random() < _OFF_FRAC else float(rng.random()) * most
            for name, most in RATES_MAX.items()
        }
        self.struck: Counter[str] = Counter()
        self.calm = False

    def roll(self, fault: str) -> bool:
        """Whether the fault strikes now; never in the quiet phase."""
        rate = 0.0 if self.calm else self.rates[fault]
        if rate == 0.0 or self._rng.random() >= rate:
            return False
        self.struck[fault] += 1
        return True

    def happens(self, chance: float) -> bool:
        """Whether something happens that is no fault."""
        return bool(self._rng.random() < chance)

    def count(self, fault: str) -> None:
        """Note a fault that somebody else has brought about."""
        self.struck[fault] += 1

    def between(self, low_ns: int, high_ns: int) -> int:
        """Draw a duration."""
        return low_ns + int(self._rng.random() * (high_ns - low_ns))
