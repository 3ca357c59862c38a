"""Ollama's own dialect on plain HTTP: it has no client worth a dependency."""

import httpx2

from tg_actors.llm.exchange import RawAnswer
from tg_actors.llm.providers.spec import WireRequest
from tg_actors.llm.wires.http import broken, open_client, raw

_PATH = "/api/chat"


class OllamaSender:
    """One address; there are no keys."""

    client = f"httpx2 {httpx2.__version__}"

    def __init__(self, base_url: str) -> None:
        self._url = base_url.rstrip("/") + _PATH
        self._http = open_client(None)

    async def send(self, request: WireRequest) -> RawAnswer:
        """POST the body once.

        Raises:
            ProviderError: no answer came.
        """
        try:
            answer = await self._http.post(self._url, json=request.body)
        except httpx2.RequestError as error:
            raise broken(error) from None
        return raw(answer.status_code, dict(answer.headers), answer.text, None)

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()
