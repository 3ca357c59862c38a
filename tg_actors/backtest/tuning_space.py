"""What may be tuned: ranges of parameters per kind of agent, and a spec with other values in them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from tg_actors.agents.kinds import KINDS, AgentSpec, needs_of
from tg_actors.domain.errors import UserError
from tg_actors.institutional.liquidity_spec import LiquidityWeights
from tg_actors.market.needs import MarketNeeds

#: A tuned number is written with so many significant digits: more would be noise.
DIGITS = 4


@dataclass(frozen=True, slots=True)
class Knob:
    """One parameter and its range, both ends included.

    ``path`` leads through the spec with dots; ``*`` stands for every element of a list. ``is_log`` searches
    by ratios, ``is_whole`` knows whole numbers only.
    """

    path: str
    low: float
    high: float
    is_log: bool = False
    is_whole: bool = False


def _weight(path: str) -> Knob:
    """How much something counts among others."""
    return Knob(path, 0.1, 5.0, is_log=True)


#: Ranges that cannot contradict each other, so that every trial is a spec that a file may hold.
SPACES: dict[str, tuple[Knob, ...]] = {
    "technical": (
        Knob("enter_score", 0.2, 0.9),
        Knob("exit_score", 0.0, 0.15),
        Knob("agreement_min", 0.3, 1.0),
        _weight("conditions.*.weight"),
    ),
    "liquidity": (
        Knob("enter_score", 0.15, 0.8),
        Knob("agreement_min", 0.2, 0.9),
        Knob("swing_bars", 2, 10, is_whole=True),
        Knob("sweep_bars", 1, 6, is_whole=True),
        Knob("zone_bars", 12, 96, is_whole=True),
        *(_weight(f"weights.{name}") for name in LiquidityWeights.model_fields),
    ),
    "volume_profile": (
        Knob("enter_score", 0.1, 0.7),
        Knob("agreement_min", 0.2, 0.9),
        Knob("value_frac", 0.5, 0.9),
        Knob("composite_sessions", 2, 12, is_whole=True),
        _weight("signs.*.weight"),
    ),
    "correlation": (
        Knob("enter_score", 0.1, 0.7),
        Knob("trend_days", 2, 20, is_whole=True),
        _weight("conditions.leader"),
        _weight("conditions.stress"),
        _weight("conditions.references"),
        _weight("conditions.diversifier"),
        _weight("conditions.lead_lag"),
    ),
    "rebalancing": (
        Knob("invested_frac", 0.2, 0.9),
        Knob("risk_aversion", 0.5, 8.0, is_log=True),
        Knob("inner_frac", 0.0, 1.0),
    ),
    "smart_money": (
        Knob("enter_score", 0.1, 0.7),
        Knob("crowd_sigma", 0.0, 3.0),
        Knob("trend_bars", 4, 96, is_whole=True),
        _weight("sources.*.weight"),
    ),
}


def knobs_of(spec: AgentSpec) -> tuple[Knob, ...]:
    """Return the knobs of an agent, one for every element behind a ``*``.

    Raises:
        UserError: nothing of this kind can be tuned.
    """
    if spec.kind not in SPACES:
        known = ", ".join(SPACES)
        raise UserError(
            f"{spec.name}: agents of kind {spec.kind} have nothing to tune: choose one of {known}"
        )
    content = spec.model_dump(mode="json")
    return tuple(
        Knob(path, knob.low, knob.high, knob.is_log, knob.is_whole)
        for knob in SPACES[spec.kind]
        for path in _expanded(content, knob.path)
    )


def values_of(spec: AgentSpec, knobs: tuple[Knob, ...]) -> dict[str, float]:
    """Return the values that a spec has now, cut to the ranges."""
    content = spec.model_dump(mode="json")
    return {knob.path: min(max(_at(content, knob.path), knob.low), knob.high) for knob in knobs}


def with_values(spec: AgentSpec, values: Mapping[str, float]) -> AgentSpec:
    """Return the spec with other values, each cut to four significant digits."""
    content = spec.model_dump(mode="json")
    for path, value in values.items():
        *way, last = path.split(".")
        holder: Any = content
        for step in way:
            holder = holder[int(step)] if isinstance(holder, list) else holder[step]
        holder[last] = int(value) if isinstance(holder[last], int) else float(f"{value:.{DIGITS}g}")
    tuned: Any = KINDS[spec.kind].spec.model_validate_json(json.dumps(content))
    return cast("AgentSpec", tuned)


def needs_within(spec: AgentSpec, knobs: tuple[Knob, ...]) -> MarketNeeds:
    """Return what a market must hold for the agent and for all that its knobs can make of it."""
    ends = ({knob.path: getattr(knob, end) for knob in knobs} for end in ("low", "high"))
    return needs_of([spec, *(with_values(spec, values) for values in ends)])


def _expanded(content: Any, path: str) -> list[str]:
    head, star, tail = path.partition(".*.")
    if not star:
        return [path]
    return [f"{head}.{k}.{tail}" for k in range(len(content[head]))]


def _at(content: Any, path: str) -> Any:
    for step in path.split("."):
        content = content[int(step)] if isinstance(content, list) else content[step]
    return content
