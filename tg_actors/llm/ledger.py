"""The files behind a budget: one a UTC day, one line a promise or a payment, shared by all processes.

Every promise is on disk before the call goes out. A line that a crash cut in two was never promised aloud:
it is cut off. Any other damage refuses all calls of the day.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from pydantic import ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.llm.budget import Budget, BudgetLimits, Spending
from tg_actors.market.timeframes import instant_text

_PRIVATE = 0o600


class SpendingLedger:
    """A budget in a folder. Reservations of several processes never pass the limits together."""

    def __init__(self, folder: Path, limits: BudgetLimits) -> None:
        self._folder = folder
        self._limits = limits

    def reserve(self, model: str, usd: Decimal | None, at_ns: int) -> Spending | str:
        """Promise money, or say in one sentence why not.

        Raises:
            UserError: the day's file is damaged.
            OSError: it cannot be written.
        """
        with self._open(at_ns) as file:
            line = Budget(self._limits, self._lines(file, at_ns)).promise(model, usd, at_ns)
            if isinstance(line, Spending):
                _append(file, line)
            return line

    def settle(self, reserved: Spending, usd: Decimal | None) -> None:
        """Write down what a call has cost, on the day of its promise; None where nobody knows.

        Raises:
            UserError: that day's file is damaged.
            OSError: it cannot be written.
        """
        with self._open(reserved.at_ns) as file:
            known = self._lines(file, reserved.at_ns)
            _append(file, Budget(self._limits, known).settle(reserved, usd))

    def spent_usd(self, at_ns: int, model: str | None = None) -> Decimal:
        """Dollars spent or promised in the UTC day of an instant."""
        with self._open(at_ns) as file:
            return Budget(self._limits, self._lines(file, at_ns)).spent_usd(at_ns, model)

    def path(self, at_ns: int) -> Path:
        """Return the file of the UTC day of an instant."""
        return self._folder / f"{instant_text(at_ns)[:10]}.jsonl"

    @contextmanager
    def _open(self, at_ns: int) -> Iterator[int]:
        file = os.open(self.path(at_ns), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
        finally:
            os.close(file)

    def _lines(self, file: int, at_ns: int) -> Iterator[Spending]:
        content = os.pread(file, os.fstat(file).st_size, 0)
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.ftruncate(file, len(whole))
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                yield Spending.model_validate_json(line)
            except ValidationError:
                what = f"{self.path(at_ns)}: line {number} is damaged, so nobody knows what is spent"
                raise UserError(f"{what}: move the file away") from None


def _append(file: int, line: Spending) -> None:
    os.lseek(file, 0, os.SEEK_END)
    os.write(file, line.model_dump_json().encode() + b"\n")
    os.fsync(file)
