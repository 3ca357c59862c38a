"""Key files: ``TG_HOME/keys/NAME.yaml``, readable by their owner only, read where they are used."""

import os
import re
import stat
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.keys import Key, Permissions
from tg_actors.runtime.home import home

_PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class _KeyFile(BaseModel):
    """What stands in a key file. Its own errors would quote the secret: they are never shown."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    api_key: str = Field(min_length=1, max_length=4096)
    secret: str = Field(min_length=1, max_length=8192)
    permissions: Permissions = "trade"


def keys_folder() -> Path:
    """The folder of all key files, made if needed with mode 0700."""
    folder = home() / "keys"
    folder.mkdir(exist_ok=True, mode=_PRIVATE_FOLDER)
    return folder


def read_key(name: str) -> Key:
    """Read a key by its name.

    Raises:
        UserError: there is no such file, others may read it, or it is not a key file. The sentence never
            shows what stands in it.
    """
    path = _path(name)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UserError(
            f"there is no key {name!r}: write {path} with api_key and secret, mode 0600"
        ) from None
    except OSError as error:
        raise UserError(
            f"cannot read the key {path} ({error.strerror}): make it a plain file of yours"
        ) from None
    with os.fdopen(descriptor, encoding="utf-8") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & _OTHERS:
            raise UserError(f"others may read the key {path}: run 'chmod 600 {path}', and think of a new key")
        content = _plain(path, file.read())
    try:
        found = _KeyFile.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise UserError(
            f"{path}: {place}: {first['msg'].lower()}; it holds api_key, secret, permissions"
        ) from None
    return Key(name=name, api_key=found.api_key, secret=found.secret, permissions=found.permissions)


def write_key(name: str, api_key: str, secret: str, permissions: Permissions = "trade") -> Path:
    """Write a key file, mode 0600 from its first byte, replacing an older one at once."""
    path = _path(name)
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump({"api_key": api_key, "secret": secret, "permissions": permissions}, file)
    scratch.replace(path)
    return path


def _path(name: str) -> Path:
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name of a key: use letters, digits, '-' and '_'")
    return keys_folder() / f"{name}.yaml"


def _plain(path: Path, text: str) -> Any:
    """Every scalar as text, for a key of digits is a text as well; PyYAML's own errors quote the file."""
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - builds plain texts, lists and tables only
    except yaml.YAMLError:
        raise UserError(f"{path} is not valid YAML: it holds api_key, secret, permissions") from None
