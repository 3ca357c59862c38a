"""The JSON schema of an answer for one question, and what each kind of vendor makes of a schema.

The base is derived from the messages themselves, so that there is one truth: references are put in place,
every key is required (what is optional may be null), nothing else is allowed, and the universe's symbols and
the mode's actions are the only words for them.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tg_actors.llm.contract.answer import SIGNAL_ACTIONS, Action, Answer
from tg_actors.llm.contract.observation import Mode

Schema = dict[str, Any]

#: What a vendor's constrained decoding does not know: it is moved into descriptions, where it is only read.
OPENAI_UNKNOWN = frozenset({"maxLength", "minLength"})
ANTHROPIC_UNKNOWN = frozenset(
    {
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxItems",
        "maxLength",
        "maximum",
        "minItems",
        "minLength",
        "minimum",
    }
)
_DROPPED = ("title", "default", "description")


def answer_schema(mode: Mode, symbols: Sequence[str], series: Sequence[str]) -> Schema:
    """Return the closed schema of an answer.

    Args:
        mode: which actions there are.
        symbols: the universe; no other instrument can be named.
        series: what an invalidation may compare: ``close`` and the indicators.
    """
    raw = Answer.model_json_schema()
    closed = _closed(raw, raw.get("$defs", {}))
    decision = closed["properties"]["decisions"]["items"]["properties"]
    decision["symbol"] = {"type": "string", "enum": list(symbols)}
    actions = SIGNAL_ACTIONS if mode is Mode.SIGNAL else tuple(Action)
    decision["action"] = {"type": "string", "enum": [action.value for action in actions]}
    exits = next(one for one in decision["exits"]["anyOf"] if one.get("type") == "object")
    invalidation = exits["properties"]["invalidations"]["items"]["properties"]
    invalidation["left"] = {"type": "string", "enum": list(series)}
    invalidation["right"] = {"anyOf": [{"type": "string", "enum": list(series)}, {"type": "null"}]}
    return closed


def _closed(node: Schema, named: Schema) -> Schema:
    """Put references in place, drop what only people read, close every object."""
    if "$ref" in node:
        return _closed(named[node["$ref"].rpartition("/")[2]], named)
    kept = {key: value for key, value in node.items() if key not in {*_DROPPED, "$defs"}}
    if "const" in kept:
        kept = {"type": "string", "enum": [kept["const"]]}
    if "properties" in kept:
        kept["properties"] = {name: _closed(one, named) for name, one in kept["properties"].items()}
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    if "items" in kept:
        kept["items"] = _closed(kept["items"], named)
    if "anyOf" in kept:
        kept["anyOf"] = [_closed(one, named) for one in kept["anyOf"]]
    return kept


def openai_schema(node: Schema) -> Schema:
    """Return the schema as OpenAI's strict mode takes it."""
    return _softened(node, OPENAI_UNKNOWN, bare_enums=False)


def anthropic_schema(node: Schema) -> Schema:
    """Return the schema as Anthropic's structured output takes it: exactly what its own SDK would send."""
    return _softened(node, ANTHROPIC_UNKNOWN, bare_enums=True)


def _softened(node: Schema, unknown: frozenset[str], *, bare_enums: bool) -> Schema:
    """Move the ``unknown`` keywords into descriptions; ``bare_enums`` stand without their type."""
    dropped = {*unknown, "type"} if bare_enums and "enum" in node else unknown
    inside = _inside(unknown, bare_enums=bare_enums)
    kept = {key: inside.get(key, _same)(value) for key, value in node.items() if key not in dropped}
    if moved := {key: value for key, value in node.items() if key in unknown}:
        kept["description"] = "{" + ", ".join(f"{key}: {value}" for key, value in moved.items()) + "}"
    return kept


def _inside(unknown: frozenset[str], *, bare_enums: bool) -> dict[str, Callable[[Any], Any]]:
    """What to do with the keys below which there are schemas again."""
    soften = functools.partial(_softened, unknown=unknown, bare_enums=bare_enums)
    return {
        "properties": lambda named: {name: soften(one) for name, one in named.items()},
        "items": soften,
        "anyOf": lambda options: [soften(one) for one in options],
    }


def _same(value: Any) -> Any:
    return value
