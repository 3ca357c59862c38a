"""Spans, axes, paired differences and the trial ledger: the parts of a report."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tg_actors.domain.errors import UserError
from tg_actors.portfolio.performance import DAY_NS
from tg_actors.reports.charts import Axes
from tg_actors.reports.differences import Marks, difference
from tg_actors.reports.spans import WEEK_NS, chosen, day_of, require_marks, week_of, whole
from tg_actors.runtime.trials import count_trials, market_key, note_trials

#: Monday, 2024-01-01T00:00Z.
MONDAY_NS = 1_704_067_200 * 10**9


def test_a_mark_at_midnight_closes_the_day_before() -> None:
    assert day_of(MONDAY_NS).end_ns == MONDAY_NS
    assert day_of(MONDAY_NS + 1).start_ns == MONDAY_NS
    assert day_of(MONDAY_NS + 1).name == "day 2024-01-01"


@pytest.mark.parametrize("days", range(7))
def test_every_day_of_a_week_is_in_the_week_that_began_on_monday(days: int) -> None:
    span = week_of(MONDAY_NS + days * DAY_NS + 1)
    assert (span.start_ns, span.end_ns) == (MONDAY_NS, MONDAY_NS + WEEK_NS)


def test_a_date_means_the_span_that_it_lies_in() -> None:
    assert chosen("daily", "2024-01-03", 0).start_ns == MONDAY_NS + 2 * DAY_NS
    assert chosen("weekly", "2024-01-07", 0).start_ns == MONDAY_NS
    assert chosen("daily", None, MONDAY_NS + DAY_NS).start_ns == MONDAY_NS


def test_a_span_without_marks_is_refused() -> None:
    with pytest.raises(UserError, match=r"decided nothing in the day 2024-01-01.*choose a date in it"):
        require_marks(day_of(MONDAY_NS + 1), [MONDAY_NS + 5 * DAY_NS, MONDAY_NS + 6 * DAY_NS])
    # A desk that stood still over a day decided before it and after it.
    with pytest.raises(UserError, match="decided nothing"):
        require_marks(day_of(MONDAY_NS + 2 * DAY_NS), [MONDAY_NS + 1, MONDAY_NS + 6 * DAY_NS])
    with pytest.raises(UserError, match="not decided anything yet"):
        require_marks(whole(0, 0), [])
    require_marks(whole(5, 9), [5, 9])


def test_a_long_line_keeps_its_spikes() -> None:
    values = np.zeros(100_000)
    values[77_777], values[12_345] = 9.0, -9.0
    at_ns = np.arange(100_000, dtype=np.int64)
    axes = Axes.around(at_ns, [values], "{:.0f}")
    path = axes.path(at_ns, values)
    assert len(path) < 40_000
    for value in (9.0, -9.0):
        assert f" {100 * axes.y(value):.2f}" in path


def test_a_hole_breaks_the_line() -> None:
    at_ns = np.arange(5, dtype=np.int64)
    path = Axes(0, 4, 0.0, 4.0).path(at_ns, np.array([0.0, 1.0, np.nan, 3.0, 4.0]))
    assert path.count("M") == 2


def test_values_far_apart_are_shown_by_factor_and_say_so() -> None:
    at_ns = np.arange(3, dtype=np.int64)
    near, far = (Axes.around(at_ns, [np.array([1.0, 1.5, top])], "{:g}") for top in (2.0, 100.0))
    assert (near.is_log, far.is_log) == (False, True)
    assert far.chart("x", "", []).note == "logarithmic scale"
    assert far.y(10.0) - far.y(100.0) == pytest.approx(far.y(1.0) - far.y(10.0))
    for axes in (near, far):
        assert all(0.0 <= tick.at <= 100.0 for tick in axes.y_ticks())
        assert len(axes.y_ticks()) >= 2


@pytest.mark.parametrize("value", [0.0, 5.0, -3.0])
def test_a_flat_line_has_axes(value: float) -> None:
    at_ns = np.arange(3, dtype=np.int64)
    axes = Axes.around(at_ns, [np.full(3, value)], "{:.2f}")
    assert 0.0 < axes.y(value) < 1.0


def marks(run: str, returns: list[float], first_day: int = 19_723) -> Marks:
    equity = np.cumprod([100.0, *(1.0 + r for r in returns)])
    at_ns = (np.arange(len(equity)) + first_day + 1) * DAY_NS
    return Marks.of(run, [(int(at), Decimal(str(e))) for at, e in zip(at_ns, equity, strict=True)])


def test_a_run_differs_from_itself_by_nothing() -> None:
    one = marks("a", [0.01, -0.02] * 30)
    found = difference(one, one)
    assert (found.days, found.yearly_frac, found.interval) == (60, 0.0, None)


def test_a_steady_advantage_is_more_than_luck_and_a_noisy_one_is_not() -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.02, 200)
    base = marks("base", noise.tolist())
    better = difference(marks("better", (noise + 0.001).tolist()), base)
    assert better.yearly_frac == pytest.approx(0.365, rel=1e-6)
    assert "more than luck" in better.sentence
    other = np.random.default_rng(2).normal(0.0, 0.02, 200)
    assert "not distinguishable from zero" in difference(marks("other", other.tolist()), base).sentence


def test_only_common_days_are_compared() -> None:
    left = marks("left", [0.01] * 40)
    right = marks("right", [0.01] * 40, first_day=19_723 + 10)
    assert difference(left, right).days == 30
    with pytest.raises(UserError, match="no day in common"):
        difference(left, marks("late", [0.01] * 5, first_day=30_000))


def test_days_of_a_run_that_begins_and_pauses_within_a_day() -> None:
    hours = np.array([30, 48, 49, 120, 130])  # day 1 from 06:00, two silent days, day 4, part of day 5
    curve = [
        (int(hour) * DAY_NS // 24, Decimal(mark)) for hour, mark in zip(hours, (1, 2, 4, 8, 16), strict=True)
    ]
    assert Marks.of("a", curve).by_day() == {1: 1.0, 2: 1.0, 3: 0.0, 4: 1.0, 5: 1.0}
    assert Marks.of("from midnight", curve[1:]).by_day() == {2: 1.0, 3: 0.0, 4: 1.0, 5: 1.0}
    assert Marks.of("nothing", []).by_day() == {}


MARKET = {"symbols": ["B/U", "A/U"], "timeframe": "1h", "source": {"kind": "simulated", "seed": 1}}


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TG_HOME", str(tmp_path))
    return tmp_path / "trials.jsonl"


@pytest.mark.usefixtures("ledger")
def test_a_trial_is_a_desk_on_a_market_counted_once() -> None:
    key = market_key(MARKET)
    assert count_trials(key) == 1
    for desk in ({"a": 1}, {"a": 2}, {"a": 1}):
        note_trials(key, [desk])
    note_trials(market_key(MARKET | {"timeframe": "5m"}), [{"a": 3}])
    assert count_trials(key) == 2
    note_trials(key, ({"a": k % 4} for k in range(100)))
    assert count_trials(key) == 4


def test_another_window_of_the_same_market_is_the_same_market() -> None:
    window = {"from_utc": "2024-01-01", "to_utc": None, "data": "/elsewhere"}
    same = MARKET | {"symbols": ["A/U", "B/U"], "source": {"kind": "simulated", "seed": 1} | window}
    assert market_key(same) == market_key(MARKET)
    assert market_key(MARKET | {"source": {"kind": "simulated", "seed": 2}}) != market_key(MARKET)


@pytest.mark.parametrize(
    "content", ["not json\n", "[1]\n", "7\n", '{"market":"x"}\n', '{"market":"x","desk":\n']
)
def test_a_damaged_ledger_is_said_so(ledger: Path, content: str) -> None:
    ledger.write_text(content)
    with pytest.raises(UserError, match=r"trial ledger .* is damaged"):
        count_trials("x")


@pytest.mark.parametrize(("low", "high"), [(4_000.0, 9_200.0), (2.2e-5, 3.1e-5), (0.14, 0.24), (1.0, 1.0)])
def test_a_small_chart_has_more_than_one_value_on_its_scale(low: float, high: float) -> None:
    axes = Axes.around(np.array([0, DAY_NS]), [np.array([low, high])], "{:g}", 3)
    assert 2 <= len(axes.y_ticks()) <= 6
