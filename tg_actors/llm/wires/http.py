"""The HTTP client below the vendors' clients: what may leave the house, and nothing else.

The SDKs read the environment for more than they are given: other vendors' keys, organisations, whole headers.
Whatever they add, only headers on the list go out, and the one with a key is ours.
"""

import httpx2

from tg_actors.domain.keys import Key
from tg_actors.llm.exchange import RawAnswer, kept_headers
from tg_actors.llm.faults import FaultKind, ProviderError, fault

_ALLOWED = frozenset(
    {
        "accept",
        "accept-encoding",
        "anthropic-version",
        "connection",
        "content-length",
        "content-type",
        "host",
        "transfer-encoding",
        "user-agent",
    }
)
#: The SDKs' own words about themselves; they hold no more than versions and the platform.
_ALLOWED_PREFIX = "x-stainless-"
_AUTHORIZATION = "Authorization"
#: Per operation only; the deadline of the whole lies around it.
_CONNECT_S, _READ_S = 10.0, 600.0
#: A vendor that sends more than this for one answer is broken.
_BYTES_MAX = 8_000_000


def timeout() -> httpx2.Timeout:
    """Return the limits of single operations."""
    return httpx2.Timeout(_READ_S, connect=_CONNECT_S)


def open_client(key: Key | None) -> httpx2.AsyncClient:
    """Return a client that sends allowed headers only, and this key or none."""

    async def clean(request: httpx2.Request) -> None:
        for name in list(request.headers):
            if name not in _ALLOWED and not name.startswith(_ALLOWED_PREFIX):
                del request.headers[name]
        if key is not None:
            request.headers[_AUTHORIZATION] = f"Bearer {key.api_key}"

    return httpx2.AsyncClient(timeout=timeout(), follow_redirects=False, event_hooks={"request": [clean]})


def broken(error: BaseException) -> ProviderError:
    """Return what to raise when a connection failed; one that was never made cannot have cost anything."""
    # The SDKs wrap the error of HTTP, which itself wraps that of the socket.
    cause = error if isinstance(error, httpx2.RequestError) else error.__cause__ or error
    never = isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout)
    kind = FaultKind.UNREACHABLE if never else FaultKind.TRANSPORT
    return ProviderError(fault(kind, f"{type(cause).__name__}: {cause}"))


def raw(status: int, headers: dict[str, str], text: str, key: Key | None) -> RawAnswer:
    """Return an answer as it may be kept: few headers, and our key nowhere, should the vendor repeat it.

    Raises:
        ProviderError: it is too long to be an answer.
    """
    if len(text) > _BYTES_MAX:
        raise ProviderError(
            fault(FaultKind.MALFORMED, f"the answer has {len(text)} characters", status=status)
        )
    kept = kept_headers(headers)
    if key is not None and key.api_key:
        text = text.replace(key.api_key, "[key]")
        kept = {name: value.replace(key.api_key, "[key]") for name, value in kept.items()}
    return RawAnswer(status=status, headers=kept, text=text)
