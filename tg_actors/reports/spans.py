"""Which part of a run a report covers: all of it, one UTC day, or one week."""

from collections.abc import Sequence
from dataclasses import dataclass

from tg_actors.domain.errors import UserError
from tg_actors.market.timeframes import instant_ns, instant_text
from tg_actors.portfolio.performance import DAY_NS

#: 1970-01-01 was a Thursday; weeks begin on Monday (ISO 8601).
_DAYS_AFTER_MONDAY = 3
WEEK_NS = 7 * DAY_NS


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: marks after ``start_ns`` up to and including ``end_ns`` belong to it."""

    name: str
    start_ns: int
    end_ns: int

    def holds(self, at_ns: int) -> bool:
        """Whether something that was marked at an instant belongs to this span."""
        return self.start_ns < at_ns <= self.end_ns


def whole(first_ns: int, last_ns: int) -> Span:
    """Return the span of a whole run; the first mark belongs to it."""
    return Span("run", first_ns - 1, last_ns)


def day_of(at_ns: int) -> Span:
    """Return the UTC day of a mark; a mark at midnight closes the day before."""
    start_ns = (at_ns - 1) // DAY_NS * DAY_NS
    return Span(f"day {instant_text(start_ns)[:10]}", start_ns, start_ns + DAY_NS)


def week_of(at_ns: int) -> Span:
    """Return the ISO week (Monday to Sunday, UTC) of a mark."""
    days = (at_ns - 1) // DAY_NS
    start_ns = (days - (days + _DAYS_AFTER_MONDAY) % 7) * DAY_NS
    return Span(f"week of {instant_text(start_ns)[:10]}", start_ns, start_ns + WEEK_NS)


def chosen(kind: str, date: str | None, last_ns: int) -> Span:
    """Return the day or week that holds a date, by default that of the newest mark.

    Raises:
        UserError: the date is none.
    """
    at_ns = last_ns if date is None else instant_ns(date) + 1
    return _KINDS[kind](at_ns)


_KINDS = {"daily": day_of, "weekly": week_of}


def require_marks(span: Span, marks_ns: Sequence[int]) -> None:
    """Make sure that a run has anything to say about a span; ``marks_ns`` are its decisions, rising.

    Raises:
        UserError: it was decided at another time, or not at all.
    """
    if not marks_ns:
        raise UserError("this run has not decided anything yet: there is nothing to report")
    if not any(map(span.holds, marks_ns)):
        raise UserError(
            f"this run decided nothing in the {span.name}: it covers {instant_text(marks_ns[0])} to "
            f"{instant_text(marks_ns[-1])}, choose a date in it"
        )
