"""What the report says of a run, computed once more from the journal by pandas, without our accounting."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.desk_words import SYMBOLS, Desk, Scene, flipping, simulated, ticking_clock
from tg_actors.desk.history import explain, last_marks, open_positions, opinions_of
from tg_actors.desk.report import Report, make_report
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import ZERO
from tg_actors.journal.repository import Journal

CYCLES = 120
SCENE = Scene(
    feed=simulated(), script=flipping(5), risk={"stop_atr_multiple": Decimal(1), "trades_per_day_max": 99}
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with SCENE.open(tmp_path_factory.mktemp("report")) as desk:
        desk.run(CYCLES)
        yield desk


@pytest.fixture(scope="module")
def report(desk: Desk) -> Report:
    return make_report("run", desk.journal)


@pytest.fixture(scope="module")
def fills(desk: Desk) -> pd.DataFrame:
    rows = [e.content() | {"cycle": e.cycle} for e in desk.journal.events({"OrderFilled"})]
    table = pd.DataFrame(rows)
    for column in ("quantity", "price", "fee"):
        table[column] = table[column].astype(float)
    mids = {r.snapshot.cycle: dict(zip(SYMBOLS, r.snapshot.mid.tolist(), strict=True)) for r in desk.reports}
    table["rate"] = [
        mids[cycle]["BTC/USDT"] if str(symbol).endswith("/BTC") else 1.0
        for cycle, symbol in zip(table["cycle"], table["symbol"], strict=True)
    ]
    table["signed"] = table.quantity.where(table.side == "buy", -table.quantity)
    return table


@pytest.fixture(scope="module")
def curve(desk: Desk) -> "pd.Series[float]":
    rows = [(e.at_ns, float(e.content()["equity"])) for e in desk.journal.events({"CycleDecided"})]
    return pd.Series([v for _, v in rows], index=pd.to_datetime([ns for ns, _ in rows], utc=True))


def test_the_counts(desk: Desk, report: Report, fills: pd.DataFrame) -> None:
    assert report.cycles == CYCLES
    assert report.bars == CYCLES * len(SYMBOLS)
    assert report.fills == len(fills) > 20
    assert report.orders == len(desk.journal.permits())
    assert report.trading_state == "ACTIVE"


def test_equity_is_cash_and_positions_at_the_marks(desk: Desk, report: Report, fills: pd.DataFrame) -> None:
    newest = dict(zip(SYMBOLS, desk.reports[-1].snapshot.mid.tolist(), strict=True))
    cash = {"USDT": 10_000.0, "BTC": 0.1}
    worth = 0.0
    for symbol, rows in fills.groupby("symbol"):
        quote = str(symbol).split("/")[1]
        cash[quote] -= float((rows.signed * rows.price).sum() + rows.fee.sum())
        rate = newest["BTC/USDT"] if quote == "BTC" else 1.0
        worth += float(rows.signed.sum()) * newest[str(symbol)] * rate
    equity = cash["USDT"] + cash["BTC"] * newest["BTC/USDT"] + worth
    assert float(report.equity) == pytest.approx(equity, rel=1e-12)


def test_fees_and_turnover(report: Report, fills: pd.DataFrame, curve: "pd.Series[float]") -> None:
    assert float(report.performance.fees) == pytest.approx(float((fills.fee * fills.rate).sum()), rel=1e-12)
    traded = float((fills.quantity * fills.price * fills.rate).sum())
    assert report.performance.turnover == pytest.approx(traded / curve.mean(), rel=1e-9)


def test_return_and_drawdown(report: Report, curve: "pd.Series[float]") -> None:
    assert report.performance.total_return_frac == pytest.approx(curve.iloc[-1] / curve.iloc[0] - 1)
    drawdown = float((1 - curve / curve.cummax()).max())
    assert report.performance.max_drawdown_frac == pytest.approx(drawdown, rel=1e-9)
    assert drawdown > 0


def test_the_sharpe_ratio_is_of_daily_closes(report: Report, curve: "pd.Series[float]") -> None:
    """A mark at midnight closes the day that ends there."""
    days = (pd.DatetimeIndex(curve.index) - pd.Timedelta(1, "ns")).floor("D")
    closes = curve.groupby(days).last()
    # The first mark, an hour after midnight, is where the first day begins.
    returns = pd.Series([curve.iloc[0], *closes]).pct_change().dropna()
    assert np.prod(1 + returns.to_numpy()) - 1 == pytest.approx(report.performance.total_return_frac)
    assert report.performance.sharpe_daily_365 == pytest.approx(returns.mean() / returns.std() * 365**0.5)


def test_agents_and_idle_cash_explain_the_change_of_equity(desk: Desk, report: Report) -> None:
    """Agents earn what the positions earned; the rest is the price of the BTC that lay idle."""
    first = desk.reports[0].snapshot.mid[SYMBOLS.index("BTC/USDT")]
    newest = desk.reports[-1].snapshot.mid[SYMBOLS.index("BTC/USDT")]
    drift = Decimal("0.1") * (Decimal(repr(float(newest))) - Decimal(repr(float(first))))
    earned = sum((agent.pnl for agent in report.agents), ZERO)
    assert abs(report.equity - report.equity_open - drift - earned) < Decimal("1e-7")
    assert [agent.agent for agent in report.agents] == ["trend"]
    assert sum((agent.turnover_frac for agent in report.agents), ZERO) == 1


def test_open_positions_are_what_the_fills_leave(desk: Desk, fills: pd.DataFrame) -> None:
    left = fills.groupby("symbol").signed.sum().round(9)
    rows = {row["symbol"]: row for row in open_positions(desk.journal)}
    assert {symbol: float(row["quantity"]) for symbol, row in rows.items()} == pytest.approx(
        left[left != 0].to_dict()
    )
    marks = last_marks(desk.journal)
    for symbol, row in rows.items():
        assert Decimal(row["mark"]) == marks[symbol]


def test_every_cycle_can_be_explained(desk: Desk) -> None:
    for cycle in (0, 7, CYCLES - 1):
        told, report = explain(desk.journal, str(cycle)), desk.reports[cycle]
        assert told["cycle_id"] == report.decision.cycle_id
        assert explain(desk.journal, told["cycle_id"]) == told
        assert [row["order"] for row in told["permits"]] == [
            order.client_order_id for order in desk.orders() if order.intent.cycle == cycle
        ]
        assert {row["symbol"] for row in told["opinions"]} == set(SYMBOLS)
    assert explain(desk.journal, "last")["cycle"] == CYCLES - 1
    with pytest.raises(UserError, match="999"):
        explain(desk.journal, "999")


def test_opinions_of_an_agent(desk: Desk) -> None:
    assert [row["symbol"] for row in opinions_of(desk.journal, "trend")] == list(SYMBOLS)
    assert opinions_of(desk.journal, "nobody") == []


def test_a_journal_of_no_run_has_no_report(tmp_path: Path) -> None:
    with (
        Journal.open(tmp_path / "x", clock_ns=ticking_clock()) as journal,
        pytest.raises(UserError, match="no run yet"),
    ):
        make_report("x", journal)
