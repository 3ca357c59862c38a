"""Sweeps and tuning as Ray tasks find what one process finds, to the bit."""

from pathlib import Path

import pytest

from tests.baseline_words import HOUR_NS, noise
from tests.tuning_words import planted_market, tuning
from tg_actors.backtest.actor import CHUNK, run_on_ray, score_on_ray
from tg_actors.backtest.baselines.library import library
from tg_actors.backtest.population import TradingCosts, run_baselines
from tg_actors.backtest.tuning import Job, Tuner, score_inline
from tg_actors.backtest.tuning_study import Studies
from tg_actors.domain.errors import UserError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray")]


def test_a_population_is_the_same_on_ray() -> None:
    bars, costs = noise(600, 3), TradingCosts(0.001, 2.0)
    members = library(HOUR_NS)[:: len(library(HOUR_NS)) // (2 * CHUNK + 5)]
    assert len(members) > 2 * CHUNK
    there = list(run_on_ray(bars, members, costs, 2))
    here = list(run_baselines(bars, members, costs))
    assert [o.name for o in there] == [b.name for b in members]
    assert [o.returns.tobytes() for o in there] == [o.returns.tobytes() for o in here]
    assert [o.turnover for o in there] == [o.turnover for o in here]


def test_a_tuning_is_the_same_on_ray(tmp_path: Path) -> None:
    spec, bars = tuning(planted_market(tmp_path, days=24), trials=4, windows=1, batch=2)
    reports = []
    for score in (score_inline, score_on_ray):
        studies = Studies(None)
        reports.append(Tuner(spec, bars, studies, score, lambda _: None).run())
        studies.close()
    assert reports[0] == reports[1]


def test_a_user_error_comes_back_from_a_task_as_it_was_raised(tmp_path: Path) -> None:
    spec, bars = tuning(planted_market(tmp_path, days=24))
    for file in (tmp_path / "ohlcv").glob("*.parquet"):
        file.unlink()
    with pytest.raises(UserError, match="no bars of AAA/USDT"):
        score_on_ray([Job(spec, spec.agent, len(bars))])
