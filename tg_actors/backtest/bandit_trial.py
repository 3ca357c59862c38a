"""Do learnt ensembles beat the agent that one would have picked, and the equal-weight ensemble? Pure, seeded.

On every market the earlier part of the days is *prior*: the agent that earned most on it, after costs, is the
one that a person who knows nothing of regimes would have picked. The later part judges: daily returns of each
ensemble less those of that agent, and less those of the equal-weight ensemble, of all markets one after the
other, with an interval by the stationary bootstrap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from tg_actors.backtest.evaluation import ENSEMBLE, worth
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import TradingCosts
from tg_actors.backtest.validation.bootstrap import Interval, interval, mean
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.meta.bandits.specs import (
    Exp3Spec,
    GaussianThompsonSpec,
    LeaderSpec,
    LinUcbSpec,
    PerRegimeSpec,
    Ucb1Spec,
)
from tg_actors.meta.policies import LearningPolicy, SelectionPolicy, ShadowConfig, WeightsPolicy

#: Slow memories: an hour of a market says next to nothing about an agent.
_SLOW = LeaderSpec(discount=0.999, prior=200.0)
_SLOW_BY_REGIME = LeaderSpec(discount=0.999, prior=200.0, by_regime=True)

#: Who must be expected to earn something before he counts.
_TRUSTING_ERRORS = 1.0

#: The policies that are tried, all of them: none was left out for what it showed.
TRIED: Mapping[str, LearningPolicy] = {
    "weights leader": WeightsPolicy(algorithm=_SLOW),
    "weights leader sharp": WeightsPolicy(algorithm=_SLOW, sharpness=3.0),
    "weights leader by regime": WeightsPolicy(algorithm=_SLOW_BY_REGIME),
    "weights leader trusting": WeightsPolicy(algorithm=_SLOW, trust_errors_min=_TRUSTING_ERRORS),
    "weights leader by regime trusting": WeightsPolicy(
        algorithm=_SLOW_BY_REGIME, trust_errors_min=_TRUSTING_ERRORS
    ),
    "weights exp3": WeightsPolicy(algorithm=Exp3Spec()),
    "weights linucb": WeightsPolicy(algorithm=LinUcbSpec()),
    "selection leader": SelectionPolicy(algorithm=_SLOW.model_copy(update={"switching_cost": 0.0005})),
    "selection leader by regime": SelectionPolicy(
        algorithm=_SLOW_BY_REGIME.model_copy(update={"switching_cost": 0.0005})
    ),
    "selection thompson": SelectionPolicy(algorithm=GaussianThompsonSpec(discount=0.999)),
    "selection ucb1 per regime": SelectionPolicy(algorithm=PerRegimeSpec(each=Ucb1Spec())),
}


class Compared(Message):
    """One ensemble on the later days of all markets, in basis points a day.

    ``won`` counts the markets on which it earned more than the agent picked beforehand; ``gain_bps`` is the
    mean daily difference to that agent, ``gain_over_equal_bps`` to the equal-weight ensemble, each with its
    interval, None where there is no difference at all. ``mean_interval`` is that of ``mean_bps``: to hold
    nothing would have earned 0.
    """

    name: str
    markets: int = Field(ge=1)
    days: int = Field(ge=0)
    mean_bps: float
    mean_interval: Interval | None
    won: int = Field(ge=0)
    gain_bps: float
    gain_interval: Interval | None
    gain_over_equal_bps: float
    equal_interval: Interval | None

    @property
    def verdict(self) -> str:
        """Whether it beats the agent that was picked, as far as one can tell."""
        if self.gain_interval is None or not self.gain_interval.excludes_zero:
            return "not distinguishable"
        return "wins" if self.gain_bps > 0 else "loses"


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One market: who was picked beforehand, and everybody's daily returns ``(days,)`` since."""

    picked: str
    later: dict[str, F64]


def on_market(
    bars: MarketBars,
    targets: Mapping[str, F64],
    costs: TradingCosts,
    agents: Iterable[str],
    prior_frac: float,
) -> Trial:
    """Pick an agent on the first days, and keep the returns of the others."""
    daily = {name: worth(name, bars, rows, costs).returns for name, rows in targets.items()}
    prior = int(len(daily[ENSEMBLE]) * prior_frac)
    picked = max(agents, key=lambda agent: float(np.log1p(np.maximum(daily[agent][:prior], -0.99)).sum()))
    return Trial(picked, {name: returns[prior:] for name, returns in daily.items()})


def compare(trials: Sequence[Trial], names: Iterable[str], seed: int, samples: int = 2_000) -> list[Compared]:
    """Hold ensembles against the agents picked and the equal-weight ensemble, the best first.

    The agents picked and the equal-weight ensemble stand in the table as well.
    """
    rows = [
        _compared(trials, PICKED, [trial.later[trial.picked] for trial in trials], seed, samples),
        *(
            _compared(trials, name, [trial.later[name] for trial in trials], seed, samples)
            for name in (ENSEMBLE, *names)
        ),
    ]
    return sorted(rows, key=lambda row: -row.gain_bps)


#: The name under which the agents picked beforehand stand in the table.
PICKED = "agent picked beforehand"


def _compared(trials: Sequence[Trial], name: str, own: Sequence[F64], seed: int, samples: int) -> Compared:
    picked = [trial.later[trial.picked] for trial in trials]
    gain = np.concatenate(own) - np.concatenate(picked)
    over_equal = np.concatenate(own) - np.concatenate([trial.later[ENSEMBLE] for trial in trials])
    return Compared(
        name=name,
        markets=len(trials),
        days=gain.size,
        mean_bps=_bps(np.concatenate(own)),
        mean_interval=_interval(np.concatenate(own), seed, samples),
        won=sum(float(mine.sum()) > float(theirs.sum()) for mine, theirs in zip(own, picked, strict=True)),
        gain_bps=_bps(gain),
        gain_interval=_interval(gain, seed, samples),
        gain_over_equal_bps=_bps(over_equal),
        equal_interval=_interval(over_equal, seed, samples),
    )


def with_shadow(policy: LearningPolicy, shadow: ShadowConfig) -> LearningPolicy:
    """Return the policy with the rule and the costs of the market that it is tried on."""
    return policy.model_copy(update={"shadow": shadow})


def _bps(returns: F64) -> float:
    return float(returns.mean()) * 1e4 if returns.size else 0.0


def _interval(returns: F64, seed: int, samples: int) -> Interval | None:
    return interval(returns * 1e4, mean, seed=seed, samples=samples) if returns.any() else None
