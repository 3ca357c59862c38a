"""Half-done trainings as files: numbers and one JSON text, no pickle, whole or not there."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.rl.plans import TrainingProgress

_STANDING = "standing"


class Standing(Message):
    """How far a training is: of which one, and what it has told so far.

    ``chunk`` is the next one; ``idle_chunks`` of the last evaluations were no better than ``best_value``,
    found after ``best_steps``.
    """

    identity: str
    chunk: int = Field(default=0, ge=0)
    curve: tuple[TrainingProgress, ...] = ()
    best_value: float | None = None
    best_steps: int = Field(default=0, ge=0)
    idle_chunks: int = Field(default=0, ge=0)


def save(path: Path, standing: Standing, arrays: Mapping[str, Any]) -> None:
    """Replace the checkpoint by a newer one; a crash leaves the old or the new one."""
    file = io.BytesIO()
    text = np.frombuffer(standing.model_dump_json().encode(), dtype=np.uint8)
    parts: dict[str, Any] = {_STANDING: text, **arrays}
    np.savez(file, **parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    with beside.open("wb") as new:
        new.write(file.getvalue())
        new.flush()
        os.fsync(new.fileno())
    beside.replace(path)


def resume(path: Path, identity: str) -> tuple[Standing, dict[str, Any]] | None:
    """Read a checkpoint, None where there is none yet.

    Raises:
        UserError: it is damaged, or of another training.
    """
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        standing = Standing.model_validate_json(arrays.pop(_STANDING).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, ValidationError) as error:
        raise UserError(f"the checkpoint {path} cannot be read: remove it to train from the start") from error
    if standing.identity != identity:
        raise UserError(
            f"the checkpoint {path} is of another plan, batch or beginning: remove it, or train as before"
        )
    return standing, arrays
