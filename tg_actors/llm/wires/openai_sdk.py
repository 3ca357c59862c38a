"""OpenAI's own client, tamed: one POST a call, no retries, nothing from the environment, any address."""

from typing import Any, cast

import openai

from tg_actors.domain.keys import Key
from tg_actors.llm.exchange import RawAnswer
from tg_actors.llm.providers.spec import WireRequest
from tg_actors.llm.wires.http import broken, open_client, raw, timeout

#: The client insists on a key; this one is taken off again before anything leaves.
_NO_KEY = "none"
#: What only some vendors know goes around the client's own arguments.
_EXTRA = ("thinking",)


class OpenAiSender:
    """One address and one key, or none."""

    client = f"openai {openai.__version__}"

    def __init__(self, base_url: str, key: Key | None) -> None:
        self._key = key
        self._sdk = openai.AsyncOpenAI(
            api_key=_NO_KEY if key is None else key.api_key,
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
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
        known = {name: value for name, value in request.body.items() if name not in _EXTRA}
        extra = {name: value for name, value in request.body.items() if name in _EXTRA}
        create = cast("Any", self._sdk.chat.completions.with_raw_response.create)
        try:
            answer = await create(**known, extra_body=extra or None)
        except openai.APIStatusError as error:
            return raw(error.status_code, dict(error.response.headers), error.response.text, self._key)
        except openai.APIConnectionError as error:
            raise broken(error) from None
        return raw(answer.status_code, dict(answer.headers), answer.text, self._key)

    async def close(self) -> None:
        """Close its connections."""
        await self._sdk.close()
