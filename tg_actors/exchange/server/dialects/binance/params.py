"""The parameters of one request: text from a query, a form or JSON, read strictly."""

import decimal
import re
from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from tg_actors.domain.money import money_text
from tg_actors.exchange.server.dialects.binance.refusals import Refusal

_DECIMAL = re.compile(r"\d{1,20}(\.\d{1,18})?")
_INTEGER = re.compile(r"\d{1,18}")
_CLIENT_ID = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
_FLAGS = {"true": True, "false": False, "TRUE": True, "FALSE": False}


class Params:
    """Read access by name; a missing or malformed parameter raises Binance's own refusal."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    @classmethod
    def of_query(cls, *texts: str) -> "Params":
        """Parse query strings and forms.

        Raises:
            Refusal: a parameter stands twice.
        """
        pairs = [pair for text in texts for pair in parse_qsl(text, keep_blank_values=True)]
        fields = dict(pairs)
        if len(fields) != len(pairs):
            twice = next(name for name in fields if sum(1 for other, _ in pairs if other == name) > 1)
            raise Refusal(-1101, f"Duplicate values for parameter '{twice}'.")
        return cls(fields)

    @classmethod
    def of_json(cls, fields: Mapping[str, object]) -> "Params":
        """Take the parameters of a WebSocket request.

        Raises:
            Refusal: a value is neither text, number nor flag.
        """
        return cls({name: _plain(name, content) for name, content in fields.items() if content is not None})

    @property
    def fields(self) -> Mapping[str, str]:
        """Everything that was sent."""
        return self._fields

    def find(self, name: str) -> str | None:
        """A text, None when it is not there or empty."""
        return self._fields.get(name) or None

    def text(self, name: str) -> str:
        """A mandatory text."""
        found = self.find(name)
        if found is None:
            raise _missing(name)
        return found

    def integer(self, name: str, default: int | None = None) -> int | None:
        """A whole number of at most 18 digits, not negative."""
        found = self.find(name)
        if found is None:
            return default
        if _INTEGER.fullmatch(found) is None:
            raise _illegal(name, "^[0-9]{1,20}$")
        return int(found)

    def limit(self, default: int, most: int) -> int:
        """How many rows: at least one, at most what the endpoint gives."""
        return max(1, min(self.integer("limit") or default, most))

    def amount(self, name: str) -> Decimal | None:
        """A positive decimal number."""
        found = self.find(name)
        if found is None:
            return None
        if _DECIMAL.fullmatch(found) is None:
            raise _illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
        try:
            amount = Decimal(found)
        except decimal.InvalidOperation as error:
            raise _illegal(name, r"^([0-9]{1,20})(\.[0-9]{1,20})?$") from error
        if amount == 0:
            raise Refusal(-1013, f"Invalid {name}.")
        return amount

    def needed_amount(self, name: str) -> Decimal:
        """A mandatory positive decimal number."""
        amount = self.amount(name)
        if amount is None:
            raise _missing(name)
        return amount

    def client_id(self, name: str) -> str | None:
        """A client order id of 1 to 36 of the characters that Binance takes."""
        found = self.find(name)
        if found is not None and _CLIENT_ID.fullmatch(found) is None:
            raise _illegal(name, r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A truth value."""
        found = self.find(name)
        if found is None:
            return default
        if found not in _FLAGS:
            raise _illegal(name, "^(true|false)$")
        return _FLAGS[found]

    def signed_text(self) -> str:
        """What the WebSocket API signs: every parameter but the signature, by name, not escaped."""
        return "&".join(
            f"{name}={self._fields[name]}" for name in sorted(self._fields) if name != "signature"
        )


def _plain(name: str, content: object) -> str:
    if isinstance(content, bool):
        return "true" if content else "false"
    if isinstance(content, Decimal):
        return money_text(content)
    if isinstance(content, int | str):
        return str(content)
    raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")


def _missing(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def _illegal(name: str, pattern: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{pattern}'.")
