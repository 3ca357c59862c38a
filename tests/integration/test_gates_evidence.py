"""What a gate reads from a journal, computed once more without the gate."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import XRP, Desk, Scene, flipping, says, simulated
from tests.stage_words import PLAN
from tg_actors.desk.gates import Window, gather
from tg_actors.desk.report import closed_trades, make_report
from tg_actors.domain.stages import Evidence
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.risk.stages_plan import Metric

CASH = {"USDT": "10000", "BTC": "0"}
LIVELY = Scene(script=flipping(9), feed=simulated(), cash=CASH, durable=False)
DAYS_35 = 35 * 24


def values(evidence: Evidence) -> dict[str, float | None]:
    return {finding.metric: finding.value for finding in evidence.findings}


@pytest.fixture(scope="module")
def unstaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with LIVELY.open(tmp_path_factory.mktemp("unstaged")) as desk:
        desk.run(DAYS_35)
        yield desk


def test_figures_of_a_run_without_stages_are_those_of_its_report(unstaged: Desk) -> None:
    evidence = gather(unstaged.journal, "a-run", PLAN, Window("paper", "micro-100"))
    report = make_report("a-run", unstaged.journal)
    performance, found = report.performance, values(evidence)
    assert found[Metric.SHARPE] == pytest.approx(performance.sharpe_daily_365)
    assert found[Metric.DRAWDOWN] == pytest.approx(performance.max_drawdown_frac)
    assert found[Metric.WIN_RATE] == pytest.approx(performance.win_rate_closed_trades)
    assert found[Metric.PROFIT_FACTOR] == pytest.approx(performance.profit_factor_closed_trades)
    assert found[Metric.TRADES] == performance.trades > 30
    assert found[Metric.SLIPPAGE] == pytest.approx(float(report.slippage_bps_mean or 0))
    assert found[Metric.DAYS] == pytest.approx((DAYS_35 - 1) / 24)
    assert (found[Metric.UPTIME], found[Metric.PARSE_RATE]) == (1.0, None)
    losses = [-float(trade.pnl_reporting or 0) for trade in closed_trades(unstaged.journal)]
    assert found[Metric.LARGEST_LOSS] == pytest.approx(max(losses) / float(report.equity_open))


def test_evidence_is_bound_to_the_journal_it_was_read_from(unstaged: Desk) -> None:
    evidence = gather(unstaged.journal, "a-run", PLAN, Window("paper", "micro-100"))
    assert gather(unstaged.journal, "a-run", PLAN, Window("paper", "micro-100")) == evidence
    newest = list(unstaged.journal.events({"CycleDecided"}))[-1]
    assert (evidence.journal_seq, evidence.journal_hash) == (newest.seq, newest.hash)
    assert (evidence.cycles, evidence.to_ns) == (DAYS_35, newest.at_ns)
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_intervals_hold_the_figure_and_daily_criteria_carry_the_chance_of_luck(unstaged: Desk) -> None:
    evidence = gather(unstaged.journal, "a-run", PLAN, Window("paper", "micro-100"))
    by_metric = {finding.metric: finding for finding in evidence.findings}
    for metric in (Metric.SHARPE, Metric.WIN_RATE, Metric.PROFIT_FACTOR):
        finding = by_metric[metric]
        assert finding.low is not None
        assert finding.low < (finding.value or 0) < (finding.high or 0)
    assert by_metric[Metric.SHARPE].chance_frac == pytest.approx(0.37, abs=0.05)


def test_only_what_came_since_the_stage_began_counts(unstaged: Desk) -> None:
    curve = unstaged.journal.equity_curve()
    half = curve[DAYS_35 // 2][0]
    window = Window("paper", "micro-100", since_ns=half, capital=Decimal(2100))
    evidence = gather(unstaged.journal, "a-run", PLAN, window)
    assert evidence.from_ns == half
    since = [trade for trade in closed_trades(unstaged.journal) if trade.opened_ns >= half]
    assert values(evidence)[Metric.TRADES] == len(since) < len(closed_trades(unstaged.journal))
    # The stage's capital bears the account's profit and loss.
    worth = [2100 + float(equity - curve[DAYS_35 // 2][1]) for at_ns, equity in curve if at_ns >= half]
    peaks = [max(worth[: k + 1]) for k in range(len(worth))]
    fall = max(1 - now / peak for now, peak in zip(worth, peaks, strict=True))
    assert values(evidence)[Metric.DRAWDOWN] == pytest.approx(fall)


def test_a_window_without_a_cycle_proves_nothing(unstaged: Desk) -> None:
    evidence = gather(unstaged.journal, "a-run", PLAN, Window("paper", "micro-100", since_ns=2**62))
    assert set(values(evidence).values()) == {None}
    assert not evidence.passes


def test_a_cycle_without_an_agent_that_is_heard_was_not_decided(tmp_path: Path) -> None:
    incoherent = (2.0, 1.0)
    with Scene(script=says({3: {XRP: incoherent}, 7: {XRP: incoherent}}), cash=CASH).open(tmp_path) as desk:
        desk.run(10)
        found = values(gather(desk.journal, "a", PLAN, Window("paper", "micro-100")))
        assert found[Metric.UPTIME] == pytest.approx(0.8)


def test_a_stopped_desk_is_down_until_now_where_the_market_goes_by_the_clock(tmp_path: Path) -> None:
    with Scene(cash=CASH).open(tmp_path) as desk:
        desk.run(10)
        hour_ns = desk.reports[1].decision.at_ns - desk.reports[0].decision.at_ns
        # The clock of a test is far behind its market: every cycle is in time.
        now_ns = desk.reports[-1].decision.at_ns + 10 * hour_ns
        found = values(gather(desk.journal, "a", PLAN, Window("paper", "micro-100", now_ns=now_ns)))
        assert found[Metric.UPTIME] == pytest.approx(0.5)


def test_a_late_decision_is_a_missed_one_where_the_market_goes_by_the_clock(tmp_path: Path) -> None:
    clock = [1]
    journal = Journal.open(tmp_path / "desk.sqlite", Durability.FULL, clock_ns=lambda: clock[0])
    scene = Scene(cash=CASH)
    with scene.open_on(journal, scene.open_venue) as desk:
        desk.run(9)
        clock[0] = 2**62
        desk.run(3)
        in_time = values(gather(desk.journal, "a", PLAN, Window("paper", "micro-100", now_ns=0)))
        patient = values(gather(desk.journal, "a", PLAN, Window("paper", "micro-100")))
        assert in_time[Metric.UPTIME] == pytest.approx(0.75)
        assert patient[Metric.UPTIME] == 1.0
