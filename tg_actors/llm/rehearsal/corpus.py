"""Answers as models write them: sound ones in every dress that was seen, and bad ones that must be refused.

The dresses are those that users of other desks report (docs/llm.md); every text carries the truth with it.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tg_actors.llm.contract.observation import Observation
from tg_actors.llm.rehearsal.scene import decision

Plain = dict[str, Any]
_ACTIONS = ("open_long", "open_short", "hold")


@dataclass(frozen=True, slots=True)
class Text:
    """One answer as it came. ``truth`` maps each instrument to its action; None: nothing may be decided."""

    form: str
    text: str
    truth: Mapping[str, str] | None


def sound(shown: Observation, rng: np.random.Generator) -> Plain:
    """Return a sound answer whose actions are drawn."""
    drawn = [_ACTIONS[k] for k in rng.integers(0, len(_ACTIONS), len(shown.symbols)).tolist()]
    pairs = zip(shown.symbols, drawn, strict=True)
    decisions = [decision(symbol, shown.instruments[symbol], action) for symbol, action in pairs]
    return {"version": "answer/1", "decisions": decisions, "note": "mixed market", "abstain": None}


def _dump(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)


def _each(content: Plain, change: Callable[[Plain], None]) -> Plain:
    changed = copy.deepcopy(content)
    for item in changed["decisions"]:
        change(item)
    return changed


def _respelt(content: Plain, spell: Callable[[str], str]) -> str:
    return _dump(_each(content, lambda item: item.update(symbol=spell(item["symbol"]))))


def _acted(content: Plain, spell: Callable[[str], str]) -> str:
    return _dump(_each(content, lambda item: item.update(action=spell(item["action"]))))


def _bare(item: Plain) -> None:
    for key in [key for key, value in item.items() if value is None]:
        del item[key]


def _nulls(item: Plain) -> None:
    if item["action"] == "hold":
        item.update(evidence=None, reasoning=None)
    if item["exits"] is not None:
        item["exits"].update(text=None)


def _full_width(content: Plain) -> str:
    """Punctuation of another keyboard outside of texts."""
    table = {"{": "｛", "}": "｝", "[": "［", "]": "］", ":": "：", ",": "，"}  # noqa: RUF001 - that is the dress
    out, inside = [], False
    for char in json.dumps(content, ensure_ascii=False):
        inside ^= char == '"'
        out.append(char if inside else table.get(char, char))
    return "".join(out)


def _curly(content: Plain) -> str:
    out, inside = [], False
    for char in json.dumps(content, ensure_ascii=False):
        if char == '"':
            inside = not inside
            out.append("“" if inside else "”")
        else:
            out.append(char)
    return "".join(out)


_DRAFT = '<think>\nFirst idea: {"decisions": []}? No, RSI is stretched. Let me think again.\n</think>\n\n'

#: Sound answers in every dress; what is meant is beyond doubt.
DRESSES: Mapping[str, Callable[[Plain], str]] = {
    "clean": _dump,
    "compact": lambda c: json.dumps(c, separators=(",", ":")),
    "fence": lambda c: f"```json\n{_dump(c)}\n```",
    "fence_without_language": lambda c: f"```\n{_dump(c)}\n```",
    "fence_in_prose": lambda c: f"Here is my analysis:\n\n```json\n{_dump(c)}\n```\n\nLet me know!",
    "prose_before": lambda c: f"Based on the data, my decisions are:\n{_dump(c)}",
    "prose_after": lambda c: f"{_dump(c)}\n\nThese views rest on momentum [see RSI].",
    "prose_with_brackets": lambda c: f"Looking at {{BTC, ETH}} in the range [42000, 43000]: {_dump(c)} Done.",
    "thinking": lambda c: f"<think>\nMomentum is up.\n</think>\n{_dump(c)}",
    "thinking_with_draft": lambda c: _DRAFT + _dump(c),
    "byte_order_mark": lambda c: "\ufeff" + _dump(c),
    "full_width": _full_width,
    "curly_quotes": _curly,
    "trailing_commas": lambda c: _dump(c).replace("\n    }", ",\n    }").replace("\n  ]", ",\n  ]"),
    "list": lambda c: _dump(c["decisions"]),
    "list_in_fence": lambda c: f"```json\n{_dump(c['decisions'])}\n```",
    "wrapper": lambda c: _dump({"answer": c}),
    "twice_the_same": lambda c: f"{_dump(c)}\n\nTo repeat:\n\n{_dump(c)}",
    "line_breaks_in_texts": lambda c: _dump(_each(c, lambda i: i.update(reasoning="up\ntrend"))).replace(
        "\\n", "\n"
    ),
    "base_symbols": lambda c: _respelt(c, lambda s: s.partition("/")[0]),
    "joined_symbols": lambda c: _respelt(c, lambda s: s.replace("/", "")),
    "dashed_symbols": lambda c: _respelt(c, lambda s: s.replace("/", "-").lower()),
    "loud_actions": lambda c: _acted(c, str.upper),
    "spaced_actions": lambda c: _acted(c, lambda a: a.replace("_", " ").title()),
    "no_null_keys": lambda c: _dump(_each({k: v for k, v in c.items() if v is not None}, _bare)),
    "null_lists": lambda c: _dump(_each(c, _nulls)),
    "abstain_in_a_word": lambda c: _dump({**c, "abstain": False}),
    "no_version": lambda c: _dump({"decisions": c["decisions"]}),
    "long_reasoning": lambda c: _dump(_each(c, lambda i: i.update(reasoning="because of momentum " * 100))),
    "other_order": lambda c: _dump({**c, "decisions": c["decisions"][::-1]}),
    "unicode": lambda c: _dump(_each(c, lambda i: i.update(reasoning="趋势向上 📈 – momentum"))),  # noqa: RUF001
}


def _first(content: Plain, **change: Any) -> Plain:
    """The answer with its first decision, made an opening, changed."""
    changed = copy.deepcopy(content)
    changed["decisions"] = [{**changed["decisions"][0], **change}]
    return changed


def _exits(content: Plain, **change: Any) -> Plain:
    return _first(content, exits={**content["decisions"][0]["exits"], **change})


def _twice(content: Plain) -> str:
    return _dump(_first(content)).replace('"conviction"', '"symbol": "ETH/USDT",\n "conviction"')


def _two_answers(content: Plain) -> str:
    other = _each(content, lambda item: item.update(conviction=0.9))
    return f"{_dump(content)}\nor rather\n{_dump(other)}"


#: Answers that hold one opening and must lead to none. Each takes an answer whose first decision opens long.
BAD: Mapping[str, Callable[[Plain], str]] = {
    "nan": lambda c: _dump(_first(c, conviction=float("nan"))),
    "infinity": lambda c: _dump(_first(c, conviction=float("inf"))),
    "huge_number": lambda c: _dump(_first(c, conviction=0.6)).replace("0.6", "1e999"),
    "key_twice": _twice,
    "symbol_twice": lambda c: _dump({**c, "decisions": [c["decisions"][0], c["decisions"][0]]}),
    "stop_on_the_wrong_side": lambda c: _dump(
        _exits(c, stop_loss=c["decisions"][0]["exits"]["take_profits"][0])
    ),
    "target_on_the_wrong_side": lambda c: _dump(
        _exits(c, take_profits=[c["decisions"][0]["exits"]["stop_loss"]])
    ),
    "conviction_in_percent": lambda c: _dump(_first(c, conviction=62)),
    "conviction_as_text": lambda c: _dump(_first(c, conviction="0.62")),
    "unknown_symbol": lambda c: _dump(_first(c, symbol="PEPE/USDT")),
    "unknown_action": lambda c: _dump(_first(c, action="buy")),
    "needs_an_account": lambda c: _dump(_first(c, action="increase")),
    "unknown_key": lambda c: _dump(_first(c, quantity=3)),
    "too_much_leverage": lambda c: _dump(_first(c, leverage=20)),
    "too_much_size": lambda c: _dump(_first(c, size={"kind": "target_frac", "value": 0.9})),
    "limit_without_price": lambda c: _dump(_first(c, entry={"kind": "limit"})),
    "limit_far_away": lambda c: _dump(_first(c, entry={"kind": "limit", "limit_price": 1.0})),
    "wrong_already": lambda c: _dump(
        _exits(c, invalidations=[{"left": "rsi_14", "op": "above", "level": 0.0}])
    ),
    "unknown_series": lambda c: _dump(
        _exits(c, invalidations=[{"left": "moon", "op": "above", "level": 9.0}])
    ),
    "made_up_number": lambda c: _dump(_first(c, evidence=[{"path": "indicators.rsi_14", "value": 12.34}])),
    "made_up_path": lambda c: _dump(_first(c, evidence=[{"path": "indicators.hype", "value": 1.0}])),
    "no_evidence": lambda c: _dump(_first(c, evidence=[])),
    "two_answers": _two_answers,
    "cut_off": lambda c: _dump(c)[:-200],
    "cut_off_in_a_list": lambda c: _dump(c["decisions"])[:-60],
    "empty": lambda _: "",
    "prose": lambda _: "I would buy BTC here, conviction 0.8, stop below the last low.",
    "python": repr,
    "unknown_key_on_top": lambda c: _dump({**c, "orders": []}),
    "other_version": lambda c: _dump({**c, "version": "answer/2"}),
    "abstains_in_a_word": lambda c: _dump({**c, "abstain": True}),
    "abstains_perhaps": lambda c: _dump({**c, "abstain": {"is_abstaining": "yes", "why": ""}}),
    "abstains": lambda c: _dump({**c, "abstain": {"is_abstaining": True, "why": "too noisy"}}),
}


def corpus(shown: Observation, per_dress: int, rng: np.random.Generator) -> Iterator[Text]:
    """Return sound answers in every dress, so many of each."""
    for form, dress in DRESSES.items():
        for _ in range(per_dress):
            content = sound(shown, rng)
            truth = {item["symbol"]: item["action"] for item in content["decisions"]}
            yield Text(form, dress(content), truth)


def bad_corpus(shown: Observation) -> Iterator[Text]:
    """Return one bad answer of every kind."""
    first = shown.symbols[0]
    content = {"version": "answer/1", "note": "", "abstain": None}
    for form, spoil in BAD.items():
        decisions = [
            decision(symbol, shown.instruments[symbol], "open_long" if symbol == first else "hold")
            for symbol in shown.symbols
        ]
        yield Text(form, spoil({**content, "decisions": decisions}), None)
