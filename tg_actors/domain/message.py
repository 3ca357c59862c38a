"""The base of every message between actors."""

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """A fact or a command: frozen, strictly typed, finite, without unknown fields.

    Messages cross processes by pickle and the journal by canonical JSON; both ways round-trip.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)
