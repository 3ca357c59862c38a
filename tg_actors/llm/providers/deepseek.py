"""DeepSeek: OpenAI's dialect without schemas; it thinks unless told not to, and then JSON breaks."""

from dataclasses import replace

from tg_actors.llm.providers import openai
from tg_actors.llm.providers.spec import Structured

ROW = replace(
    openai.ROW,
    name="deepseek",
    base_url="https://api.deepseek.com",
    key_variable="DEEPSEEK_API_KEY",
    structured=Structured.JSON_OBJECT,
    # The other name is silently ignored there, and an answer could be as long as it likes.
    tokens_key="max_tokens",
    temperature=0.0,
    effort_key=None,
    may_drop=("temperature", "thinking"),
    price_provider="deepseek",
    extras={"thinking": {"type": "disabled"}},
)
