"""How well does choosing the best of many do, over many paths through one history? Pure."""

import numpy as np
from pydantic import Field

from tg_actors.backtest.population import Population, sharpes_365
from tg_actors.backtest.validation.splits import CombinatorialPurged
from tg_actors.domain.message import Message

#: Pieces of time, of which every two are a test once: 28 splits, 7 paths.
CUT = CombinatorialPurged(groups=8, test_groups=2, embargo=1)
_CHOICE_MIN = 2
#: Days of a piece, at least: a month has a Sharpe ratio that says something.
_GROUP_DAYS_MIN = 30


class ChoicePaths(Message):
    """What the best of the training days earned on days that it was not chosen on, path by path.

    ``sharpe_daily_365``: of every path, rising; each goes once through the whole time. ``sharpe_in_sample``:
    of the best on all days, which is what a search would show. ``losing_frac``: paths with a negative one.
    ``chosen``: how many different strategies were the best of some training. Training days lie after the test
    as well as before it: this judges the choice, nobody could have traded it (López de Prado 2018, ch. 12).
    """

    groups: int
    test_groups: int
    embargo_days: int
    splits: int
    chosen: int
    sharpe_daily_365: tuple[float, ...]
    sharpe_median: float
    sharpe_in_sample: float
    losing_frac: float = Field(ge=0, le=1)


def choice_paths(population: Population, cut: CombinatorialPurged = CUT) -> ChoicePaths | None:
    """Choose on every combination of training days, judge on the others, and join the tests to paths.

    None of fewer than two strategies, or where a piece of time has less than 30 days.
    """
    returns = population.returns
    days = returns.shape[1]
    if len(population) < _CHOICE_MIN or days < _GROUP_DAYS_MIN * cut.groups:
        return None
    best = [int(np.argmax(sharpes_365(returns[:, split.train]))) for split in cut.split(days)]
    paths = np.stack(
        [np.concatenate([returns[best[split], test] for split, test in path]) for path in cut.path_of(days)]
    )
    sharpes = np.sort(sharpes_365(paths))
    return ChoicePaths(
        groups=cut.groups,
        test_groups=cut.test_groups,
        embargo_days=cut.embargo,
        splits=cut.splits,
        chosen=len(set(best)),
        sharpe_daily_365=tuple(sharpes.tolist()),
        sharpe_median=float(np.median(sharpes)),
        sharpe_in_sample=float(sharpes_365(returns).max()),
        losing_frac=float((sharpes < 0.0).mean()),
    )
