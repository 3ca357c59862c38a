"""xAI: OpenAI's dialect. Old names are served by newer models, so the served one is what counts."""

from dataclasses import replace

from tg_actors.llm.providers import openai

ROW = replace(
    openai.ROW,
    name="xai",
    base_url="https://api.x.ai/v1",
    key_variable="XAI_API_KEY",
    may_drop=("reasoning_effort", "response_format"),
    price_provider="x-ai",
)
