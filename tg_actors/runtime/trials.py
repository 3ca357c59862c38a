"""The trial ledger: which desks and settings were tried on which market, so that luck can be counted.

A file of lines in ``TG_HOME``, written once per desk or setting and market. The best of many tries looks
good by luck alone; the deflated Sharpe ratio needs to know how many there were. Deleting the file deceives
nobody but its owner.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tg_actors.domain.errors import UserError
from tg_actors.runtime.home import home

_FILE = "trials.jsonl"
#: Where a market begins and ends, and in which folder its bars lie, makes it no other market.
_SAME_MARKET = ("from_utc", "to_utc", "data")


def market_key(identity: Mapping[str, Any]) -> str:
    """Name a market: instruments, timeframe and source, whatever the window."""
    source = {k: v for k, v in identity["source"].items() if k not in _SAME_MARKET}
    known = {"symbols": sorted(identity["symbols"]), "timeframe": identity["timeframe"], "source": source}
    return _hash(known)


def note_trials(market: str, tried: Iterable[Mapping[str, Any]]) -> None:
    """Count what was tried on a market, desks or settings; the same again is no new trial.

    Raises:
        UserError: the ledger is damaged.
    """
    known = {line["desk"] for line in _lines() if line["market"] == market}
    new = [name for name in dict.fromkeys(map(_hash, tried)) if name not in known]
    lines = [json.dumps({"market": market, "desk": name}, separators=(",", ":")) + "\n" for name in new]
    with (home() / _FILE).open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def count_trials(market: str) -> int:
    """Count the desks that were tried on a market, at least the one that is asked about.

    Raises:
        UserError: the ledger is damaged.
    """
    return max(1, sum(line["market"] == market for line in _lines()))


def _lines() -> list[dict[str, str]]:
    path = home() / _FILE
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise _damaged(path) from error
    if not all(isinstance(line, dict) and line.keys() == {"market", "desk"} for line in lines):
        raise _damaged(path)
    return lines


def _damaged(path: Path) -> UserError:
    return UserError(f"the trial ledger {path} is damaged: put a copy back, or remove it")


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]
