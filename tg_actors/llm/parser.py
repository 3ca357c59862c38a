"""From a model's text to one judged decision an instrument; whatever cannot be trusted says why.

Never raises for anything a model can write. Each instrument stands alone: one bad decision spoils no other.
"""

import json
import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError

from tg_actors.domain.message import Message
from tg_actors.llm.contract.answer import (
    ANSWER_VERSION,
    NOTE_CHARS,
    REASONING_CHARS,
    Action,
    SymbolDecision,
)
from tg_actors.llm.contract.observation import Observation
from tg_actors.llm.grounding import Grounds
from tg_actors.llm.judging import Scene, mistakes, ungrounded
from tg_actors.llm.mending import Unreadable, mend


class Provenance(StrEnum):
    """Where the view of an instrument comes from; all but the first mean that there is none to act on."""

    DECIDED = "decided"
    MODEL_HOLD = "model_hold"
    ABSTAIN = "abstain"
    PARSE_ERROR = "parse_error"
    REFUSAL = "refusal"
    PROVIDER_ERROR = "provider_error"
    DEADLINE = "deadline"
    BUDGET = "budget"
    GROUNDING_FAILED = "grounding_failed"
    RISK_VETO = "risk_veto"


#: What another round may put right.
REPARABLE = frozenset({Provenance.PARSE_ERROR, Provenance.GROUNDING_FAILED})


class SymbolOutcome(Message):
    """What came of one instrument. ``decision`` is there exactly where the model's word counts."""

    symbol: str
    provenance: Provenance
    decision: SymbolDecision | None = None
    why: str = ""


class Parsed(Message):
    """What came of a text. ``mends`` are the kinds of mending; ``mistake`` is what is wrong as a whole."""

    outcomes: tuple[SymbolOutcome, ...]
    mends: tuple[str, ...] = ()
    mistake: str | None = None
    ungrounded_numbers: int = Field(default=0, ge=0)

    @property
    def is_whole(self) -> bool:
        """Whether no instrument is left for a repair."""
        return not any(one.provenance in REPARABLE for one in self.outcomes)

    def complaints(self) -> tuple[str, ...]:
        """What a repair must put right, one sentence each."""
        if self.mistake is not None:
            return (self.mistake,)
        return tuple(f"{one.symbol}: {one.why}" for one in self.outcomes if one.provenance in REPARABLE)


def parse(text: str, observation: Observation) -> Parsed:
    """Read an answer and judge it against what was shown."""
    try:
        mended = mend(text)
    except Unreadable as mistake:
        return _nothing(observation, str(mistake))
    if mended.content.get("version", ANSWER_VERSION) != ANSWER_VERSION:
        return _nothing(observation, f"version is not {ANSWER_VERSION}")
    abstain = mended.content.get("abstain")
    abstains = _abstains(abstain)
    if abstains is None:
        return _nothing(observation, "abstain is null, or holds is_abstaining and why")
    if abstains:
        why = abstain.get("why") if isinstance(abstain, dict) else ""
        return _abstained(observation, _plain(why, NOTE_CHARS) or "it gives no reason", mended.mends)
    decisions = mended.content.get("decisions")
    if not isinstance(decisions, list) or set(mended.content) - _KEYS:
        return _nothing(
            observation, "the answer must hold version, decisions, note, abstain and nothing else"
        )
    return _judged(decisions, observation, mended.mends)


_KEYS = {"version", "decisions", "note", "abstain"}


def _abstains(said: Any) -> bool | None:
    """Whether a model declines to judge, None where nobody can tell."""
    plain = said.get("is_abstaining") if isinstance(said, dict) else said
    return bool(plain) if isinstance(plain, bool) or said is None else None


def _judged(decisions: Sequence[Any], observation: Observation, mends: tuple[str, ...]) -> Parsed:
    names = _spellings(observation.symbols)
    by_symbol: dict[str, list[Any]] = {symbol: [] for symbol in observation.symbols}
    strangers = []
    for item in decisions:
        said = item.get("symbol") if isinstance(item, dict) else None
        symbol = names.get(_spelling(said)) if isinstance(said, str) else None
        if symbol is None:
            strangers.append(_plain(said, 40) or "a decision without a symbol")
        else:
            by_symbol[symbol].append(item)
    grounds = Grounds(observation)
    outcomes = [_one(symbol, items, observation, grounds) for symbol, items in by_symbol.items()]
    lost = f" (unknown: {', '.join(strangers[:3])})" if strangers else ""
    outcomes = [
        one.model_copy(update={"why": one.why + lost}) if not by_symbol[one.symbol] else one
        for one in outcomes
    ]
    said = [one.decision for one in outcomes if one.decision is not None]
    return Parsed(
        outcomes=tuple(outcomes),
        mends=(*mends, *_respelled(decisions, observation)),
        ungrounded_numbers=sum(grounds.ungrounded(decision) for decision in said),
    )


def _one(symbol: str, items: Sequence[Any], observation: Observation, grounds: Grounds) -> SymbolOutcome:
    if len(items) != 1:
        why = "there is no decision on it" if not items else f"there are {len(items)} decisions on it"
        return SymbolOutcome(symbol=symbol, provenance=Provenance.PARSE_ERROR, why=why)
    try:
        decision = SymbolDecision.model_validate_json(json.dumps(_tidied(symbol, items[0])))
    except (ValidationError, RecursionError) as error:
        return SymbolOutcome(symbol=symbol, provenance=Provenance.PARSE_ERROR, why=_first(error))
    scene = Scene(decision, observation, grounds)
    if wrong := mistakes(scene):
        return SymbolOutcome(
            symbol=symbol, provenance=Provenance.PARSE_ERROR, why="; ".join(wrong)[:NOTE_CHARS]
        )
    if wrong := ungrounded(scene):
        why = "; ".join(wrong)[:NOTE_CHARS]
        return SymbolOutcome(symbol=symbol, provenance=Provenance.GROUNDING_FAILED, why=why)
    held = decision.action is Action.HOLD
    return SymbolOutcome(
        symbol=symbol, provenance=Provenance.MODEL_HOLD if held else Provenance.DECIDED, decision=decision
    )


def _tidied(symbol: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """The item with its symbol and action as they are spelt here, and texts cut to their length."""
    tidy = {**item, "symbol": symbol}
    if isinstance(action := tidy.get("action"), str):
        tidy["action"] = re.sub(r"[\s-]+", "_", action.strip().lower())
    if isinstance(tidy.get("reasoning"), str):
        tidy["reasoning"] = _plain(tidy["reasoning"], REASONING_CHARS)
    exits = tidy.get("exits")
    if isinstance(exits, dict):
        text = {"text": _plain(exits["text"], NOTE_CHARS)} if isinstance(exits.get("text"), str) else {}
        tidy["exits"] = _without_nulls({**exits, **text})
    return _without_nulls(tidy)


#: Lists and texts for which models also write null.
_NULLED = frozenset({"evidence", "reasoning", "take_profits", "invalidations", "text"})


def _without_nulls(item: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if value is not None or key not in _NULLED}


def _respelled(decisions: Sequence[Any], observation: Observation) -> tuple[str, ...]:
    said = [item.get("symbol") for item in decisions if isinstance(item, dict)]
    return ("symbol",) if any(isinstance(one, str) and one not in observation.symbols for one in said) else ()


def _spellings(symbols: Sequence[str]) -> dict[str, str]:
    """How else a symbol is written, as far as it can mean one instrument only."""
    known = {_spelling(symbol): symbol for symbol in symbols}
    bases = [symbol.partition("/")[0] for symbol in symbols]
    return {
        base: symbol for base, symbol in zip(bases, symbols, strict=True) if bases.count(base) == 1
    } | known


def _spelling(symbol: str) -> str:
    return re.sub(r"[/\-_:\s]", "", symbol.upper())


def _first(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    details = error.errors(include_url=False, include_input=False)
    place = ".".join(str(part) for part in details[0]["loc"]) or "it"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{_plain(place, 80)}: {details[0]['msg']}{more}"


def _plain(text: Any, most: int) -> str:
    """A model's text as far as it can be kept: valid UTF-8 without control characters, cut."""
    if not isinstance(text, str):
        return ""
    clean = text.encode("utf-8", "replace").decode()
    return "".join(char if char.isprintable() or char == "\n" else " " for char in clean)[:most]


def _nothing(observation: Observation, mistake: str) -> Parsed:
    return Parsed(
        outcomes=tuple(
            SymbolOutcome(symbol=symbol, provenance=Provenance.PARSE_ERROR, why=mistake)
            for symbol in observation.symbols
        ),
        mistake=mistake,
    )


def _abstained(observation: Observation, why: str, mends: tuple[str, ...]) -> Parsed:
    return Parsed(
        outcomes=tuple(
            SymbolOutcome(symbol=symbol, provenance=Provenance.ABSTAIN, why=why)
            for symbol in observation.symbols
        ),
        mends=mends,
    )
