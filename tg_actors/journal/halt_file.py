"""The kill switch as a file: a hand that reaches nothing but the disk can still stop the desk."""

from dataclasses import dataclass
from pathlib import Path

#: Its name in the folder of the journal.
NAME = "HALT"


@dataclass(frozen=True, slots=True)
class HaltFile:
    """A file that halts by being there. It is looked for inside every permit transaction.

    Whoever sees it first writes HALTED into the journal, so that removing the file resumes nothing.
    """

    path: Path

    @property
    def is_there(self) -> bool:
        """Whether somebody has put it there; an unreadable folder raises ``OSError``."""
        return self.path.exists()

    @property
    def reason(self) -> str:
        """What stands in the journal as the reason of the halt."""
        return f"the file {self.path} is there"
