"""API keys: made once, kept in a private file, found by every signed request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from tg_actors.domain.message import Message


class Key(Message):
    """One API key. ``secret`` is base64 text, as Kraken gives it; other dialects use the text itself."""

    name: str
    account: str
    permission: Literal["trade", "read"]
    api_key: str = Field(min_length=16)
    secret: str = Field(min_length=16)

    @property
    def may_trade(self) -> bool:
        """Whether it may place and cancel orders."""
        return self.permission == "trade"


class KeyFile(Message):
    """The file of keys; whoever holds ``operator_token`` moves the market and breaks it."""

    operator_token: str = Field(min_length=16)
    keys: tuple[Key, ...]


class KeyRing:
    """Keys by what a request shows."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys: Mapping[str, Key] = {key.api_key: key for key in keys}

    def find(self, api_key: str) -> Key | None:
        """The key that a request names, None when there is no such key."""
        return self._keys.get(api_key)

    def all(self) -> tuple[Key, ...]:
        """Every key, in the order of the file."""
        return tuple(self._keys.values())


@dataclass(frozen=True, slots=True)
class Secrets:
    """Random texts for one new key."""

    api_key: str
    secret: str


def new_key_file(accounts: Iterable[str], operator_token: str, secrets: Iterable[Secrets]) -> KeyFile:
    """Make a trading and a read-only key for every account."""
    drawn = iter(secrets)
    keys = []
    for account in accounts:
        for permission in ("trade", "read"):
            one = next(drawn)
            keys.append(
                Key(
                    name=f"{account}-{permission}",
                    account=account,
                    permission=permission,
                    api_key=one.api_key,
                    secret=one.secret,
                )
            )
    return KeyFile(operator_token=operator_token, keys=tuple(keys))
