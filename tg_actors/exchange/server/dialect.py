"""What a dialect is: the API of one venue, spoken on the floor."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.records import Trouble


class Dialect(Protocol):
    """Translates requests into the floor's words and answers into the venue's.

    Built with the floor as its one argument. Its routes lie below ``/<name>``.
    """

    @property
    def name(self) -> str:
        """Name and path prefix."""
        ...

    @property
    def dedupe(self) -> Dedupe:
        """Scope in which a client order id may not repeat at this venue."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """Routes without the prefix."""
        ...

    def refusal(self, trouble: Trouble) -> web.Response:
        """The venue's own words for what the server refuses before or instead of a handler."""
        ...
