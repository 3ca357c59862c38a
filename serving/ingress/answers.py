"""Answers by idempotency key: the same key and body get the same answer, in any replica, after any restart.

One file a key in the home folder, written whole; a lock of the operating system keeps two tries of one key
apart. A process that dies between the effect and its answer leaves none: the next try does it again, which is
harmless here, for every effect is a state that is set or a word that counts once.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.ingress.errors import Refused
from tg_actors.domain.message import Message
from tg_actors.runtime.home import private_folder

#: After this long a key may be used anew.
KEPT_NS = 24 * 3_600 * 10**9
_PRUNE_EVERY = 256


class Answer(Message):
    """What was answered, and to what."""

    request_sha256: str
    status: int
    body: str
    at_ns: int


class Answers:
    """The answers of one home."""

    def __init__(self, folder: Path, clock_ns: Callable[[], int]) -> None:
        self._folder = folder
        self._clock_ns = clock_ns
        self._written = 0

    def once(self, owner: str, key: str, request: bytes, effect: Callable[[], tuple[int, str]]) -> Answer:
        """Do it, or return what was answered when it was done.

        Args:
            owner: whose key it is; two owners may use the same one.
            key: as the caller chose it.
            request: method, address and body.
            effect: does it; returns status and body.

        Raises:
            Refused: the key was used for another request.
        """
        private_folder(self._folder)
        path = self._folder / f"{_hex(json.dumps([owner, key]).encode())}.json"
        mine = _hex(request)
        with _alone(path):
            kept = self._kept(path)
            if kept is None:
                status, body = effect()
                kept = Answer(request_sha256=mine, status=status, body=body, at_ns=self._clock_ns())
                _write(path, kept)
                self._prune()
        if kept.request_sha256 != mine:
            raise Refused(
                409, "key_reused", "this idempotency key was used for another request", "take a new key"
            )
        return kept

    def _kept(self, path: Path) -> Answer | None:
        try:
            answer = Answer.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        return answer if self._clock_ns() - answer.at_ns < KEPT_NS else None

    def _prune(self) -> None:
        """Now and then remove what is too old to be asked for."""
        self._written += 1
        if self._written % _PRUNE_EVERY != 1:
            return
        for path in self._folder.glob("*.json"):
            try:
                if self._clock_ns() - path.stat().st_mtime_ns > KEPT_NS:
                    path.unlink()
                    path.with_suffix(".lock").unlink(missing_ok=True)
            except FileNotFoundError:  # another replica was quicker
                continue


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the lock of one key; a lock whose file was pruned meanwhile is no lock, and is taken again."""
    lock = path.with_suffix(".lock")
    while True:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not lock.exists() or lock.stat().st_ino != os.fstat(handle).st_ino:
                continue
            yield
            return
        finally:
            os.close(handle)


def _write(path: Path, answer: Answer) -> None:
    scratch = path.with_suffix(f".{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(answer.model_dump_json())
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def _hex(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
