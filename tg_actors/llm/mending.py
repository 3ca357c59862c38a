"""From a model's text to one JSON value, strictly, mending only what can mean one thing.

Mended, and named: a closed thinking block, a fence, prose around, full-width punctuation, trailing commas, a
list or one decision where an object was asked for. Never guessed: two different answers, a text that was cut
off, a key that stands twice, NaN. The last two become values that no field accepts, so that they cost the
one decision they stand in and not the others.
"""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

#: Longest text, and most values looked at in it: a model that repeats itself for ever is not worth more.
_CHARS_MAX = 100_000
_STARTS_MAX = 40
#: Keys of values that no field of an answer accepts.
TWICE, NO_NUMBER = "key stands twice", "no finite number"

_THINKING = re.compile(r"\A\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_FENCE = re.compile(r"```[A-Za-z]*[ \t]*\n(.*?)```", re.DOTALL)
_NARROW = str.maketrans("｛｝［］：，－．０１２３４５６７８９", "{}[]:,-.0123456789")  # noqa: RUF001 - likewise
#: How JSON begins, and prose in brackets does not.
_BEGINS = re.compile(r"[{｛]\s*[\"“＂}｝]|[\[［]\s*[{｛\[［]")  # noqa: RUF001 - this is what models write
_OPENING, _CLOSING = "{[", "}]"
#: What may end a text that began with the key.
_QUOTES = {'"': '"', "“": "”", "＂": "＂", "”": "”"}  # noqa: RUF001 - this is what models write


class Unreadable(ValueError):  # noqa: N818 - a state of a text, not a mistake of ours
    """There is no one JSON value in a text; says why."""


@dataclass(frozen=True, slots=True)
class Mended:
    """An answer as a plain object, and what had to be mended."""

    content: dict[str, Any]
    mends: tuple[str, ...]


def mend(text: str) -> Mended:
    """Return the one answer that a text holds.

    Raises:
        Unreadable: none, several different ones, or too long a text.
    """
    if len(text) > _CHARS_MAX:
        raise Unreadable(f"the answer has {len(text)} characters")
    if not text.strip():
        raise Unreadable("the answer is empty")
    mends: list[str] = []
    rest = _THINKING.sub("", text.lstrip("\ufeff"))
    if rest != text:
        mends.append("thinking" if "<think" in text else "byte_order_mark")
    found = _strictly(rest.strip())
    if found is None or not _looks_right(found):
        mends += ["wrapper"] if found is not None else []
        found, more = _search(rest)
        mends += more
    content, shape = _shaped(found)
    return Mended(content, (*mends, *shape))


def _strictly(text: str) -> Any:
    """The value of a text that is JSON and nothing else, None for any other."""
    try:
        return json.loads(
            # Line breaks inside a text are bad JSON that can mean one thing only.
            text,
            strict=False,
            object_pairs_hook=_object,
            parse_constant=_no_number,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    return content if len(content) == len(pairs) else {TWICE: None}


def _no_number(name: str) -> dict[str, str]:
    return {NO_NUMBER: name}


def _finite(text: str) -> float | dict[str, str]:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _search(text: str) -> tuple[Any, list[str]]:
    """The one answer inside a longer text."""
    fenced = _FENCE.findall(text)
    for place, parts in (("fence", fenced), ("prose", [text])):
        answers = [found for part in parts for found in _answers(part)]
        if not answers:
            continue
        first, mends = answers[0]
        if any(other != first for other, _ in answers[1:]):
            raise Unreadable("the text holds different answers")
        again = ["repeated"] if len(answers) > 1 else []
        return first, [*([place] if _is_wrapped(place, text) else []), *again, *mends]
    raise Unreadable("there is no JSON object that is an answer, or it is cut off")


def _is_wrapped(place: str, text: str) -> bool:
    bare = text.strip().translate(_NARROW)
    return place == "fence" or bare[:1] not in _OPENING or bare[-1:] not in _CLOSING


def _answers(text: str) -> Iterator[tuple[Any, list[str]]]:
    """Every value in a text that has the look of an answer, outermost first."""
    at = 0
    for _ in range(_STARTS_MAX):
        begin = _BEGINS.search(text, at)
        span = None if begin is None else _span(text, begin.start())
        if begin is None or span is None:
            return  # no more, or cut off: what lies inside is no answer of its own
        found = _strictly(span.text)
        looks_right = found is not None and _looks_right(found)
        if looks_right:
            yield found, span.mends
        # Into a sound wrapper, but over broken JSON.
        at = span.end if found is None or looks_right else begin.start() + 1


@dataclass(frozen=True, slots=True)
class _Span:
    text: str
    end: int
    mends: list[str]


def _span(text: str, start: int) -> _Span | None:
    """The balanced value that begins at ``start``, with narrow punctuation and no trailing commas."""
    out: list[str] = []
    depth, at, quote = 0, start, ""
    narrowed = dropped = False
    while at < len(text):
        char = text[at]
        if quote:
            at, quote = _in_text(text, at, quote, out)
            continue
        plain = char.translate(_NARROW)
        narrowed |= plain != char or (char in _QUOTES and char != '"')
        if plain in _QUOTES:
            quote = _QUOTES[plain]
            out.append('"')
        else:
            dropped |= plain in _CLOSING and _drop_comma(out)
            depth += (plain in _OPENING) - (plain in _CLOSING)
            out.append(plain)
        at += 1
        if depth == 0:
            mends = [name for name, done in (("full_width", narrowed), ("trailing_comma", dropped)) if done]
            return _Span("".join(out), at, mends)
    return None


def _in_text(text: str, at: int, quote: str, out: list[str]) -> tuple[int, str]:
    """Copy one character of a quoted text; return where to go on, and the quote that still has to come."""
    char = text[at]
    if char == "\\":
        out.append(text[at : at + 2])
        return at + 2, quote
    if char == quote:
        out.append('"')
        return at + 1, ""
    out.append('\\"' if char == '"' else char)
    return at + 1, quote


def _drop_comma(out: list[str]) -> bool:
    k = len(out) - 1
    while k >= 0 and out[k].isspace():
        k -= 1
    if k >= 0 and out[k] == ",":
        del out[k]
        return True
    return False


def _looks_right(found: Any) -> bool:
    if isinstance(found, list):
        return bool(found) and all(isinstance(one, dict) and "symbol" in one for one in found)
    return isinstance(found, dict) and bool({"decisions", "abstain", "symbol"} & found.keys())


def _shaped(found: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """An object with decisions, from what may stand for one."""
    if isinstance(found, list) and _looks_right(found):
        return {"decisions": found}, ("list",)
    if isinstance(found, dict) and "symbol" in found and "decisions" not in found:
        return {"decisions": [found]}, ("one_decision",)
    if isinstance(found, dict) and _looks_right(found):
        return found, ()
    raise Unreadable("the JSON is no answer: it has neither decisions nor abstain")
