"""Tokens of those who ask over HTTP: who, with which scopes; a file keeps only what a token hashes to."""

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

from pydantic import Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.runtime.home import home, private_folder

#: 256 random bits: what hashes to the same cannot be guessed, so a plain hash is enough at rest.
_TOKEN_BYTES = 32
_PREFIX = "tg_"
_FILE_BYTES_MAX = 1 << 20


class Scope(StrEnum):
    """What a token allows. None of them includes another."""

    READ = "read"
    TRADE = "trade"
    MODELS = "models"


class Grant(Message):
    """One token: its owner, what it allows, and the SHA-256 by which it is known again."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    scopes: tuple[Scope, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    created_ns: int


class Grants(Message):
    """The file: all tokens that are good."""

    grants: tuple[Grant, ...] = ()


class TokenFile:
    """The tokens of one home, in a file of mode 0600; a change counts from the next request on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, int, int] | None = None
        self._grants: tuple[Grant, ...] = ()

    def list(self) -> tuple[Grant, ...]:
        """Return every token that is good, the oldest first.

        Raises:
            UserError: the file is not one of ours, or others may read it.
        """
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._seen, self._grants = None, ()
            return ()
        if stat.st_mode & 0o077:
            raise UserError(f"others may read {self._path}: chmod 600 it")
        seen = (stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if seen != self._seen:
            self._grants, self._seen = _parsed(self._path), seen
        return self._grants

    def owner_of(self, token: str) -> Grant | None:
        """Return whose token this is, None when nobody's; takes as long whichever it is."""
        given = hash_of(token)
        found = None
        for grant in self.list():
            if hmac.compare_digest(grant.sha256, given):
                found = grant
        return found

    def create(self, name: str, scopes: tuple[Scope, ...], at_ns: int) -> str:
        """Make a token and return it: it is not kept and cannot be shown again.

        Raises:
            UserError: the name is taken or no name, or no scope is given.
        """
        token = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        try:
            grant = Grant(
                name=name, scopes=tuple(dict.fromkeys(scopes)), sha256=hash_of(token), created_ns=at_ns
            )
        except ValidationError as error:
            raise UserError(
                f"{name!r} cannot be a token's name, or it has no scope: use small letters, digits, "
                "'-', '_' and '.', and --scope read, trade or models"
            ) from error
        with self._changing():
            known = self.list()
            if any(one.name == name for one in known):
                raise UserError(f"there is a token {name!r} already: revoke it first, or take another name")
            self._write((*known, grant))
        return token

    def revoke(self, name: str) -> None:
        """Make a token worthless at once.

        Raises:
            UserError: there is none of that name.
        """
        with self._changing():
            known = self.list()
            left = tuple(one for one in known if one.name != name)
            if len(left) == len(known):
                there = ", ".join(one.name for one in known) or "none"
                raise UserError(f"no token is called {name!r}: there is {there}")
            self._write(left)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Keep two writers apart; what the file said before is read again inside."""
        private_folder(self._path.parent)
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._seen = None
            yield
        finally:
            os.close(lock)

    def _write(self, grants: tuple[Grant, ...]) -> None:
        scratch = self._path.with_suffix(f".{os.getpid()}")
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(Grants(grants=grants).model_dump_json(indent=1))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self._path)


def token_file() -> TokenFile:
    """Return the tokens of this home."""
    return tokens_of(home())


def tokens_of(folder: Path) -> TokenFile:
    """Return the tokens of a home."""
    return TokenFile(folder / "serve" / "tokens.json")


def hash_of(token: str) -> str:
    """Return what a token is known by at rest: hex SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def _parsed(path: Path) -> tuple[Grant, ...]:
    with path.open("rb") as file:
        text = file.read(_FILE_BYTES_MAX)
    try:
        return Grants.model_validate_json(text).grants
    except ValidationError as error:
        raise UserError(f"{path} is no file of tokens: remove it and make new ones") from error
