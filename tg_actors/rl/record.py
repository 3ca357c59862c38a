"""The record of a registry: every act, chained to the one before."""

from pathlib import Path

from tg_actors.rl.acts import Act
from tg_actors.rl.chain import NO_RECORD, ChainedRecord, Stamp

__all__ = ["NO_RECORD", "ActRecord", "Stamp"]


class ActRecord(ChainedRecord[Act]):
    """A file of acts."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, Act)
