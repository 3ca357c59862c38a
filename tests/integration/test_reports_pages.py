"""A page about a run: its numbers add up, its text is harmless, and it needs nothing else."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tests.desk_words import SYMBOLS, Desk, Scene, flipping, simulated
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.portfolio.metrics import closing_marks
from tg_actors.portfolio.metrics_table import VARIANTS
from tg_actors.portfolio.performance import DAY_NS, daily_returns
from tg_actors.reports.figures import ROLLING_DAYS, buy_and_hold, monthly_returns, rolling_chart
from tg_actors.reports.page import render
from tg_actors.reports.plain import as_plain
from tg_actors.reports.sheet import Sheet, read_sheet, variants_of
from tg_actors.reports.spans import day_of

CYCLES = 160
EVIL = "<script>alert(1)</script>"
SCENE = Scene(
    feed=simulated(), script=flipping(5), risk={"stop_atr_multiple": Decimal(1), "trades_per_day_max": 99}
)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with SCENE.open(tmp_path_factory.mktemp("pages")) as desk:
        desk.run(CYCLES)
        desk.journal.set_trading_state(TradingState.REDUCE_ONLY, EVIL, "somebody", 0)
        yield desk


@pytest.fixture(scope="module")
def sheet(desk: Desk) -> Sheet:
    return read_sheet("a-run", desk.journal)


@pytest.fixture(scope="module")
def page(sheet: Sheet) -> str:
    return render(sheet, "Tearsheet")


def test_the_parts_add_up_to_the_change_of_equity(sheet: Sheet) -> None:
    assert len(sheet.trades) > 10
    agents = sum(float(line.pnl) for line in sheet.agents)
    instruments = sum(line.pnl for line in sheet.instruments)
    assert agents == pytest.approx(instruments, abs=1e-6)
    assert sum(line.pnl for line in sheet.by_regime) == pytest.approx(sheet.equity_change, abs=1e-6)
    assert instruments + sheet.cash_drift == pytest.approx(sheet.equity_change, abs=1e-9)
    assert sum(line.fees for line in sheet.instruments) == pytest.approx(float(sheet.performance.fees))
    assert sum(line.trades for line in sheet.instruments) == len(sheet.trades)
    assert sum(line.time_frac for line in sheet.by_regime) == pytest.approx(1.0)


def test_days_add_up_to_the_run(desk: Desk, sheet: Sheet) -> None:
    days = [
        read_sheet("a-run", desk.journal, day_of(at_ns))
        for at_ns in range(int(sheet.at_ns[0]), int(sheet.at_ns[-1]) + DAY_NS, DAY_NS)
        if day_of(at_ns).start_ns < sheet.at_ns[-1]
    ]
    assert len(days) > 5
    assert sum(day.equity_change for day in days) == pytest.approx(sheet.equity_change, abs=1e-6)
    assert sum(len(day.trades) for day in days) == len(sheet.trades)
    assert sum(float(day.performance.fees) for day in days) == pytest.approx(float(sheet.performance.fees))
    assert sum(dict(day.denials).get("COOLDOWN", 0) for day in days) == dict(sheet.denials).get("COOLDOWN", 0)


def test_a_trade_is_opened_in_one_regime_of_one_day(desk: Desk, sheet: Sheet) -> None:
    days = [
        read_sheet("a-run", desk.journal, day_of(at_ns))
        for at_ns in sorted({int(at) // DAY_NS * DAY_NS + DAY_NS for at in sheet.at_ns - 1})
    ]
    opened = sum(line.trades_opened for day in days for line in day.by_regime)
    of_another_day = sum(trade.opened_ns < day.at_ns[0] for day in days for trade in day.trades)
    assert of_another_day > 0
    assert opened == len(sheet.trades) - of_another_day


def test_a_desk_that_has_only_begun_is_told_so(tmp_path: Path) -> None:
    with SCENE.open(tmp_path) as desk, pytest.raises(UserError, match="not decided anything yet"):
        read_sheet("begun", desk.journal)


def a_longer_sheet(sheet: Sheet, days: int) -> Sheet:
    """The same sheet over more days, an hour's mark each."""
    at_ns = sheet.at_ns[0] + np.arange(24 * days) * DAY_NS // 24
    walk = np.random.default_rng(1).normal(0.0002, 0.004, at_ns.size)
    return replace(sheet, at_ns=at_ns, equity=1_000.0 * np.cumprod(1.0 + walk))


def test_a_long_run_shows_how_its_sharpe_ratio_moved(sheet: Sheet) -> None:
    longer = a_longer_sheet(sheet, 120)
    chart = rolling_chart(longer)
    assert chart is not None
    returns = daily_returns(longer.at_ns, longer.equity)
    assert [line.name for line in chart.lines] == ["sharpe_daily_365", "zero"]
    assert len(re.findall("[ML]", chart.lines[0].path)) == returns.size - ROLLING_DAYS + 1
    assert chart.title in render(longer, "Tearsheet")
    assert rolling_chart(a_longer_sheet(sheet, ROLLING_DAYS)) is None
    assert rolling_chart(sheet) is None


def test_other_programs_words_are_those_of_the_same_run(desk: Desk, sheet: Sheet) -> None:
    said = variants_of(desk.journal)
    assert said.keys() == VARIANTS.keys()
    closes = sheet.equity[closing_marks(sheet.at_ns)]
    returns = closes[1:] / closes[:-1] - 1.0
    assert said["sharpe_quantstats"] == pytest.approx(returns.mean() / returns.std(ddof=1) * 252**0.5)
    assert said["sharpe_nautilus_252"] is not None  # trades are known to it


def test_months_compound_to_the_total(sheet: Sheet) -> None:
    total = np.prod([1.0 + year.total for year in monthly_returns(sheet)]) - 1.0
    assert total == pytest.approx(sheet.equity[-1] / sheet.equity[0] - 1.0)


def test_buy_and_hold_starts_with_our_money(sheet: Sheet) -> None:
    held = buy_and_hold(sheet)
    assert held is not None
    assert held[0] == pytest.approx(sheet.equity[0])
    growth = np.mean([m[-1] / m[0] for s, m in sheet.prices.mids.items() if s.endswith("/USDT")])
    assert held[-1] == pytest.approx(growth * sheet.equity[0])


class _Reader(HTMLParser):
    """Checks that every tag is closed in order, and gathers what the page would fetch."""

    VOID = frozenset({"meta", "line", "path", "br", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.fetched: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.fetched += [f"{k}={v}" for k, v in attrs if k in {"src", "href", "srcset", "data"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_fetches_nothing(page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    assert reader.open == []
    assert reader.fetched == []
    assert "script" not in reader.tags
    assert not re.search(r"url\(|@import|https?://", page)


def test_what_came_from_outside_is_text(page: str) -> None:
    assert EVIL not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_tells_what_the_sheet_knows(sheet: Sheet, page: str) -> None:
    reader = _Reader()
    reader.feed(page)
    for line in sheet.instruments:
        assert line.symbol in reader.text
        assert f"{line.pnl:+,.2f}" in reader.text
    for metric in sheet.performance.model_dump():
        assert metric in reader.text
    assert sheet.report.digest in reader.text
    assert sheet.evidence.verdict.value in reader.text
    assert page.count('class="chart"') == 2 + len({trade.symbol for trade in sheet.trades})


def test_equal_journals_give_equal_pages(desk: Desk, page: str) -> None:
    assert render(read_sheet("a-run", desk.journal), "Tearsheet") == page


@pytest.mark.parametrize(("kind", "told"), [("simulated", True), ("recorded", False)])
def test_a_simulated_market_is_called_one(sheet: Sheet, kind: str, told: bool) -> None:
    market = json.dumps(
        {"symbols": list(SYMBOLS), "timeframe": "1h", "source": {"kind": kind}}, separators=(",", ":")
    )
    shown = render(replace(sheet, identity={"market": market}), "Tearsheet")
    assert ("nothing earned here says anything about a real one" in shown) == told


def test_plain_data_for_programs(sheet: Sheet) -> None:
    plain = as_plain(sheet)
    assert plain["evidence"]["trials"] == 1
    assert {line["symbol"] for line in plain["instruments"]} == set(SYMBOLS)
    assert plain["equity"] == pytest.approx(float(sheet.equity[-1]))


def test_a_desk_that_never_traded_has_a_page_too(tmp_path: Path) -> None:
    with Scene(feed=simulated(), script=lambda _: {}).open(tmp_path) as desk:
        desk.run(3)
        empty = read_sheet("idle", desk.journal)
    assert empty.trades == ()
    assert "nothing was traded" in render(empty, "Tearsheet")
