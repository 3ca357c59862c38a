"""Whether the numbers of an answer stand in what the model was shown."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tg_actors.llm.contract.answer import Evidence, SymbolDecision
from tg_actors.llm.contract.observation import Observation

#: A number may be rounded when it is cited, by this part of itself.
_ROUNDING = 0.005
_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?")
#: Shorter numbers are counts and ordinary words.
_DIGITS_MIN = 3
#: No number that is shown is as long as this.
_CHARS_MAX = 30
_PERCENT_MAX = 100.0
_MISSING = object()


class Grounds:
    """The numbers of one observation, and where they stand."""

    def __init__(self, observation: Observation) -> None:
        self._content = observation.plain()
        self._numbers = sorted(set(_numbers(self._content)))

    def mistake(self, symbol: str, evidence: Evidence) -> str | None:
        """Say what is wrong with a cited number, None when it stands where it is said to stand.

        A path is a whole one (``instruments.BTC/USDT.indicators.rsi_14``) or begins inside its instrument.
        """
        found = self._at(evidence.path)
        if found is _MISSING:
            found = self._at(f"instruments.{symbol}.{evidence.path}")
        if isinstance(found, bool) or not isinstance(found, int | float):
            return f"evidence {evidence.path!r} is no number of the observation"
        if not close(float(found), evidence.value):
            return f"evidence {evidence.path!r} is {found}, not {evidence.value}"
        return None

    def ungrounded(self, decision: SymbolDecision) -> int:
        """Count numbers in the reasoning that neither the observation nor the decision itself holds."""
        own = _numbers(decision.model_dump(mode="json", exclude={"reasoning"}))
        known = (*self._numbers, *own)
        return sum(not _is_known(text, known) for text in _cited(decision.reasoning))

    def _at(self, path: str) -> Any:
        place: Any = self._content
        columns: list[str] = []
        for part in path.removeprefix("$.").split("."):
            if isinstance(place, dict):
                columns = place.get("columns", columns)
                place = place.get(part, _MISSING)
            elif isinstance(place, list):
                place = _item(place, part, columns)
            else:
                return _MISSING
        return place


def _is_known(text: str, known: Iterable[float]) -> bool:
    """Whether a number is one of those, rounded to the digits in which it is written, perhaps in percent."""
    if len(text) > _CHARS_MAX:
        return False
    number, step = abs(float(text)), _last_digit(text)
    exact = any(abs(one - number) <= step for one in known)
    return exact or (number <= _PERCENT_MAX and any(abs(100.0 * one - number) <= step for one in known))


def _last_digit(text: str) -> float:
    """Half a unit of the last digit that was written, zeros at the end of a whole number not counted."""
    _, point, decimals = text.partition(".")
    whole = len(text) - len(text.rstrip("0"))
    return 0.5 * 10.0 ** (-len(decimals) if point else whole) * (1.0 + 1e-9)


def close(known: float, cited: float) -> bool:
    """Whether a cited number is a known one, perhaps rounded."""
    return abs(known - cited) <= _ROUNDING * max(abs(known), abs(cited))


def _item(row: list[Any], part: str, columns: list[str]) -> Any:
    if part in columns and len(row) == len(columns):
        return row[columns.index(part)]
    if not re.fullmatch(r"-?[0-9]{1,4}", part) or not -len(row) <= int(part) < len(row):
        return _MISSING
    return row[int(part)]


def _cited(text: str) -> Iterator[str]:
    for number in _NUMBER.findall(text):
        if sum(char.isdigit() for char in number.lstrip("-0.")) >= _DIGITS_MIN:
            yield number.replace(",", "")


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for one in value.values():
            yield from _numbers(one)
    elif isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield abs(float(value))
