"""Tuning: it finds what is there, says what is left of it outside, and goes on where it was stopped."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.tuning_words import DEAF, planted_market, tuning
from tg_actors.agents.kinds import KINDS
from tg_actors.backtest.population import sharpes_365
from tg_actors.backtest.tuning import Job, Tuner, TuningReport, horizon_days, score_inline
from tg_actors.backtest.tuning_space import SPACES, knobs_of, needs_within, values_of, with_values
from tg_actors.backtest.tuning_study import Studies
from tg_actors.desk.config import load_agent
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketSpec


class Stop(Exception):  # noqa: N818 - what Ctrl-C does
    """Ends a search from outside."""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> MarketSpec:
    return planted_market(tmp_path_factory.mktemp("market"))


@pytest.fixture(scope="module")
def report(market: MarketSpec) -> TuningReport:
    return run(market)


def run(
    market: MarketSpec, storage: Path | None = None, stop_after: int | None = None, trials: int = 8
) -> TuningReport:
    spec, bars = tuning(market, trials)

    def tell(done: int) -> None:
        if done == stop_after:
            raise Stop

    studies = Studies(storage)
    try:
        return Tuner(spec, bars, studies, score_inline, tell).run()
    finally:
        studies.close()


def test_tuning_finds_a_planted_edge_and_says_what_is_left_outside(report: TuningReport) -> None:
    assert all(w.train_tuned > w.train_default for w in report.windows)
    assert report.test_mean > 1.0
    assert (report.tuned.sharpe_daily_365 or 0.0) > (report.default.sharpe_daily_365 or 0.0)
    assert report.tuned.trials == report.trials == 24
    assert report.default.trials == 1
    assert report.tuned.sample_days == sum(w.test_days for w in report.windows)
    assert all(0.0 <= spread <= 0.5 for spread in report.stability.values())
    proposed = with_values(DEAF, report.proposed)
    assert values_of(proposed, knobs_of(proposed)) == report.proposed


def test_an_interrupted_tuning_goes_on_as_if_it_had_not_been(
    market: MarketSpec, report: TuningReport, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        run(market, tmp_path / "trials.sqlite", stop_after=11)
    assert run(market, tmp_path / "trials.sqlite") == report


def test_a_search_sees_nothing_but_its_training_window(market: MarketSpec) -> None:
    heard: list[int] = []

    def score(jobs: Sequence[Job]) -> list[F64]:
        heard.extend(job.cycles for job in jobs)
        return score_inline(jobs)

    spec, bars = tuning(market, trials=2)
    studies = Studies(None)
    report = Tuner(spec, bars, studies, score, lambda _: None).run()
    studies.close()
    first, second = report.windows
    assert heard[:2] == [first.train_days * 24] * 2
    assert heard[2:4] == [second.train_days * 24] * 2
    assert first.train_days + horizon_days(DEAF, bars.bar_ns) + 1 == 20


def test_what_is_told_is_what_the_best_values_earn(market: MarketSpec, report: TuningReport) -> None:
    spec, _ = tuning(market)
    window = report.windows[0]
    again = score_inline([Job(spec, with_values(DEAF, window.values), window.train_days * 24)])[0]
    assert float(sharpes_365(again[np.newaxis])[0]) == window.train_tuned


def test_the_first_trial_is_the_agent_as_it_is(market: MarketSpec) -> None:
    report = run(market, trials=1)
    assert report.proposed == values_of(DEAF, knobs_of(DEAF))
    assert report.tuned.sharpe_daily_365 == report.default.sharpe_daily_365


@pytest.mark.parametrize(
    "name", ["trend", "liquidity", "smart_money", "volume_profile", "correlation", "rebalancing"]
)
def test_every_range_fits_the_agents_that_are_shipped(name: str) -> None:
    agent = load_agent(name)
    knobs = knobs_of(agent)
    assert with_values(agent, values_of(agent, knobs)) == agent
    for end in ("low", "high"):
        values = {knob.path: getattr(knob, end) for knob in knobs}
        assert values_of(with_values(agent, values), knobs) == values
    assert needs_within(agent, knobs).window_bars >= agent.needs().window_bars


def test_every_kind_that_can_be_tuned_is_a_kind() -> None:
    assert set(SPACES) <= set(KINDS)
    assert [knob.path for knob in knobs_of(DEAF)[-3:]] == [f"conditions.{k}.weight" for k in range(3)]


def test_too_short_a_market_says_so(tmp_path: Path) -> None:
    spec, bars = tuning(planted_market(tmp_path, days=12), windows=8)
    studies = Studies(None)
    with pytest.raises(UserError, match="do not fill 8 windows"):
        Tuner(spec, bars, studies, score_inline, lambda _: None)
    studies.close()
