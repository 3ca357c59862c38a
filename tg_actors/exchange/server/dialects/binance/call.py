"""One request after its checks, and the table row that says what an operation asks of its caller."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tg_actors.exchange.server.dialects.binance import refusals
from tg_actors.exchange.server.dialects.binance.access import Security
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.keys import Key


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation works on. ``deadline_ns`` (wall time) is there for signed requests."""

    params: Params
    key: Key | None = None
    deadline_ns: int | None = None

    @property
    def account(self) -> str:
        """Whose request it is.

        Raises:
            Refusal: nobody's; the operation is open to everybody.
        """
        return self.holder.account

    @property
    def holder(self) -> Key:
        """The key that asked."""
        if self.key is None:
            raise refusals.BAD_KEY.refusal()
        return self.key


@dataclass(frozen=True, slots=True)
class Operation:
    """A function of the venue, for REST and for the WebSocket API.

    ``weight`` is its cost against the limit, ``verb`` its class for counters and scripted faults.
    """

    run: Callable[[Call], Any]
    security: Security = Security.PUBLIC
    weight: int = 1
    verb: str = "public"
