"""What every reported result carries: costs, sample, trials, interval, and what may be said of it."""

import math
from enum import StrEnum

from pydantic import Field

from tg_actors.backtest.validation.bootstrap import Interval, interval, total_return
from tg_actors.backtest.validation.overfitting import (
    deflated_sharpe,
    probabilistic_sharpe,
    sharpe_of_luck,
    track_record_min,
)
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.portfolio.performance import DAYS_FOR_A_YEARLY_RATE_MIN, DAYS_PER_YEAR, sharpe_daily_365
from tg_actors.portfolio.resampling import optimal_block

#: What a probability must reach for a result to count as supported.
SUPPORT_FRAC = 0.95


class Verdict(StrEnum):
    """What may be said of a result."""

    SUPPORTED = "supported"
    INDISTINGUISHABLE = "not distinguishable from zero"
    LOSING = "losing"
    TOO_SHORT = "too short to say"
    UNDEFINED = "undefined"


class Evidence(Message):
    """A result with all that is needed to believe or to doubt it; None is undefined.

    ``sharpe_interval`` and ``total_return_interval`` come from the stationary bootstrap of the daily
    returns with blocks of ``block_days_mean``. ``psr_frac``: probability that the true Sharpe ratio is above
    zero. ``dsr_frac``: that it is above ``sharpe_luck_365``, what the best of ``trials`` strategies without
    skill is expected to show. ``track_record_days_min``: days that this ratio needs to be believed.
    ``trials_std_365``: standard deviation of the trials' yearly Sharpe ratios, None where it was not known
    and the one of strategies without skill was taken. ``pbo_frac`` where the choice was cross-validated.
    """

    name: str
    sample_days: int = Field(ge=0)
    costs: str = Field(min_length=1)
    trials: int = Field(ge=1)
    trials_std_365: float | None
    total_return_frac: float | None
    total_return_interval: Interval | None
    sharpe_daily_365: float | None
    sharpe_interval: Interval | None
    block_days_mean: float = Field(ge=1)
    psr_frac: float | None
    dsr_frac: float | None
    sharpe_luck_365: float
    track_record_days_min: float | None
    pbo_frac: float | None = None
    verdict: Verdict

    @property
    def is_supported(self) -> bool:
        """Whether the result passes: it is better than the luck of its trials, and not by one lucky week."""
        return self.verdict is Verdict.SUPPORTED

    @property
    def sentence(self) -> str:
        """The result as a person may repeat it."""
        if self.sharpe_daily_365 is None or self.sharpe_interval is None:
            days = f"{self.sample_days} day{'' if self.sample_days == 1 else 's'} of sample"
            return f"{self.name}: {self.verdict}, {days} ({self.costs})"
        low, high = self.sharpe_interval.low, self.sharpe_interval.high
        return (
            f"{self.name}: {self.verdict}; sharpe_daily_365 {self.sharpe_daily_365:.2f} "
            f"[{low:.2f}, {high:.2f}] at {self.sharpe_interval.level_frac:.0%}, "
            f"PSR {_percent(self.psr_frac)}, DSR {_percent(self.dsr_frac)} with {self.trials} "
            f"trial{'s' if self.trials > 1 else ''}, {self.sample_days} days ({self.costs})"
        )


DEFINITIONS: dict[str, str] = {
    "sharpe_interval": "percentile interval of sharpe_daily_365 by the stationary bootstrap (Politis and "
    "Romano 1994), block length by Politis and White (2004)",
    "total_return_interval": "the same for the compound return",
    "psr_frac": "probability that the true Sharpe ratio is above 0 (Bailey and López de Prado 2012)",
    "dsr_frac": "probability that it is above sharpe_luck_365 (deflated Sharpe ratio, Bailey and López de "
    "Prado 2014)",
    "sharpe_luck_365": "yearly Sharpe ratio to expect of the best of so many trials without skill",
    "track_record_days_min": "days at which psr_frac would reach 95 %, all else equal",
    "pbo_frac": "how often the best of the trials in one half of the sample is in the worse half of the "
    "ranking in the other (CSCV, Bailey et al. 2017)",
    "trials": "strategies and parameters tried before this one was chosen, itself included",
    "verdict": "supported: dsr_frac at least 95 % and the interval above 0; losing: the interval below 0; "
    "too short: under 30 days",
}


def definitions_table() -> str:
    """The definitions as Markdown, for ``docs/metrics.md``."""
    rows = [f"| `{name}` | {definition} |" for name, definition in DEFINITIONS.items()]
    return "\n".join(["| part | meaning |", "|---|---|", *rows])


def evidence(
    returns: F64,
    *,
    name: str,
    costs: str,
    seed: int,
    trials: int = 1,
    trials_std_365: float | None = None,
    pbo_frac: float | None = None,
    samples: int = 2_000,
) -> Evidence:
    """Weigh daily returns; the same seed gives the same evidence.

    Args:
        returns: one simple return a day, ``(days,)``, after costs.
        name: of what earned them.
        costs: what was deducted, in words: ``fee 10 bps, slippage 2 bps``.
        seed: of the bootstrap.
        trials: strategies and parameters among which this one was chosen *on these very days*, itself
            included. What was chosen on earlier days is one trial.
        trials_std_365: standard deviation of their yearly Sharpe ratios, where it is known.
        pbo_frac: probability of backtest overfitting, where it was computed.
        samples: of the bootstrap.
    """
    yearly = math.sqrt(DAYS_PER_YEAR)
    std = trials_std_365 / yearly if trials_std_365 is not None else 1.0 / math.sqrt(max(returns.size - 1, 1))
    block = optimal_block(returns)
    sharpe = sharpe_daily_365(returns)
    around = None if sharpe is None else interval(returns, seed=seed, samples=samples, block_mean=block)
    deflated = deflated_sharpe(returns, trials, std)
    return Evidence(
        name=name,
        sample_days=returns.size,
        costs=costs,
        trials=trials,
        trials_std_365=trials_std_365,
        total_return_frac=float(total_return(returns[None, :])[0]) if returns.size else None,
        total_return_interval=interval(returns, total_return, seed=seed, samples=samples, block_mean=block),
        sharpe_daily_365=sharpe,
        sharpe_interval=around,
        block_days_mean=block,
        psr_frac=probabilistic_sharpe(returns),
        dsr_frac=deflated,
        sharpe_luck_365=sharpe_of_luck(trials, std) * yearly,
        track_record_days_min=track_record_min(returns, level=SUPPORT_FRAC),
        pbo_frac=pbo_frac,
        verdict=_verdict(returns.size, around, deflated),
    )


def _verdict(days: int, around: Interval | None, deflated: float | None) -> Verdict:
    if around is None or deflated is None:
        return Verdict.UNDEFINED
    if days < DAYS_FOR_A_YEARLY_RATE_MIN:
        return Verdict.TOO_SHORT
    if around.high < 0.0:
        return Verdict.LOSING
    if around.low > 0.0 and deflated >= SUPPORT_FRAC:
        return Verdict.SUPPORTED
    return Verdict.INDISTINGUISHABLE


def _percent(frac: float | None) -> str:
    return "undefined" if frac is None else f"{frac:.1%}"
