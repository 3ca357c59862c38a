"""Every rule of a stage fires in the assembled desk, and where it stands survives its death."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.desk_words import BTC, DOWN, FLAT, OPENING, SYMBOLS, UP, XRP, Bar, Desk, Scene, says
from tests.stage_words import DAY_NS, PERSON, evidence, order, spec
from tg_actors.desk.coordinator import remember
from tg_actors.desk.gates_view import leave_order, stage_of
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.orders import Leg, OrderState
from tg_actors.domain.stages import StageChange, StageMove, StageOrder, StageState
from tg_actors.journal.digest import digest
from tg_actors.risk.stages import StageMachine
from tg_actors.risk.stages_plan import ApprovalFrom, Rollback, RollbackRule, StageSpec, Trigger

BUY = says({0: {XRP: UP}})
#: A desk whose idle cash does not move, with stops too far away to be met.
CASH = {"USDT": "10000", "BTC": "0"}
WIDE = {"stop_atr_multiple": Decimal(40)}


def scene(stages: StageSpec | None, **facts: Any) -> Scene:
    return Scene(stages=stages, cash=CASH, **facts)


def xrp(*path: Bar, bars: int = 20) -> dict[str, list[Bar]]:
    paths: dict[str, list[Bar]] = {symbol: [OPENING[symbol]] * bars for symbol in SYMBOLS}
    return paths | {XRP: [*path, *[path[-1]] * (bars - len(path))]}


def obey(desk: Desk, wish: StageOrder) -> str:
    """Leave an order as the command line does, let the desk carry it out, and return what it answered."""
    request = leave_order(desk.journal, wish)
    desk.coordinator.obey()
    done = [e for e in desk.journal.events({"RequestCompleted"}) if e.ref == str(request)]
    return str(done[0].content()["outcome"])


def stage(desk: Desk) -> StageState:
    found = stage_of(desk.journal)
    assert found is not None
    return found


def changes(desk: Desk) -> list[StageChange]:
    moves = {move.value for move in StageMove}
    return [StageChange.model_validate_json(event.payload) for event in desk.journal.events(moves)]


def bought(desk: Desk) -> dict[str, Decimal]:
    """Notional of every entry that was permitted, by instrument."""
    return {
        o.intent.spec.symbol: o.intent.spec.quantity * o.intent.reference_price
        for o in desk.orders(Leg.ENTRY)
    }


def test_sizing_uses_the_capital_of_the_stage_not_the_account(tmp_path: Path) -> None:
    notional = {}
    for name, stages in {"free": None, "staged": spec(capital_usd=Decimal(500))}.items():
        folder = tmp_path / name
        folder.mkdir()
        with scene(stages, script=BUY, risk=WIDE).open(folder) as desk:
            desk.run(2)
            notional[name] = bought(desk)[XRP]
    # Of the same part of 10,000 and of 500 dollars; a lot is a tenth of XRP.
    assert notional["free"] / notional["staged"] == pytest.approx(Decimal(20), rel=Decimal("0.01"))


def test_a_small_account_is_not_sized_by_a_large_stage(tmp_path: Path) -> None:
    poor = Scene(stages=spec(), cash={"USDT": "1000", "BTC": "0"}, script=BUY, risk=WIDE)
    with poor.open(tmp_path) as desk:
        desk.run(2)
        assert bought(desk)[XRP] <= 100


def test_the_leverage_of_the_stage_holds_below_that_of_the_desk(tmp_path: Path) -> None:
    stages = spec(leverage_max=Decimal("0.001"))
    with scene(stages, script=BUY).open(tmp_path) as desk:
        desk.run(1)
        assert desk.denials() == [DenialCode.LEVERAGE_LIMIT]


def test_only_the_pairs_of_the_stage_are_entered(tmp_path: Path) -> None:
    with scene(spec(pairs=(XRP,)), script=says({0: {XRP: UP, BTC: UP}})).open(tmp_path) as desk:
        desk.run(1)
        assert bought(desk).keys() == {XRP}
        assert desk.denials() == [DenialCode.STAGE_PAIR]


def test_a_desk_below_its_home_enters_nothing_until_a_person_promotes_it(tmp_path: Path) -> None:
    stages = spec("micro-100", pairs=None, approvals=())
    with scene(stages, script=says({}, otherwise={XRP: UP})).open(tmp_path) as desk:
        desk.run(3)
        assert set(desk.denials()) == {DenialCode.STAGE_PAUSED}
        assert desk.journal.permits() == []
        proof = evidence("paper", "micro-100")
        assert "promoted to micro-100" in obey(desk, order(StageMove.PROMOTED, "paper", proof))
        desk.run(2)
        assert bought(desk)[XRP] <= 10, "a tenth of 100 dollars"
    (promoted,) = changes_in(tmp_path, stages)
    assert (promoted.actor, promoted.before, promoted.state.stage) == (PERSON, "paper", "micro-100")
    assert promoted.evidence == proof


def changes_in(folder: Path, stages: StageSpec) -> list[StageChange]:
    with scene(stages).open(folder) as restarted:
        return changes(restarted)


def test_a_pause_denies_entries_lets_exits_leave_and_outlives_a_restart(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: FLAT, BTC: UP}}, otherwise={BTC: UP})
    desk_to_be = scene(spec(), script=script, risk=WIDE)
    with desk_to_be.open(tmp_path) as desk:
        desk.run(2)
        assert "paused" in obey(desk, order(StageMove.PAUSED, "paper", reason="a bad feeling"))
    with desk_to_be.open(tmp_path) as restarted:
        assert stage(restarted).paused == "a bad feeling", "journaled, though no cycle was decided since"
        restarted.run(4)
        assert set(restarted.denials()) == {DenialCode.STAGE_PAUSED}
        assert [o.state for o in restarted.orders(Leg.EXIT)] == [OrderState.FILLED]
        assert "resumed" in obey(restarted, order(StageMove.RESUMED, "paper"))
        restarted.run(1)
        assert BTC in bought(restarted)


def test_without_rebalancing_a_position_is_opened_and_closed_and_not_changed(tmp_path: Path) -> None:
    half = (0.5, 1.0)
    script = says({0: {XRP: half}, 3: {XRP: UP}, 4: {XRP: UP}, 6: {XRP: FLAT}})
    outcomes = {}
    for rebalancing in (True, False):
        folder = tmp_path / str(rebalancing)
        folder.mkdir()
        with scene(spec(rebalancing=rebalancing), script=script, risk=WIDE).open(folder) as desk:
            desk.run(9)
            outcomes[rebalancing] = (len(desk.orders(Leg.ENTRY)), set(desk.denials()), desk.held)
    assert outcomes[True] == (2, set(), {})
    assert outcomes[False] == (1, {DenialCode.STAGE_NO_REBALANCE}, {})


def test_without_rebalancing_a_position_does_not_shrink_by_parts(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: (0.5, 1.0)}})
    with scene(spec(rebalancing=False), script=script, risk=WIDE).open(tmp_path) as desk:
        desk.run(4)
        assert desk.denials() == [DenialCode.STAGE_NO_REBALANCE]
        assert desk.orders(Leg.EXIT) == []


@pytest.mark.parametrize("rebalancing", [True, False])
def test_without_rebalancing_the_agent_that_rebalances_is_not_heard(
    rebalancing: bool, tmp_path: Path
) -> None:
    """It opines and is journaled all the same; the other agent is heard at either stage."""
    desk_to_be = scene(
        spec(rebalancing=rebalancing),
        script=says({}, otherwise={BTC: UP}),
        others={"rebalancing": says({}, otherwise={XRP: UP})},
        shipped=("rebalancing",),
    )
    with desk_to_be.open(tmp_path) as desk:
        (report,) = desk.run(1)
        assert [opinions.agent for opinions in report.hearing.opinions] == ["trend", "rebalancing"]
        assert bought(desk).keys() == ({BTC, XRP} if rebalancing else {BTC})
        assert (report.decision.weights["rebalancing"] > 0) == rebalancing


def test_the_agent_that_rebalances_is_heard_from_micro_1000_on(tmp_path: Path) -> None:
    """As configs/stages.yaml has it; the desk begins below its home, and a person promotes it."""
    desk_to_be = scene(
        spec("micro-1000"), others={"rebalancing": says({}, otherwise={XRP: UP})}, shipped=("rebalancing",)
    )
    with desk_to_be.open(tmp_path) as desk:
        (below,) = desk.run(1)
        assert stage(desk).stage == "micro-500"
        proof = evidence("micro-500", "micro-1000")
        assert "promoted" in obey(desk, order(StageMove.PROMOTED, "micro-500", proof))
        (home,) = desk.run(1)
    assert [report.decision.weights["rebalancing"] > 0 for report in (below, home)] == [False, True]


@pytest.mark.parametrize("multi_model", [True, False])
def test_without_multi_model_only_the_first_agent_is_heard(multi_model: bool, tmp_path: Path) -> None:
    others = {"momentum": says({}, otherwise={XRP: UP})}
    desk_to_be = scene(spec(multi_model=multi_model), script=says({}, otherwise={BTC: UP}), others=others)
    with desk_to_be.open(tmp_path) as desk:
        (report,) = desk.run(1)
        assert bought(desk).keys() == ({BTC, XRP} if multi_model else {BTC})
        weights = report.decision.weights
        assert (weights["momentum"] > 0) is multi_model
        assert {opinions.agent for opinions in report.hearing.opinions} == {"trend", "momentum"}, "recorded"


def rolling(limit: str, action: Rollback) -> StageSpec:
    return spec(rollback=(RollbackRule(trigger=Trigger.DRAWDOWN, limit=Decimal(limit), action=action),))


def test_a_drawdown_of_the_stages_capital_pauses_the_lowest_stage_once(tmp_path: Path) -> None:
    # A tenth of 2,100 dollars loses a tenth: 1 % of the stage's capital and 0.2 % of the account.
    stages = rolling("0.009", Rollback.PAUSE)
    desk_to_be = scene(
        stages,
        script=says({0: {XRP: UP}, 1: {}, 2: {}}, otherwise={BTC: UP}),
        paths=xrp(0.5, 0.5, 0.5, 0.44, bars=30),
        risk={**WIDE, "risk_per_trade_frac": Decimal("0.1")},
    )
    with desk_to_be.open(tmp_path) as desk:
        desk.run_to(2)
        assert stage(desk).paused == ""
        desk.run_to(8)
        (paused,) = changes(desk)
        assert (paused.move, paused.actor, paused.state.stage) == (StageMove.PAUSED, "risk", "paper")
        assert "% of the stage's 2100 USD" in stage(desk).paused
        assert set(desk.denials()) == {DenialCode.STAGE_PAUSED}
        assert any("stage: paused at paper" in alert for alert in desk.coordinator.alerts)


def test_a_drawdown_demotes_a_desk_and_shuts_it_below_its_home(tmp_path: Path) -> None:
    rule = RollbackRule(trigger=Trigger.DRAWDOWN, limit=Decimal("0.001"), action=Rollback.DEMOTE)
    stages = spec("micro-100", pairs=None, approvals=(), rollback=(rule,), rebalancing=True)
    desk_to_be = scene(
        stages,
        script=says({1: {XRP: UP}, 2: {}, 3: {}}, otherwise={XRP: UP}),
        paths=xrp(0.5, 0.5, 0.5, 0.5, 0.4, bars=30),
        risk=WIDE,
    )
    with desk_to_be.open(tmp_path) as desk:
        desk.run(1)
        obey(desk, order(StageMove.PROMOTED, "paper", evidence("paper", "micro-100")))
        desk.run_to(8)
        promoted, demoted = changes(desk)
        assert (demoted.move, demoted.before, demoted.state.stage) == (
            StageMove.DEMOTED,
            "micro-100",
            "paper",
        )
        assert stage(desk).demoted_ns == demoted.at_ns
        assert DenialCode.STAGE_PAUSED in desk.denials()
        stale = evidence("paper", "micro-100", from_ns=promoted.at_ns)
        assert "before the last demotion" in obey(desk, order(StageMove.PROMOTED, "paper", stale))


def test_half_the_capital_halves_what_is_entered(tmp_path: Path) -> None:
    stages = rolling("0.0008", Rollback.HALVE)
    script = says({0: {XRP: UP}, 4: {BTC: UP}}, otherwise={})
    path = xrp(0.5, 0.5, 0.5, 0.49, bars=20)
    with scene(stages, script=script, paths=path, risk=WIDE).open(tmp_path) as desk:
        desk.run_to(3)
        (halved,) = changes(desk)
        assert (halved.move, halved.state.capital_usd) == (StageMove.HALVED, Decimal(1050))
        desk.run_to(5)
        assert bought(desk)[BTC] <= 105


def waits(desk: Desk) -> int:
    return len(desk.journal.approvals(open_only=True))


@pytest.mark.parametrize(
    ("above_usd", "asked"), [(Decimal(0), 1), (Decimal(25), 1), (Decimal(250), 0), (None, 0)]
)
def test_entries_wait_for_a_person_as_the_week_of_the_stage_says(
    above_usd: Decimal | None, asked: int, tmp_path: Path
) -> None:
    stages = spec(approvals=(ApprovalFrom(from_week=1, above_usd=above_usd),))
    with scene(stages, script=BUY, risk=WIDE).open(tmp_path) as desk:
        desk.run(1)
        assert (waits(desk), len(desk.orders(Leg.ENTRY))) == (asked, 1 - asked)


def test_the_schedule_of_approvals_follows_the_weeks_in_a_running_desk(tmp_path: Path) -> None:
    schedule = (ApprovalFrom(from_week=1, above_usd=Decimal(0)), ApprovalFrom(from_week=2, above_usd=None))
    desk_to_be = scene(
        spec(approvals=schedule),
        script=says({0: {XRP: UP}, 170: {BTC: UP}}),
        paths={symbol: [OPENING[symbol]] * 200 for symbol in SYMBOLS},
        risk=WIDE,
    )
    with desk_to_be.open(tmp_path) as desk:
        desk.run_to(0)
        assert (waits(desk), bought(desk)) == (1, {})
        desk.run_to(170)
        assert stage(desk).week == 2
        assert (waits(desk), set(bought(desk))) == (0, {BTC})


def test_what_closes_never_waits(tmp_path: Path) -> None:
    script = says({0: {XRP: UP}, 3: {XRP: FLAT}})
    with scene(spec(approvals=()), script=script, risk=WIDE).open(tmp_path) as desk:
        desk.run_to(2)
    strict = spec(approvals=(ApprovalFrom(from_week=1, above_usd=Decimal(0)),))
    with scene(strict, script=script, risk=WIDE).open(tmp_path) as desk:
        desk.run_to(6)
        assert [o.state for o in desk.orders(Leg.EXIT)] == [OrderState.FILLED]
        assert waits(desk) == 0


def test_a_desk_that_loses_its_stage_line_enters_nothing(tmp_path: Path) -> None:
    with scene(spec(), script=BUY).open(tmp_path) as desk:
        desk.run(2)
    with scene(None, script=says({}, otherwise={BTC: UP, XRP: FLAT})).open(tmp_path) as desk:
        desk.run(4)
        assert set(desk.denials()) == {DenialCode.STAGE_PAUSED}
        assert [o.state for o in desk.orders(Leg.EXIT)] == [OrderState.FILLED], "what it holds it may close"


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("{}", "no order about a stage"),
        ("not json", "no order about a stage"),
        (order(StageMove.DEMOTED, "micro-500").model_dump_json(), "at paper by now"),
        (order(StageMove.PROMOTED, "paper").model_dump_json(), "evidence"),
        (
            order(StageMove.PROMOTED, "paper", evidence("paper", "micro-100"))
            .model_copy(update={"evidence_sha256": "0" * 64})
            .model_dump_json(),
            "not the one that the order names",
        ),
    ],
)
def test_orders_that_make_no_sense_are_refused_and_the_desk_goes_on(
    argument: str, words: str, tmp_path: Path
) -> None:
    with scene(spec()).open(tmp_path) as desk:
        desk.run(1)
        desk.journal.request("stage", argument, PERSON)
        desk.coordinator.obey()
        (done,) = desk.journal.events({"RequestCompleted"})
        assert words in done.content()["outcome"]
        assert changes(desk) == []
        desk.run(1)


def test_a_desk_without_stages_refuses_orders_about_them(tmp_path: Path) -> None:
    with scene(None).open(tmp_path) as desk:
        desk.run(1)
        assert obey(desk, order(StageMove.DEMOTED, "paper")) == "refused: this desk has no stage"


def test_a_repeated_order_moves_the_desk_once(tmp_path: Path) -> None:
    with scene(spec("micro-100")).open(tmp_path) as desk:
        desk.run(1)
        wish = order(StageMove.PROMOTED, "paper", evidence("paper", "micro-100"))
        assert "promoted" in obey(desk, wish)
        assert "refused" in obey(desk, wish)
        assert len(changes(desk)) == 1


def _judged(desk: Desk) -> list[Mapping[str, Any]]:
    return [event.content()["judgement"]["state"] for event in desk.journal.events({"CycleDecided"})]


def test_where_a_desk_stands_is_read_from_the_journal_after_every_cycle(tmp_path: Path) -> None:
    desk_to_be = scene(rolling("0.0008", Rollback.HALVE), script=BUY, paths=xrp(0.5, 0.5, 0.5, 0.49))
    for k in range(6):
        with desk_to_be.open(tmp_path) as desk:
            desk.run_to(k)
            memory = remember(desk.journal).risk
            assert memory is not None
            assert json.loads(memory.model_dump_json()) == _judged(desk)[-1]
    with desk_to_be.open(tmp_path) as desk:
        pieces = digest(desk.journal)
        assert [change.move for change in changes(desk)] == [StageMove.HALVED]
    whole = tmp_path / "whole"
    whole.mkdir()
    with desk_to_be.open(whole) as desk:
        desk.run_to(5)
        assert digest(desk.journal) == pieces


def test_a_desk_without_stages_writes_what_it_always_wrote(tmp_path: Path) -> None:
    with scene(None, script=says({0: {XRP: UP}, 2: {XRP: DOWN}})).open(tmp_path) as desk:
        desk.run(3)
        assert all("stage" not in state for state in _judged(desk))
        judgements = [event.content()["judgement"] for event in desk.journal.events({"CycleDecided"})]
        assert all("stage_changes" not in judgement for judgement in judgements)


def test_the_first_mark_begins_the_stage(tmp_path: Path) -> None:
    with scene(spec()).open(tmp_path) as desk:
        (report,) = desk.run(1)
        begun = StageMachine(spec()).begin(report.decision.equity, report.decision.at_ns)
        assert stage(desk) == begun
        assert begun.since_ns // DAY_NS > 0
