"""One desk at a time on one journal: a lock that the operating system drops with its holder."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tg_actors.domain.errors import UserError

#: A look at a lock holds it shared for an instant; a desk that starts just then tries for 0.2 s.
_LOOK_S, _LOOKS = 0.01, 20


@contextmanager
def sole_desk(path: Path) -> Iterator[None]:
    """Hold a run's lock while the block runs.

    Raises:
        UserError: another desk holds it.
    """
    with sole_holder(path, "desk", "stop it with Ctrl-C, or give this one another --name"):
        yield


@contextmanager
def sole_holder(path: Path, what: str, advice: str) -> Iterator[None]:
    """Hold a lock while the block runs; a crash or ``kill -9`` releases it at once.

    Raises:
        UserError: another process, a ``what``, holds it; the sentence ends with the advice.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(descriptor):
            raise UserError(f"another {what} (process {_holder(path)}) is at work on {path.parent}: {advice}")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid()}).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    """Whether the lock could be had; who only looks (:func:`holder`) is waited for."""
    for patience_s in (*[_LOOK_S] * _LOOKS, 0.0):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(patience_s)
        else:
            return True
    return False


def holder(path: Path) -> int | None:
    """Process id of the desk that is trading here, None when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(path)
    else:
        return None
    finally:
        os.close(descriptor)


def _holder(path: Path) -> int | None:
    try:
        return int(json.loads(path.read_text())["pid"])
    except (ValueError, KeyError):
        return None
