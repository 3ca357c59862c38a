"""Thousands of spoilt answers against the parser: nothing may escape, nothing invalid may become a view.

What is accepted is judged a second time by rules written here anew, from the observation's own JSON.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tg_actors.domain.message import Message
from tg_actors.llm.contract.answer import SymbolDecision
from tg_actors.llm.contract.observation import Observation
from tg_actors.llm.parser import Parsed, Provenance, parse
from tg_actors.llm.rehearsal.corpus import Text, bad_corpus, corpus

_ACTIONS = {"open_long", "open_short", "hold"}
#: What is put in: fragments of answers, one a blank.
_FRAGMENTS = (
    "NaN Infinity -1 1e999 0 null true 99999999999999999999 { } [ ] , : \\ \\ud800 \x00 “ ｛ "  # noqa: RUF001 - so they write
    '" "symbol" "decisions" ``` <think> open_short [[[['
)
_CHUNKS = tuple(_FRAGMENTS.split(" "))
_DEEP = 3_000
_KEPT = 10


class FuzzReport(Message):
    """What came of it. ``corpus_parsed_frac``: texts in every dress that gave exactly what was meant."""

    seed: int
    answers: int
    escaped_exceptions: int
    invalid_accepted: int
    accepted: int
    refused: int
    corpus_texts: int
    corpus_parsed_frac: float
    corpus_failures: dict[str, int]
    bad_texts: int
    bad_accepted: tuple[str, ...]
    examples: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing escaped and nothing invalid was accepted."""
        return not (self.escaped_exceptions or self.invalid_accepted or self.bad_accepted)


def fuzz(shown: Observation, answers: int, seed: int, per_dress: int = 20) -> FuzzReport:
    """Run the corpus, the bad corpus, and ``answers`` spoilt texts; the same seed gives the same report."""
    rng = np.random.Generator(np.random.PCG64(seed))
    texts = list(corpus(shown, per_dress, rng))
    bad = list(bad_corpus(shown))
    failures = [text.form for text in texts if not _is_meant(parse(text.text, shown), text)]
    decided = [text.form for text in bad if _opens(parse(text.text, shown))]
    seeds = [text.text for text in (*texts, *bad)]
    escaped, invalid, accepted, examples = 0, 0, 0, []
    for _ in range(answers):
        text = _spoilt(seeds[int(rng.integers(len(seeds)))], rng)
        mistake, count = _try(text, shown)
        accepted += count
        if mistake is not None:
            escaped += mistake.startswith("escaped")
            invalid += not mistake.startswith("escaped")
            examples.append(f"{mistake}: {text[:200]!r}")
    return FuzzReport(
        seed=seed,
        answers=answers,
        escaped_exceptions=escaped,
        invalid_accepted=invalid,
        accepted=accepted,
        refused=answers * len(shown.symbols) - accepted,
        corpus_texts=len(texts),
        corpus_parsed_frac=1.0 - len(failures) / len(texts),
        corpus_failures={form: failures.count(form) for form in sorted(set(failures))},
        bad_texts=len(bad),
        bad_accepted=tuple(decided),
        examples=tuple(examples[:_KEPT]),
    )


def _is_meant(parsed: Parsed, text: Text) -> bool:
    said = {one.symbol: one.decision.action.value for one in parsed.outcomes if one.decision is not None}
    return said == text.truth


def _opens(parsed: Parsed) -> bool:
    return any(one.provenance is Provenance.DECIDED for one in parsed.outcomes)


def _try(text: str, shown: Observation) -> tuple[str | None, int]:
    """What went wrong with a text, None where nothing did, and how many views came of it."""
    try:
        parsed = parse(text, shown)
    except Exception as error:  # noqa: BLE001 - to find any is what this is for
        return f"escaped {type(error).__name__}: {error}", 0
    if [one.symbol for one in parsed.outcomes] != list(shown.symbols):
        return "invalid: not one outcome an instrument", 0
    said = [one.decision for one in parsed.outcomes if one.decision is not None]
    plain = shown.plain()
    mistakes = [mistake for one in said if (mistake := invalid_in(one, plain)) is not None]
    return (f"invalid: {mistakes[0]}" if mistakes else None), len(said)


def invalid_in(decision: SymbolDecision, plain: Mapping[str, Any]) -> str | None:
    """Say what is wrong with an accepted decision, by other rules; ``plain`` is the observation's JSON."""
    content = decision.model_dump(mode="json")
    view = plain["instruments"].get(content["symbol"])
    if view is None or content["action"] not in _ACTIONS:
        return "unknown symbol or action"
    if not all(math.isfinite(number) for number in _numbers(content)):
        return "a number is not finite"
    if not 0 <= content["conviction"] <= 1 or content["horizon_bars"] < 1:
        return "conviction or horizon out of range"
    return _wrong_side(content, view) or _beyond_limits(content, plain["limits"]) or _made_up(content, view)


def _wrong_side(content: Mapping[str, Any], view: Mapping[str, Any]) -> str | None:
    exits, side = content["exits"], {"open_long": 1, "open_short": -1}.get(content["action"], 0)
    if exits is None or not side:
        return None
    price = (content["entry"] or {}).get("limit_price") or view["last"]
    if exits["stop_loss"] is not None and (price - exits["stop_loss"]) * side <= 0:
        return "the stop is on the wrong side"
    if any((target - price) * side <= 0 for target in exits["take_profits"]):
        return "a target is on the wrong side"
    return None


def _beyond_limits(content: Mapping[str, Any], limits: Mapping[str, Any]) -> str | None:
    most = {
        "risk_frac": limits["risk_per_trade_frac"],
        "target_frac": limits["position_frac_max"],
        "notional": limits["order_notional_max"],
    }
    size = content["size"]
    if size is not None and not 0 < size["value"] <= most[size["kind"]]:
        return "the size is beyond its limit"
    leverage = content["leverage"]
    return (
        None if leverage is None or leverage <= limits["leverage_max"] else "the leverage is beyond its limit"
    )


def _made_up(content: Mapping[str, Any], view: Mapping[str, Any]) -> str | None:
    known = [abs(number) for number in _numbers(view)]
    for evidence in content["evidence"]:
        cited = abs(evidence["value"])
        if not any(abs(number - cited) <= 0.01 * max(number, cited) for number in known):
            return "evidence cites a number that was not shown of the instrument"
    return "an opening without evidence" if content["action"] != "hold" and not content["evidence"] else None


def _numbers(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [number for one in value.values() for number in _numbers(one)]
    if isinstance(value, list):
        return [number for one in value for number in _numbers(one)]
    return [float(value)] if isinstance(value, int | float) and not isinstance(value, bool) else []


def _spoilt(text: str, rng: np.random.Generator) -> str:
    for _ in range(int(rng.integers(1, 4))):
        text = _SPOILERS[int(rng.integers(len(_SPOILERS)))](text, rng)
    return text


def _cut(text: str, rng: np.random.Generator) -> str:
    return text[: int(rng.integers(len(text) + 1))]


def _without(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(text) + 1))
    return text[:at] + text[at + int(rng.integers(1, 40)) :]


def _inserted(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(text) + 1))
    return text[:at] + _CHUNKS[int(rng.integers(len(_CHUNKS)))] + text[at:]


def _digit(text: str, rng: np.random.Generator) -> str:
    places = [k for k, char in enumerate(text) if char.isdigit()]
    if not places:
        return text
    at = places[int(rng.integers(len(places)))]
    return text[:at] + str(int(rng.integers(10))) * int(rng.integers(1, 5)) + text[at + 1 :]


def _doubled(text: str, rng: np.random.Generator) -> str:
    first, last = sorted(rng.integers(len(text) + 1, size=2).tolist())
    return text[:last] + text[first:last] + text[last:]


def _swapped(text: str, rng: np.random.Generator) -> str:
    a, b, c = sorted(rng.integers(len(text) + 1, size=3).tolist())
    return text[:a] + text[b:c] + text[a:b] + text[c:]


def _deep(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(text) + 1))
    return text[:at] + "[" * int(rng.integers(1, _DEEP)) + text[at:]


_SPOILERS = (_cut, _without, _without, _inserted, _inserted, _digit, _digit, _doubled, _swapped, _deep)
