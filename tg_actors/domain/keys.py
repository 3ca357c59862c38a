"""A key to an account: the one secret the desk holds, and it never shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

Permissions = Literal["trade", "read"]


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """An API key and its secret. No text, log or pickle of it shows either."""

    name: str
    api_key: str
    secret: str
    permissions: Permissions = "trade"

    def __repr__(self) -> str:
        return f"Key({self.name!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse to leave the process: a key is read where it is used.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"the key {self.name!r} must not leave its process")


#: Reads a key by its name; raises ``UserError`` when there is none.
KeyRing = Callable[[str], Key]
