"""The wall clock, for what is written beside the facts but never decides anything."""

import time


def wall_ns() -> int:
    """UTC nanoseconds since the epoch."""
    return time.time_ns()
