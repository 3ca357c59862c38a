"""What happened in a run, in order: a running hash, and readable lines when somebody will read them."""

import hashlib

_NS = 1_000_000_000


def clock_text(since_start_ns: int) -> str:
    """Seconds since the start of the run, for people."""
    return f"{since_start_ns / _NS:12.6f} s"


class Trace:
    """Every choice of the scheduler and every effect; equal runs have equal hashes in every process."""

    def __init__(self, start_ns: int, *, keep: bool = False) -> None:
        self._start_ns = start_ns
        self._sha = hashlib.sha256()
        self._keep = keep
        self.lines: list[str] = []

    def note(self, now_ns: int, who: str, what: str) -> None:
        """Write one line: virtual time, process, what it did or what was done to it."""
        since_ns = now_ns - self._start_ns
        self._sha.update(f"{since_ns} {who} {what}\n".encode())
        if self._keep:
            self.lines.append(f"{clock_text(since_ns)}  {who:<14} {what}")

    @property
    def digest(self) -> str:
        """Hex SHA-256 of everything noted so far."""
        return self._sha.hexdigest()
