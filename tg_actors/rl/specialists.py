"""The generalist and its four specialists: where each is at home, what it is paid for, whom it learns from.

A specialist is the generalist's policy, trained on where most episodes begin in its home regime and go on
as they will; the generalist is an arm of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.rl.episodes import LEVELS
from tg_actors.rl.market import LearningMarket
from tg_actors.rl.presets import DEFAULT_REWARD, PRESETS

GENERALIST = "generalist"
#: What the names of the models in the registry begin with.
MODEL_PREFIX = "rl-"
#: The part of a specialist's episodes that begins at home.
HOME_FRAC = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Specialist:
    """One row: ``home`` are the regimes it is trained for, empty for all; ``reward`` names its preset.

    ``families`` are those of the baselines it learns from before it plays, empty for all of them;
    ``clones`` says that a specialist begins from them and not from the generalist alone.
    """

    name: str
    meaning: str
    home: tuple[str, ...] = ()
    reward: str = DEFAULT_REWARD
    families: tuple[str, ...] = ()
    clones: bool = False

    @property
    def model(self) -> str:
        """Its name in the registry."""
        return MODEL_PREFIX + self.name

    @property
    def gamma(self) -> float:
        """The discount it learns with."""
        return PRESETS[self.reward].gamma

    @property
    def exposure_frac_max(self) -> float:
        """The largest part of the exposure limit that it may use."""
        return PRESETS[self.reward].level_max / LEVELS


_REVERSION = ("rsi", "bollinger", "zscore", "zscore_scaled", "stochastic", "vwap_reversion", "dip", "grid")

SPECIALISTS: Mapping[str, Specialist] = MappingProxyType(
    {
        one.name: one
        for one in (
            Specialist(name=GENERALIST, meaning="every market; the trunk of the others", clones=True),
            Specialist(
                name="conservative",
                meaning="volatile markets, at most 40 % of the limit",
                home=("high_volatility",),
                reward="conservative",
            ),
            Specialist(
                name="aggressive",
                meaning="trending markets, half the risk aversion",
                home=("trend_up", "trend_down"),
                reward="aggressive",
            ),
            Specialist(
                name="balanced",
                meaning="ranging markets, turnover costs more",
                home=("range",),
                reward="balanced",
            ),
            Specialist(
                name="contrarian",
                meaning="reversals, a short horizon, taught by mean reversion",
                home=("reversal",),
                reward="contrarian",
                families=_REVERSION,
                clones=True,
            ),
        )
    }
)


def specialist(name: str) -> Specialist:
    """Return a specialist by its name, with or without the registry's prefix.

    Raises:
        UserError: there is none of this name.
    """
    found = SPECIALISTS.get(name.removeprefix(MODEL_PREFIX))
    if found is None:
        raise UserError(f"there is no specialist {name!r}: known are {', '.join(SPECIALISTS)}")
    return found


def at_home(one: Specialist, market: LearningMarket) -> F64:
    """Return the probability ``(T, A)`` that the market is in a specialist's home; 1 for the generalist."""
    if not one.home:
        return np.ones(market.close.shape)
    chances: F64 = np.sum([market.column(f"p_{regime}") for regime in one.home], axis=0)
    return chances


def start_weights(one: Specialist, market: LearningMarket, bars: int) -> F64 | None:
    """Return how often episodes of ``bars`` begin on a bar ``(T, A)``: 70 % of them at home.

    None where all bars are alike: for the generalist, and on a market that is never or always its home.
    """
    if not one.home:
        return None
    home = at_home(one, market)
    whole = slice(market.first, len(home) - bars)
    inside, outside = home[whole].sum(axis=0), (1.0 - home[whole]).sum(axis=0)
    if not (inside.min() > 0.0 and outside.min() > 0.0):
        return None
    weights: F64 = HOME_FRAC * home / inside + (1.0 - HOME_FRAC) * (1.0 - home) / outside
    return weights
