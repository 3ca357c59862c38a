"""Gates between stages: what is asked against what a journal shows. Pure; undefined never passes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite

from tg_actors.domain.stages import Finding, Outcome
from tg_actors.risk.stages_plan import Criterion, Metric, Stage

#: What every metric is, and what is missing when it is undefined.
DEFINITIONS: dict[Metric, tuple[str, str]] = {
    Metric.DAYS: ("days from the first to the last mark at the stage", "no cycle at the stage"),
    Metric.TRADES: ("closed trades at the stage: positions from flat to flat", "no cycle at the stage"),
    Metric.SHARPE: (
        (
            "mean / standard deviation (ddof 1) of daily returns * sqrt(365), no risk-free rate; returns on "
            "the stage's capital, or on the equity where that is less"
        ),
        "fewer than two daily returns that differ",
    ),
    Metric.DRAWDOWN: (
        (
            "largest fall from a peak, as a fraction of it, of the stage's capital with its profit and loss; "
            "over every mark"
        ),
        "no cycle at the stage",
    ),
    Metric.WIN_RATE: ("closed trades with a profit after fees / closed trades", "no closed trade"),
    Metric.PROFIT_FACTOR: (
        "sum of profits / sum of losses over closed trades, after fees",
        "no closed trade with a loss",
    ),
    Metric.LARGEST_LOSS: (
        "largest loss of one closed trade after fees, as a fraction of the stage's capital; 0 if none",
        "no closed trade",
    ),
    Metric.UPTIME: (
        (
            "cycles that were decided in time, with an agent and the risk room there / cycles that the "
            "market had"
        ),
        "no cycle at the stage",
    ),
    Metric.PARSE_RATE: ("answers of LLM agents that fit their schema / answers", "no LLM agent has spoken"),
    Metric.SLIPPAGE: (
        (
            "mean of fill price against the mid of the decision over filled market orders, in basis points, "
            "positive = worse"
        ),
        "no filled market order",
    ),
    Metric.FILL_RATE: (
        "mean of filled / asked quantity over entries and exits that have ended",
        "no entry or exit has ended",
    ),
}


@dataclass(frozen=True, slots=True)
class Spread:
    """How sure a figure is: its bootstrap interval, and how often a strategy without skill passes."""

    low: float | None = None
    high: float | None = None
    chance_frac: float | None = None


def asked(stage: Stage, target: Stage) -> Iterator[tuple[str, Criterion]]:
    """Yield whose criterion it is, and the criterion, of the gate from a stage to its target.

    The gate is the exit of the one and the entry of the other, on evidence of the first.
    """
    days = Criterion(metric=Metric.DAYS, at_least=Decimal(stage.duration_days_min))
    yield f"{stage.name} exit", days
    for criterion in stage.exit:
        yield f"{stage.name} exit", criterion
    for criterion in target.entry if target is not stage else ():
        yield f"{target.name} entry", criterion


def passes(criterion: Criterion, value: float) -> bool:
    """Whether a value meets a criterion; the bound itself does."""
    return shortfall(criterion, value) <= 0


def shortfall(criterion: Criterion, value: float) -> float:
    """Return by how much a value misses a criterion, negative or 0 when it does not."""
    if criterion.at_least is not None:
        return float(criterion.at_least) - value
    return value - float(criterion.at_most or 0)


def judge(gate: str, criterion: Criterion, value: float | None, spread: Spread) -> Finding:
    """Hold one criterion against its value; what is not known is undefined, and fails."""
    known = value is not None and isfinite(value)
    missing = Outcome.NOT_APPLICABLE if criterion.when_llm else Outcome.UNDEFINED
    short = max(0.0, shortfall(criterion, value)) if known and value is not None else None
    return Finding(
        gate=gate,
        metric=criterion.metric,
        asked=_asked_text(criterion),
        value=value if known else None,
        outcome=missing if short is None else Outcome.FAILED if short > 0 else Outcome.MET,
        short=short,
        low=spread.low,
        high=spread.high,
        chance_frac=spread.chance_frac,
    )


def judge_all(
    stage: Stage,
    target: Stage,
    figures: Mapping[Metric, float],
    spreads: Mapping[Criterion, Spread],
) -> tuple[Finding, ...]:
    """Hold a whole gate against the figures of a journal; a metric that is missing is undefined."""
    return tuple(
        judge(gate, criterion, figures.get(criterion.metric), spreads.get(criterion, Spread()))
        for gate, criterion in asked(stage, target)
    )


def _asked_text(criterion: Criterion) -> str:
    if criterion.at_least is not None:
        return f"at least {criterion.at_least}"
    return f"at most {criterion.at_most}"
