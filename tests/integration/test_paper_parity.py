"""Paper is live with another address: the real client over loopback is filled as the backtest is."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tg_actors.agents.kinds import open_agent
from tg_actors.desk.config import load_desk
from tg_actors.desk.coordinator import Coordinator
from tg_actors.desk.inline import InlineExecution, InlineRoster
from tg_actors.desk.paper import on_paper
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.wiring import InlineMarket, assemble, inline_risk
from tg_actors.domain.orders import TradingState
from tg_actors.execution.start import AccountSpec, opener, start_executor
from tg_actors.execution.venues.connection import InlineConnection
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.venues.remote import RemoteVenue
from tg_actors.journal.repository import Journal
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import RunFolder
from tg_actors.runtime.keys import read_key

#: Long enough for entries, exits and a stop that goes off.
CYCLES = 90


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))


def wire(plan: DeskPlan, journal: Journal, opened: list[Any]) -> Coordinator:
    """The desk in this process, on whatever venue its plan connects to; remembers that venue."""

    def open_venue(spec: AccountSpec, journal: Journal, at_ns: int) -> tuple[Venue, int]:
        venue, settled = opener(spec, read_key)(spec, journal, at_ns)
        opened.append(venue)
        return venue, settled

    started = start_executor(plan.account, journal, "test", wall_ns(), open_venue)
    return assemble(
        plan,
        journal,
        1,
        market=InlineMarket(plan),
        roster=InlineRoster([open_agent(spec, plan.market.symbols, plan.bar_ns) for spec in plan.agents]),
        risk=inline_risk(plan, journal),
        execution=InlineExecution(started.executor),
    )


def trade(plan: DeskPlan, cycles: int) -> dict[str, Any]:
    """Trade up to a cycle; what was filled, and how the desk ended."""
    journal = Journal.open(plan.journal, clock_ns=wall_ns)
    opened: list[Any] = []
    try:
        coordinator = wire(plan, journal, opened)
        while coordinator.next_cycle < cycles:
            assert coordinator.step() is not None
        last = journal.last_decision()
        assert last is not None
        fills = [
            (f.at_ns, f.symbol, f.side, f.quantity, f.price, f.fee, f.liquidity) for f in journal.fills()
        ]
        return {"fills": fills, "equity": last.equity, "state": journal.trading_state()}
    finally:
        for venue in opened:
            if isinstance(venue, RemoteVenue):
                venue.close()
        journal.close()


def planned(desk: str, folder: Path) -> tuple[Any, DeskPlan]:
    config = flagged(load_desk(desk), Flags(speed="max")).model_copy(update={"stage": None})
    spec, feed = plan_market(config)
    folder.mkdir()
    return config, make_plan(config, spec, feed, folder, str(folder / "journal.sqlite"), durable=True)


@pytest.mark.parametrize("desk", ["kraken-paper", "binance-paper", "alpaca-paper"])
def test_a_paper_desk_is_filled_as_its_backtest_is(desk: str, tmp_path: Path) -> None:
    _, alone = planned(desk, tmp_path / "backtest")
    account = alone.account.model_copy(update={"connection": InlineConnection()})
    inline = trade(alone.model_copy(update={"account": account}), CYCLES)
    config, plan = planned(desk, tmp_path / "paper")
    with on_paper(config, plan, RunFolder(tmp_path / "paper"), lambda _: None) as connected:
        # In two sessions: the second recovers from the journal and the venue's books.
        trade(connected, CYCLES // 2)
        paper = trade(connected, CYCLES)
    assert len(paper["fills"]) >= 4
    assert paper == inline
    assert paper["state"] is TradingState.ACTIVE
    assert paper["equity"] != Decimal(10_000)
