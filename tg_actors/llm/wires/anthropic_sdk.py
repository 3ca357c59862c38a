"""Anthropic's own client, tamed: one POST a call, no retries, nothing from the environment."""

import anthropic

from tg_actors.domain.keys import Key
from tg_actors.llm.exchange import RawAnswer
from tg_actors.llm.providers.spec import WireRequest
from tg_actors.llm.wires.http import broken, open_client, raw, timeout


class AnthropicSender:
    """One address and one key."""

    client = f"anthropic {anthropic.__version__}"

    def __init__(self, base_url: str, key: Key) -> None:
        self._key = key
        self._sdk = anthropic.AsyncAnthropic(
            api_key=key.api_key,
            base_url=base_url,
            max_retries=0,
            timeout=timeout(),
            http_client=open_client(key),
        )

    async def send(self, request: WireRequest) -> RawAnswer:
        """POST the body once.

        Raises:
            ProviderError: no answer came.
        """
        try:
            answer = await self._sdk.messages.with_raw_response.create(**request.body)
        except anthropic.APIStatusError as error:
            return raw(error.status_code, dict(error.response.headers), error.response.text, self._key)
        except anthropic.APIConnectionError as error:
            raise broken(error) from None
        return raw(answer.status_code, dict(answer.headers), await answer.text(), self._key)

    async def close(self) -> None:
        """Close its connections."""
        await self._sdk.close()
