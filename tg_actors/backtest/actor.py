"""Ray shell of sweeps and tuning: baselines in chunks with the bars put once, trials one by one.

Tasks, not actors: they have no memory and no effect but their answer, so Ray runs one again whose process
has died. Decides nothing.
"""

from collections.abc import Iterator, Sequence

import ray
from ray.exceptions import RayTaskError

from tg_actors.backtest.baselines.family import Baseline
from tg_actors.backtest.baselines.library import FAMILIES
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.backtest.population import Outcome, TradingCosts, run_baselines
from tg_actors.backtest.tuning import Job, score_inline
from tg_actors.domain.blocks import F64

#: Baselines that travel together: enough to share their indicators, few enough to show progress.
CHUNK = 24

#: A baseline on its way: rules are found again by the name of their family.
_Ticket = tuple[str, tuple[float | int | str, ...]]


@ray.remote(num_cpus=1)
def _run_chunk(bars: MarketBars, tickets: Sequence[_Ticket], costs: TradingCosts) -> list[Outcome]:
    baselines = [Baseline(FAMILIES[family], parameters) for family, parameters in tickets]
    return list(run_baselines(bars, baselines, costs))


def run_on_ray(
    bars: MarketBars, baselines: Sequence[Baseline], costs: TradingCosts, workers: int
) -> Iterator[Outcome]:
    """Play baselines as Ray tasks, ``workers`` at a time; outcomes come in the order of the baselines."""
    tickets = [(baseline.family.name, baseline.parameters) for baseline in baselines]
    chunks = [tickets[k : k + CHUNK] for k in range(0, len(tickets), CHUNK)]
    shared = ray.put(bars)
    running = [_run_chunk.remote(shared, chunk, costs) for chunk in chunks[:workers]]
    try:
        for k in range(len(chunks)):
            answers = ray.get(running[k])
            if len(running) < len(chunks):
                running.append(_run_chunk.remote(shared, chunks[len(running)], costs))
            yield from answers
    finally:
        for task in running:
            ray.cancel(task)


@ray.remote(num_cpus=1)
def _score_one(job: Job) -> F64:
    return score_inline([job])[0]


def score_on_ray(jobs: Sequence[Job]) -> list[F64]:
    """Score trials as Ray tasks, all at once; each process keeps the market for its next trial.

    Raises:
        UserError: the market cannot be had.
    """
    try:
        scores: list[F64] = ray.get([_score_one.remote(job) for job in jobs])
    except RayTaskError as error:
        raise error.cause from error
    return scores
