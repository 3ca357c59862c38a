"""Bar lengths by their usual names, and instants written as text."""

from datetime import UTC, datetime
from enum import StrEnum

from tg_actors.domain.errors import UserError

_SECOND_NS = 10**9


class Timeframe(StrEnum):
    """Length of a bar, named as venues and data files name it."""

    MIN_1 = "1m"
    MIN_5 = "5m"
    MIN_15 = "15m"
    MIN_30 = "30m"
    HOUR_1 = "1h"
    HOUR_4 = "4h"
    DAY_1 = "1d"

    @property
    def bar_ns(self) -> int:
        """Length of one bar in nanoseconds."""
        return int(self.value[:-1]) * _UNIT_NS[self.value[-1]]


_UNIT_NS = {"m": 60 * _SECOND_NS, "h": 3_600 * _SECOND_NS, "d": 86_400 * _SECOND_NS}


def instant_ns(text: str) -> int:
    """Read an ISO 8601 date or time as UTC nanoseconds; a time without a zone is UTC.

    Raises:
        UserError: the text is no date.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{text!r} is no date: write 2024-01-31 or 2024-01-31T12:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _SECOND_NS + since.microseconds * 1_000


def instant_text(at_ns: int) -> str:
    """Write UTC nanoseconds as ``2024-01-31T12:00:00Z``, cut to whole seconds."""
    return datetime.fromtimestamp(at_ns // _SECOND_NS, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
