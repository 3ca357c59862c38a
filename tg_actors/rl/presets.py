"""Rewards by name: what each is for, how far its learner may go, how it is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.rl.reward import GrowthReward, GrowthTerms, Reward
from tg_actors.rl.reward_seed import SeedReward

DEFAULT_REWARD = "v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardPreset:
    """One row: ``meaning`` for people, the largest exposure in fifths of the limit, and how it is opened.

    ``open_`` takes the usual move of every row's instrument. ``gamma`` is the discount to learn with.
    ``is_sound`` is what the audit finds; a test holds it to that.
    """

    meaning: str
    open_: Callable[[F64], Reward]
    level_max: int = 5
    gamma: float = 0.99
    is_sound: bool = True


def _growth(meaning: str, terms: GrowthTerms, level_max: int = 5) -> RewardPreset:
    return RewardPreset(
        meaning=meaning,
        open_=lambda move_frac: GrowthReward(terms, move_frac),
        level_max=level_max,
        gamma=terms.gamma,
    )


PRESETS: Mapping[str, RewardPreset] = MappingProxyType(
    {
        "v2": _growth(
            "log growth of equity net of costs, with shaping that pays nothing in all", GrowthTerms()
        ),
        "conservative": _growth(
            "v2 at three times the risk aversion, at most 40 % of the limit, drawdown counts from 5 % on",
            GrowthTerms(risk_aversion=3.0, drawdown_knee_frac=0.05),
            level_max=2,
        ),
        "aggressive": _growth("v2 at half the risk aversion", GrowthTerms(risk_aversion=0.5)),
        "balanced": _growth("v2 with 2 bps on everything traded", GrowthTerms(turnover_cost=2e-4)),
        "contrarian": _growth("v2 with a short horizon (gamma 0.95)", GrowthTerms(gamma=0.95)),
        "seed_v1": RewardPreset(
            meaning="FAILS THE AUDIT, for comparison only: the first plan's formula pays for one small win "
            "and sitting still, by levels on every bar",
            open_=lambda move_frac: SeedReward(len(move_frac)),
            is_sound=False,
        ),
    }
)


def reward_preset(name: str) -> RewardPreset:
    """Return a preset by its name.

    Raises:
        UserError: there is none of this name.
    """
    if name not in PRESETS:
        raise UserError(f"there is no reward {name!r}: known are {', '.join(PRESETS)}")
    return PRESETS[name]
