"""The trades beside a capture, handed to a tracker in step with the book's messages."""

from tg_actors.market.books.recorded import Prints, RecordedBooks, read_prints
from tg_actors.market.books.tracker import BookTracker


class TradeTape:
    """Plays each trade once, before the first message that is no older; nothing where there is no record."""

    def __init__(self, prints: Prints | None) -> None:
        self.is_known = prints is not None
        self._rows: list[tuple[int, float, float, float]] = []
        if prints is not None:
            columns = (prints.at_ns, prints.price, prints.size, prints.side)
            self._rows = list(zip(*(column.tolist() for column in columns), strict=True))
        self._next = 0

    @classmethod
    def of(cls, capture: RecordedBooks) -> "TradeTape":
        """Open the trades of a capture's instrument and day, if there are any.

        Raises:
            UserError: the file is damaged.
        """
        path = capture.trades()
        return cls(None if path is None else read_prints(path))

    def play(self, at_ns: int, tracker: BookTracker) -> None:
        """Hand over the trades up to an instant."""
        while self._next < len(self._rows) and self._rows[self._next][0] <= at_ns:
            _, price, size, side = self._rows[self._next]
            tracker.trade(price, size, int(side))
            self._next += 1
