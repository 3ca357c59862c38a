"""Which version answers a request: decided once, by the table in force and the request's id alone. Pure."""

import hashlib
from dataclasses import dataclass

from serving.swap import Table
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Role
from tg_actors.rl.manifest import NoSuchModel, check_name, model_id, parse_model_id

_SPAN = 2.0**64
#: The role of a version that the caller named.
PINNED = "pinned"


@dataclass(frozen=True, slots=True)
class Choice:
    """The version that answers, in which role, and the one that is asked beside it without effect."""

    id: str
    role: str
    shadow: str | None = None


def choose(model: str, table: Table, request_id: str) -> Choice:
    """Resolve a name, or a version that the caller pins.

    Raises:
        UserError: this is no name or version of a model.
        NoSuchModel: the name has no version in force.
    """
    try:
        if "@" in model:
            parse_model_id(model)
            return Choice(model, PINNED)
        check_name(model)
    except ValueError as error:
        raise UserError(str(error)) from error
    place = table.places.get(model)
    if place is None or place.champion is None:
        known = ", ".join(sorted(n for n, p in table.places.items() if p.champion is not None)) or "none"
        raise NoSuchModel(
            f"no version of {model!r} is in force: there is {known}; 'tg models promote' names one"
        )
    canary = place.canary is not None and is_drawn(model, request_id, place.canary_share_frac or 0.0)
    version = place.canary if canary and place.canary is not None else place.champion
    shadow = None if place.shadow is None else model_id(model, place.shadow)
    return Choice(model_id(model, version), Role.CANARY if canary else Role.CHAMPION, shadow)


def is_drawn(model: str, request_id: str, share_frac: float) -> bool:
    """Whether this request belongs to the share; the same id always does or never does."""
    drawn = hashlib.sha256(f"{model}\x1f{request_id}".encode()).digest()
    return int.from_bytes(drawn[:8]) / _SPAN < share_frac
