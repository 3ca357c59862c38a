"""Does anything here know the future, and how much past does it need? Pure.

Look-ahead: whatever a subject says up to a bar must stay the same to the last bit when everything after it
is cut off, taken away, raised, lowered or shuffled. Recursion: what it says at a bar is compared with what it
says when it was started only so many bars before. Subjects are in ``detectors_subjects`` and
``detectors_functions``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.tape import Change, Tape
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.market.windows import DAY_NS

#: Where the future is cut, as parts of the market; moved off midnights, where resampling hides.
_CUTS = (0.37, 0.61, 0.83, 0.97)
_COLUMNS_SHOWN = 5
#: Starts of the recursive check, in bars before the point.
LENGTHS = (50, 100, 200, 300, 400, 500, 600, 750, 1_000, 1_500, 2_000, 3_000)
#: Opinions closer than this are the same for every purpose.
SAME = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """All that a subject said: ``values (bars, columns)``, NaN where it said nothing; ``columns`` name them.

    ``spoken``: how many columns, the first ones, are what it says; the next ``reasoned`` ones are why; what
    is left, such as its memory, is compared when it might know the future, and not when it starts late.
    """

    columns: tuple[str, ...]
    values: F64
    spoken: int
    reasoned: int = 0


class Subject(Protocol):
    """What is examined."""

    @property
    def name(self) -> str:
        """As the report calls it."""
        ...

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """Start at cycle ``first`` and say what is said in cycles ``first`` to ``end - 1`` of a market."""
        ...


class Finding(StrEnum):
    """What an examination found."""

    CLEAN = "clean"
    LEAKS = "leaks"
    SILENT = "silent"


class Leak(Message):
    """An answer that changed because of what came later.

    The future was changed after ``cut_bar``; the answer of ``first_bar`` already differs, so it knows at
    least ``bars_ahead`` bars. ``difference`` is the largest one, None where one of two answers is undefined.
    """

    change: Change
    cut_bar: int
    first_bar: int
    bars_ahead: int
    columns: tuple[str, ...]
    difference: float | None


class LookAhead(Message):
    """What the look-ahead check of one subject found.

    ``compared``: how many answers were compared, over all cuts and changes.
    """

    subject: str
    bars: int
    cuts: tuple[int, ...]
    compared: int
    leaks: tuple[Leak, ...]

    @property
    def finding(self) -> Finding:
        """Silent where there was nothing to compare: that proves nothing."""
        if self.leaks:
            return Finding.LEAKS
        return Finding.CLEAN if self.compared else Finding.SILENT


def cuts_of(tape: Tape) -> tuple[int, ...]:
    """Return the last untouched cycles of the checks, none of them the end of a UTC day."""
    found = []
    for part in _CUTS:
        cut = int(part * tape.cycles)
        while tape.bar_ns < DAY_NS and tape.close_ns(cut) % DAY_NS == 0:
            cut -= 1
        found.append(cut)
    return tuple(found)


def look_ahead(subject: Subject, tape: Tape, *, seed: int, tolerance: float = 0.0) -> LookAhead:
    """Examine a subject; ``tolerance`` is how far two answers may differ and still be the same.

    Raises:
        UserError: the subject answered something of another shape when its future was changed.
    """
    whole = subject.answers(tape, 0, tape.cycles)
    cuts = cuts_of(tape)
    leaks, compared = [], 0
    for cut in cuts:
        for change in Change:
            other = subject.answers(tape.changed(cut, change, seed), 0, cut + 1)
            if other.columns != whole.columns or len(other.values) < cut + 1:
                raise UserError(
                    f"{subject.name} answered {len(other.values)} bars of {_listed(other.columns)} after the "
                    f"future was {change}, and {len(whole.values)} of {_listed(whole.columns)} before: it "
                    "must answer the same columns whatever comes"
                )
            before, after = whole.values[: cut + 1], other.values[: cut + 1]
            compared += int(np.isfinite(before[:, : whole.spoken]).sum())
            leak = _leak(change, cut, before, after, whole.columns, tolerance)
            if leak is not None:
                leaks.append(leak)
    return LookAhead(subject=subject.name, bars=tape.cycles, cuts=cuts, compared=compared, leaks=tuple(leaks))


def _listed(columns: Sequence[str]) -> str:
    return f"{', '.join(columns[:_COLUMNS_SHOWN])}{' …' if len(columns) > _COLUMNS_SHOWN else ''}"


def _leak(
    change: Change, cut: int, before: F64, after: F64, columns: Sequence[str], tolerance: float
) -> Leak | None:
    differs = _differs(before, after, tolerance)
    if not differs.any():
        return None
    first = int(differs.any(axis=1).argmax())
    guilty = np.flatnonzero(differs.any(axis=0))[:_COLUMNS_SHOWN]
    distance = np.abs(before[differs] - after[differs])
    return Leak(
        change=change,
        cut_bar=cut,
        first_bar=first,
        bars_ahead=cut + 1 - first,
        columns=tuple(columns[k] for k in guilty),
        difference=float(distance.max()) if np.isfinite(distance).all() else None,
    )


def _differs(before: F64, after: F64, tolerance: float) -> NDArray[np.bool_]:
    """Whether two answers are not the same; undefined is the same as undefined."""
    both = np.isnan(before) & np.isnan(after)
    with np.errstate(invalid="ignore"):
        near = (before == after) | (np.abs(before - after) <= tolerance)
    differs: NDArray[np.bool_] = ~(both | near)
    return differs


class WarmUp(Message):
    """A subject started ``bars`` before the first point, against one that knows everything before them.

    ``difference``: the largest of their answers. ``defined``: answers that both give; ``undefined``: answers
    that one of the two gives and the other does not.
    """

    bars: int
    difference: float | None
    defined: int
    undefined: int

    @property
    def is_same(self) -> bool:
        """Whether nothing differs that matters."""
        return self.undefined == 0 and (self.difference is None or self.difference < SAME)


class Recursion(Message):
    """How a subject's answers at the last ``points`` bars depend on when it was started."""

    subject: str
    points: int
    warm_ups: tuple[WarmUp, ...]

    @property
    def bars_needed(self) -> int | None:
        """The shortest start that answers the same, as all longer ones do; None where the longest differs."""
        needed = None
        if self.finding is Finding.SILENT:
            return None
        for warm_up in reversed(self.warm_ups):
            if not warm_up.is_same:
                break
            needed = warm_up.bars
        return needed

    @property
    def finding(self) -> Finding:
        """Silent where not even who knows everything has an answer."""
        longest = self.warm_ups[-1] if self.warm_ups else None
        speaks = longest is not None and longest.defined + longest.undefined > 0
        return Finding.CLEAN if speaks else Finding.SILENT


def recursion(subject: Subject, tape: Tape, points: int, lengths: Sequence[int] = LENGTHS) -> Recursion:
    """Start a subject so many bars before the last ``points`` bars, without any history, and compare them.

    They are compared with those of a subject that knows the whole tape and the history before it. Lengths for
    which there are not enough bars are left out.
    """
    first_point = tape.cycles - points
    full = subject.answers(tape, 0, tape.cycles)
    found = []
    for length in lengths:
        first = first_point + 1 - length
        if first >= 0:
            begun = subject.answers(tape.begun(first), first, tape.cycles)
            found.append(_warm_up(length, begun.values[-points:], full.values[-points:], full, begun))
    return Recursion(subject=subject.name, points=points, warm_ups=tuple(found))


def _warm_up(length: int, ours: F64, theirs: F64, full: Answers, begun: Answers) -> WarmUp:
    """Compare the columns that both gave; one that only one of them has is undefined in the other."""
    counted = full.spoken + full.reasoned
    shared = [name for name in full.columns[:counted] if name in begun.columns]
    ours = ours[:, [begun.columns.index(name) for name in shared]]
    theirs = theirs[:, [full.columns.index(name) for name in shared]]
    both = ~np.isnan(ours) & ~np.isnan(theirs)
    lacking = np.isnan(ours) != np.isnan(theirs)
    lost = len(theirs) * (counted - len(shared))
    distances = np.abs(ours[both] - theirs[both])
    return WarmUp(
        bars=length,
        difference=float(distances.max()) if distances.size else None,
        defined=int(both.sum()),
        undefined=int(lacking.sum()) + lost,
    )
