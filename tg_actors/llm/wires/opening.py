"""Open the sender of a dialect; clients take seconds to import, so only the one that is asked for."""

from collections.abc import Callable, Mapping
from typing import Protocol

from tg_actors.domain.errors import UserError
from tg_actors.domain.keys import Key
from tg_actors.llm.exchange import Sender
from tg_actors.llm.providers.spec import Dialect, ProviderSpec


class ClosingSender(Sender, Protocol):
    """A sender that holds connections."""

    async def close(self) -> None:
        """Close them."""
        ...


def _messages(base_url: str, key: Key | None) -> ClosingSender:
    from tg_actors.llm.wires.anthropic_sdk import AnthropicSender  # noqa: PLC0415 - two seconds

    if key is None:
        raise UserError("Anthropic answers nobody without a key: set ANTHROPIC_API_KEY")
    return AnthropicSender(base_url, key)


def _chat(base_url: str, key: Key | None) -> ClosingSender:
    from tg_actors.llm.wires.openai_sdk import OpenAiSender  # noqa: PLC0415 - a second

    return OpenAiSender(base_url, key)


def _ollama(base_url: str, key: Key | None) -> ClosingSender:
    from tg_actors.llm.wires.ollama_http import OllamaSender  # noqa: PLC0415 - likewise

    del key
    return OllamaSender(base_url)


_SENDERS: Mapping[Dialect, Callable[[str, Key | None], ClosingSender]] = {
    Dialect.MESSAGES: _messages,
    Dialect.CHAT: _chat,
    Dialect.OLLAMA: _ollama,
}


def open_sender(row: ProviderSpec, base_url: str | None, key: Key | None) -> ClosingSender:
    """Open the way to a vendor.

    Args:
        row: the vendor.
        base_url: another address than its own, None for its own.
        key: its key, None where there is none.

    Raises:
        UserError: it needs a key or an address, and there is none.
    """
    if row.needs_key and key is None:
        raise UserError(f"{row.name} answers nobody without a key: set {row.key_variable}")
    address = base_url or row.base_url
    if address is None:
        raise UserError(f"{row.name} has no address of its own: write base_url into configs/models.yaml")
    return _SENDERS[row.dialect](address, key)
