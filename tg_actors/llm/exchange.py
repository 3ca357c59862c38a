"""One attempt at a vendor as it is kept: what was asked, what came back, how long it took."""

from collections.abc import Awaitable
from typing import Protocol

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.llm.faults import Fault
from tg_actors.llm.providers.spec import WireRequest

_NS_PER_MS = 10**6
#: Headers that are kept: who it was at the vendor, and what is left of the rate.
_KEPT_PREFIXES = ("anthropic-ratelimit-", "x-ratelimit-")
_KEPT = frozenset({"request-id", "x-request-id", "retry-after", "retry-after-ms"})


class RawAnswer(Message):
    """An answer of HTTP as it came; ``headers`` with lower-case names, only those that are kept."""

    status: int
    headers: dict[str, str]
    text: str


class Exchange(Message):
    """One attempt. Exactly one of ``answer`` and ``fault`` is what came of it, or both: an error page.

    ``key`` is that of the request, ``latency_ms`` how long the attempt took, ``elapsed_ms`` how long the
    decision had taken in all when it was over.
    """

    key: str
    at_ns: int
    latency_ms: float = Field(ge=0)
    elapsed_ms: float = Field(default=0.0, ge=0)
    answer: RawAnswer | None
    fault: Fault | None
    client: str = ""

    @property
    def done_ns(self) -> int:
        """When it was over."""
        return self.at_ns + int(self.latency_ms * _NS_PER_MS)


class Wire(Protocol):
    """Who carries a request to a vendor, and never raises for what happens there."""

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:
        """Make one attempt within the time that remains."""
        ...

    def now_ns(self) -> int:
        """Read a clock that never jumps."""
        ...


class Sender(Protocol):
    """The innermost part of a wire: one POST."""

    #: Name and version of the client, for the record.
    client: str

    def send(self, request: WireRequest) -> Awaitable[RawAnswer]:
        """POST the body once.

        Raises:
            ProviderError: no answer came, or one that the client could not take.
        """
        ...


def kept_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return the headers worth keeping, by lower-case names; none of them can hold a secret of ours."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {
        name: value for name, value in lowered.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)
    }
