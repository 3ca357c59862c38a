"""A user's own function as a subject of the detectors: bars of one instrument in, signals out."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from tg_actors.backtest.detectors import Answers
from tg_actors.backtest.tape import Tape
from tg_actors.domain.errors import UserError

#: Columns of the frame that a function gets; its index is the UTC instant at which each bar opened.
COLUMNS = ("open", "high", "low", "close", "volume")


@contextlib.contextmanager
def theirs(name: str) -> Iterator[None]:
    """Run somebody else's code: what it prints goes to stderr, and what it raises becomes a sentence.

    Raises:
        UserError: it raised something, or tried to end the program.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:  # whatever a stranger's program can raise
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{name} failed with {told}; correct it, --debug shows where") from error


class FunctionSubject:
    """``function(bars)`` of each instrument's bars: a frame with :data:`COLUMNS` and a UTC index of opens.

    It answers with one number per bar (array or series), or with a frame of them: then every column of
    numbers that was not in the bars is an answer, as freqtrade's strategies have it. It is called anew for
    every market, with a frame of its own.
    """

    def __init__(self, name: str, function: Callable[[pd.DataFrame], Any]) -> None:
        self._name = name
        self._function = function

    @property
    def name(self) -> str:
        """As the report calls it."""
        return self._name

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """What the function says of bars ``first`` to ``end - 1``; of the whole tape for ``first`` 0.

        Bars after ``end`` are in the frame where the tape has them: a function is asked once for all bars.

        Raises:
            UserError: it failed, or the answer is not one number per bar.
        """
        columns: list[str] = []
        parts = []
        grid = tape.ohlcv()[first:]
        opens = pd.to_datetime(
            tape.source.start_ns + np.arange(first, tape.cycles) * tape.bar_ns, unit="ns", utc=True
        )
        for i, symbol in enumerate(tape.symbols):
            known = np.flatnonzero(np.isfinite(grid[:, i, 3]))
            bars = pd.DataFrame(grid[known, i], index=opens[known], columns=list(COLUMNS))
            with theirs(self._name):
                answer = self._function(bars.copy())
            said = self._numbers(answer, bars)
            values = np.full((len(grid), said.shape[1]), np.nan)
            values[known] = said.to_numpy(dtype=np.float64)
            parts.append(values[: end - first])
            columns.extend(f"{symbol} {column}" for column in said.columns)
        return Answers(tuple(columns), np.concatenate(parts, axis=1), spoken=len(columns))

    def _numbers(self, said: object, bars: pd.DataFrame) -> pd.DataFrame:
        """The answer as a frame of numbers with one row per bar, in the order of the bars."""
        if isinstance(said, pd.Series | pd.DataFrame) and len(said) == len(bars):
            # A pandas object says by its labels which bar each row is of, whatever their order.
            said = said.reindex(bars.index) if set(said.index) == set(bars.index) else said
        if isinstance(said, pd.DataFrame):
            frame = said.drop(columns=[column for column in COLUMNS if column in said.columns])
            frame = frame.infer_objects().select_dtypes(["number", "bool"])
        else:
            array = np.asarray(said)
            frame = pd.DataFrame({"signal": array if array.ndim == 1 else np.empty(0)})
        numeric = all(dtype.kind in "bifu" for dtype in frame.dtypes)
        if len(frame) != len(bars) or not len(frame.columns) or not numeric:
            raise UserError(
                f"{self._name} must answer with one number for each of its {len(bars)} bars (an array, "
                f"a series or a frame with new columns), but answered {len(frame)} rows"
            )
        return pd.DataFrame(frame.to_numpy(dtype=np.float64, na_value=np.nan), columns=frame.columns)
