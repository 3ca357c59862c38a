"""From an observation and a prompt to a question: what never changes first, what always changes last."""

import json
from collections.abc import Sequence

from tg_actors.llm.catalogue import ModelSpec
from tg_actors.llm.contract.observation import Observation
from tg_actors.llm.contract.schema import answer_schema
from tg_actors.llm.judging import series_of
from tg_actors.llm.prompts import Prompt
from tg_actors.llm.providers.spec import Question, Turn
from tg_actors.llm.providers.table import is_native

_CACHE_KEY_CHARS = 32


def question_of(
    model: ModelSpec,
    prompt: Prompt,
    observation: Observation,
    turns: Sequence[Turn],
    dropped: frozenset[str],
) -> Question:
    """Return the question; where the vendor cannot be given the schema, the prompt holds it."""
    series = series_of(observation)
    schema = answer_schema(observation.mode, observation.symbols, series)
    shown = "" if is_native(model.row, dropped) else json.dumps(schema, separators=(",", ":"))
    return Question(
        model_id=model.id,
        system=prompt.render("system", schema=shown).strip(),
        constants=prompt.render(
            "constants",
            instruments=", ".join(observation.symbols),
            venue=observation.venue,
            timeframe=observation.timeframe,
            limits=observation.limits.model_dump_json(),
            series=", ".join(series),
        ),
        volatile=prompt.render("question", observation=observation.text()),
        schema=schema,
        answer_tokens_max=model.answer_tokens_max,
        context_tokens=model.context_tokens,
        cache_key=f"tg-{prompt.digest[: _CACHE_KEY_CHARS - 3]}",
        effort=model.effort,
        turns=tuple(turns),
    )
