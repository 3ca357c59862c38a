"""The limit of clusters, the correlation and the rebalancing agent in the assembled desk."""

import itertools
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.correlation_words import WithDays
from tests.desk_words import BTC, FLAT, UP, XRP, XRP_BTC, Desk, Scene, says
from tests.desk_words import SYMBOLS as SCRIPTED
from tg_actors.desk.config import load_desk
from tg_actors.desk.cycle import CycleReport
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg
from tg_actors.journal.digest import digest
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.portfolio.clusters import UNKNOWN, find_clusters
from tg_actors.portfolio.correlation import correlate
from tg_actors.portfolio.days import closes_of
from tg_actors.risk.clusters import threshold_of

AGENTS = ("trend", "correlation", "rebalancing")
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")
FRAC = Decimal("0.05")
CYCLES = 160


def _plan(*, durable: bool = False) -> DeskPlan:
    """The Kraken desk's limits at the practice venue, bolder, so that a short run trades."""
    flags = Flags(market="simulated", seed=7, instruments=",".join(SYMBOLS), speed="max")
    config = flagged(load_desk("configs/desks/laptop-paper.yaml"), flags)
    limits = {
        "confidence_frac_min": Decimal("0.1"),
        "rebalance_band_frac": Decimal("0.05"),
        "cooldown_bars": 0,
        "cluster_exposure_frac_max": FRAC,
        # Below the sizes of before: a cluster holds several.
        "position_frac_max": Decimal("0.04"),
        "risk_per_trade_frac": Decimal("0.05"),
    }
    risk = config.risk.model_copy(update=limits)
    config = config.model_copy(update={"risk": risk, "agents": AGENTS})
    spec, feed = plan_market(config)
    return make_plan(config, spec, feed, Path(), "", durable=durable)


def _run(path: Path, plan: DeskPlan, pieces: tuple[int, ...] = (CYCLES,)) -> tuple[str, list[CycleReport]]:
    tick, reports, found = itertools.count(1).__next__, list[CycleReport](), ""
    for end in pieces:
        with Journal.open(path, Durability.FULL, clock_ns=tick) as journal:
            coordinator = wire_inline(plan, journal, tick)
            while coordinator.next_cycle < end:
                report = coordinator.step()
                assert report is not None
                reports.append(report)
            found = digest(journal)
    return found, reports


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[CycleReport]]:
    return _run(tmp_path_factory.mktemp("reference") / "desk.sqlite", _plan())


def test_the_plan_asks_the_market_for_the_days_that_limits_and_agents_need() -> None:
    assert _plan().market.needs.days == 92
    kraken = load_desk("configs/desks/kraken-paper.yaml")
    alone = kraken.model_copy(update={"agents": ("trend",)})
    assert plan_market(alone)[0].needs.days == 91


def test_no_entry_fills_a_cluster_beyond_its_limit(reference: tuple[str, list[CycleReport]]) -> None:
    threshold = threshold_of(_plan().risk.limits)
    clustered = entries = 0
    for report in reference[1]:
        snapshot, account = report.snapshot, report.settlement.account
        assert snapshot.days is not None
        labels = find_clusters(correlate(closes_of(snapshot.days, SYMBOLS), 90).matrix, threshold)
        worth = {s: abs(held) * account.marks[s] for s, held in account.positions.items()}
        added = dict.fromkeys(SYMBOLS, ZERO)
        for intent in report.decision.judgement.approved:
            if intent.leg is Leg.ENTRY:
                added[intent.spec.symbol] = intent.spec.quantity * intent.reference_price
        for label in set(labels):
            members = [s for s, of in zip(SYMBOLS, labels, strict=True) if label in (of, UNKNOWN)]
            new = sum((added[s] for s in members), ZERO)
            if new:
                entries += 1
                clustered += len(members) > 1
                ordered = sum((account.open_notional.get(s, ZERO) for s in members), ZERO)
                held = sum((worth.get(s, ZERO) for s in members), ZERO)
                assert held + ordered + new <= account.equity * FRAC
    assert entries > 5
    assert clustered > 0
    codes = [d.code for report in reference[1] for d in report.decision.judgement.denied]
    assert DenialCode.CLUSTER_LIMIT in codes


def test_both_agents_speak(reference: tuple[str, list[CycleReport]]) -> None:
    spoken = dict.fromkeys(AGENTS, 0)
    for report in reference[1]:
        for opinions in report.hearing.opinions:
            spoken[opinions.agent] += int(np.isfinite(opinions.direction).sum())
    assert all(spoken.values()), spoken


def test_a_restart_in_the_middle_changes_nothing(
    reference: tuple[str, list[CycleReport]], tmp_path: Path
) -> None:
    pieces = (1, 25, 90, 91, CYCLES)
    assert _run(tmp_path / "desk.sqlite", _plan(durable=True), pieces)[0] == reference[0]


CLUSTERS: dict[str, tuple[list[list[float]] | None, set[str]]] = {
    "apart": ([[0.0], [0.0], [0.0]], {BTC, XRP, XRP_BTC}),
    "XRP with BTC": ([[0.95], [0.95], [0.0]], {XRP, XRP_BTC}),
    "all one": ([[0.95], [0.95], [0.95]], {XRP}),
    "unknown": (None, {XRP}),
}


@pytest.mark.parametrize("case", CLUSTERS)
def test_a_cluster_is_filled_to_its_limit_and_no_further(case: str, tmp_path: Path) -> None:
    loadings, bought = CLUSTERS[case]
    # XRP is bought first and fills its cluster; who has another cluster is bought as well.
    script = says({0: {XRP: UP}, 2: {BTC: UP, XRP_BTC: UP}})
    limit = Decimal("0.06")
    scene = Scene(
        script=script,
        market=(lambda inner: inner) if loadings is None else (lambda inner: WithDays(inner, loadings)),
        risk={
            "cluster_exposure_frac_max": limit,
            "position_frac_max": Decimal("0.2"),
            "stop_atr_multiple": Decimal(40),
        },
    )
    with scene.open(tmp_path) as desk:
        desk.run_to(5)
        assert {o.intent.spec.symbol for o in desk.orders(Leg.ENTRY)} == bought
        account = desk.reports[-1].settlement.account
        rate = account.rates["BTC"]
        worth = {
            s: q * account.marks[s] * (rate if s == XRP_BTC else 1) for s, q in account.positions.items()
        }
        # As large as the limit lets it be, after spread and slippage.
        assert all(
            limit * Decimal("0.98") < w / account.equity < limit * Decimal("1.001") for w in worth.values()
        )
        denied = {s for c, s in _denied_symbols(desk, DenialCode.CLUSTER_LIMIT) if c == 2}
        assert denied == set(SCRIPTED) - bought


def _denied_symbols(desk: Desk, code: DenialCode) -> list[tuple[int, str]]:
    judged = [(report.decision.cycle, report.decision.judgement.denied) for report in desk.reports]
    return [(cycle, one.symbol) for cycle, denied in judged for one in denied if one.code is code]


def test_what_is_over_the_limit_of_a_cluster_may_always_leave(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: FLAT}})
    scene = Scene(script=script, risk={"cluster_exposure_frac_max": Decimal("0.05")})
    with scene.open(tmp_path) as desk:
        desk.run_to(2)
        assert desk.held.keys() == {XRP}
    tighter = replace(scene, risk={"cluster_exposure_frac_max": Decimal("0.0001")})
    with tighter.open(tmp_path) as desk:
        desk.run_to(5)
        assert desk.held == {}
        assert desk.denials() == []
