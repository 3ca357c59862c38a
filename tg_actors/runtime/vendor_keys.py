"""Keys and addresses of LLM vendors: variables of the environment, read where they are used, never shown."""

import os

from tg_actors.domain.keys import Key


def vendor_key(vendor: str, variable: str | None) -> Key | None:
    """Return the key that a variable holds, None where there is no variable or nothing in it."""
    text = os.environ.get(variable, "").strip() if variable else ""
    return Key(vendor, text, "", "read") if text else None


def vendor_url(variable: str | None) -> str | None:
    """Return the address that a variable names, None where there is none."""
    return (os.environ.get(variable, "").strip() or None) if variable else None
