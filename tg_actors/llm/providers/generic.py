"""Any endpoint that speaks OpenAI's dialect: vLLM, llama.cpp, a model served in the same cluster."""

from dataclasses import replace

from tg_actors.llm.providers import openai

ROW = replace(
    openai.ROW,
    name="generic",
    base_url=None,
    key_variable="GENERIC_LLM_API_KEY",
    needs_key=False,
    tokens_key="max_tokens",
    temperature=0.0,
    effort_key=None,
    may_drop=("temperature", "response_format"),
    price_provider=None,
)
