"""Open the journal of a run for reading."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tg_actors.journal.readers import JournalReader
    from tg_actors.runtime.home import RunFolder


@contextmanager
def reading(run: str | None) -> Iterator[tuple["RunFolder", "JournalReader"]]:
    """Yield a run's folder and its journal.

    Raises:
        UserError: there is no such run.
    """
    from tg_actors.journal.readers import JournalReader
    from tg_actors.runtime.home import existing_run

    folder = existing_run(run)
    with JournalReader.read_only(folder.journal) as journal:
        yield folder, journal
