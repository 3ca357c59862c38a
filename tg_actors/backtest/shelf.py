"""What was trained once is not trained again: weights by name, in memory or in a folder."""

import os
from pathlib import Path

from tg_actors.domain.errors import UserError
from tg_actors.rl.market import F32
from tg_actors.rl.weights import packed, unpacked


class Shelf:
    """Keeps weights by name, so that a next attempt goes on where the last one was; in memory."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, F32]] = {}

    def get(self, name: str) -> dict[str, F32] | None:
        """Return weights, None where there are none yet."""
        return self._kept.get(name)

    def put(self, name: str, arrays: dict[str, F32]) -> None:
        """Keep weights."""
        self._kept[name] = arrays


class FolderShelf(Shelf):
    """Keeps them in a folder too: a killed attempt goes on after the last training that was done.

    Anything in the folder may be removed at any time; it is trained again then.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def get(self, name: str) -> dict[str, F32] | None:
        """Return weights, None where there are none yet or where they are damaged."""
        path = self._folder / f"{name}.npz"
        if super().get(name) is None and path.exists():
            try:
                super().put(name, unpacked(path))
            except UserError:
                return None
        return super().get(name)

    def put(self, name: str, arrays: dict[str, F32]) -> None:
        """Keep weights; a crash leaves the file whole or not there."""
        super().put(name, arrays)
        self._folder.mkdir(parents=True, exist_ok=True)
        beside = self._folder / f"{name}.{os.getpid()}.new"
        beside.write_bytes(packed(arrays))
        beside.replace(self._folder / f"{name}.npz")
