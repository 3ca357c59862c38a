"""Clocks that a test holds in its hands."""

from tests.desk_words import BAR_NS

NS = 10**9


class HandClock:
    """Desk time runs on from the newest snapshot as far as the test lets it; wall time likewise."""

    def __init__(self) -> None:
        self.wall = 10**18
        self.late_ns = 0
        self._newest = 0

    def desk_ns(self, at_ns: int) -> int:
        self._newest = max(self._newest, at_ns + self.late_ns)
        return self._newest

    def wall_ns(self) -> int:
        return self.wall

    def wait(self, seconds: float) -> None:
        """Let real time pass; the market's stands still unless ``late_ns`` says otherwise."""
        self.wall += int(seconds * NS)

    def be_late(self, bars: float) -> None:
        """Work on every snapshot so many bars after it was taken."""
        self.late_ns = int(bars * BAR_NS)
