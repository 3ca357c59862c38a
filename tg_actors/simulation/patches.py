"""Replace a piece of the product for a while, inside this process alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def patched(owner: object, name: str, replacement: Any) -> Iterator[None]:
    """Put something else in the place of an attribute; the original comes back in any case."""
    original = vars(owner)[name]
    setattr(owner, name, replacement)
    try:
        yield
    finally:
        setattr(owner, name, original)
