"""Load the past that a desk's windows show when it starts in the middle."""

from collections.abc import Iterator

from tg_actors.market.border import Border
from tg_actors.market.feed import Archive, DaySource, Feed
from tg_actors.market.windows import DAY_NS, Windows

#: Cycles read at once, of all instruments: a simulated market makes them together.
_CHUNK_CYCLES = 256
#: Read before the oldest bar shown, so that a late row at the edge is told from one in order.
_MARGIN_CYCLES = 64


def recall(windows: Windows, feed: Feed, cycle: int) -> frozenset[int]:
    """Fill windows that cover the cycle before ``cycle`` with all that had arrived before it.

    Returns:
        Instruments of whose running day the beginning may be missing: a live venue shows only so much.
    """
    border = Border(len(feed.symbols), feed.start_ns, feed.bar_ns)
    if isinstance(feed, Archive):
        return _recall_live(windows, feed, border, len(feed.symbols), cycle)
    if isinstance(feed, DaySource):
        _recall_days(windows, feed, len(feed.symbols))
    first = min(windows.first_bar_seen, windows.cycle_at(windows.first_day_seen))
    for low, high in _chunks(first - _MARGIN_CYCLES, cycle):
        for i in range(len(feed.symbols)):
            admission = border.admit(i, feed.rows(i, low, high - low), cycle - 1, cycle)
            windows.fill(i, admission.accepted, admission.accepted_cycle)
    return frozenset()


def end_days(windows: Windows, archive: Archive, day: int, beheaded: frozenset[int]) -> None:
    """Put the venue's own bar in the place of a day that is over and whose beginning we have not seen.

    Without such a bar the day is unknown.
    """
    days = Border(max(beheaded, default=0) + 1, 0, DAY_NS)
    for i in beheaded:
        windows.forget_day(i, day)
        windows.enter_days(i, days.admit(i, archive.daily(i, (day + 1) * DAY_NS, 1), 0, day + 1).accepted)


def _recall_days(windows: Windows, source: DaySource, n: int) -> None:
    """Days to which no bar belongs."""
    count = windows.running_day - windows.first_day_seen
    for i in range(n if count else 0):
        windows.enter_days(i, source.days_before(i, windows.running_day * DAY_NS, count))


def _recall_live(windows: Windows, archive: Archive, border: Border, n: int, cycle: int) -> frozenset[int]:
    """Bars as far as a window goes and for the running day; the days before in the venue's own words."""
    today, count = windows.running_day, windows.running_day - windows.first_day_seen
    first = min(windows.first_bar_seen, windows.cycle_at(today))
    days, beheaded = Border(n, 0, DAY_NS), []
    for i in range(n):
        admission = border.admit(i, archive.past(i, first, cycle), cycle - 1, cycle)
        rows, cycles = admission.accepted, admission.accepted_cycle
        windows.fill_window(i, rows, cycles)
        if count:
            fresh = rows.open_ns >= today * DAY_NS
            windows.fill_days(i, rows.pick(fresh), cycles[fresh])
            daily = archive.daily(i, today * DAY_NS, count)
            windows.enter_days(i, days.admit(i, daily, 0, today).accepted)
            if windows.cycle_at(today) < cycle and today * DAY_NS not in rows.open_ns:
                beheaded.append(i)
    return frozenset(beheaded)


def _chunks(first: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut cycles where the blocks of a simulated market meet."""
    for low in range(first // _CHUNK_CYCLES * _CHUNK_CYCLES, end, _CHUNK_CYCLES):
        yield max(low, first), min(low + _CHUNK_CYCLES, end)
