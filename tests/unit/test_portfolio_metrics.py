"""Each figure by hand or against the program whose word it is."""

import math
from decimal import Decimal

import numpy as np
import pytest

from tests.generated_words import shown
from tests.record_words import HOUR_NS, START_NS, a_record
from tg_actors.backtest.validation.evidence import definitions_table
from tg_actors.domain.instruments import Side
from tg_actors.portfolio import metrics, metrics_trades
from tg_actors.portfolio.metrics import DAY_NS
from tg_actors.portfolio.metrics_record import EquityPoint, Record
from tg_actors.portfolio.metrics_table import METRICS, VARIANTS, metrics_table, variants
from tg_actors.portfolio.metrics_trades import BarRanges, Excursion, excursion
from tg_actors.portfolio.trades import ClosedTrade

#: What freqtrade 2026.9, nautilus_trader 1.221, backtesting.py 0.6.6, quantstats 0.0.86 said of the record:
#: its hourly equity, its trades in order of their ends with price returns for nautilus. freqtrade's and
#: quantstats' daily balances were closed one nanosecond after midnight, as ours are.
PEERS = {
    "sharpe_freqtrade_trades": -1.1844399481502124,
    "sortino_freqtrade_trades": -2.209710599362059,
    "calmar_freqtrade_trades": -9.879940054374213,
    "sharpe_freqtrade_balance": 0.6210661766605635,
    "sortino_freqtrade_balance": 1.0836438415594656,
    "calmar_freqtrade_balance": 2.6661067043425533,
    "sharpe_nautilus_252": -2.368790046709842,
    "sortino_nautilus_252": -3.1890715433638803,
    "sharpe_backtesting_py": 0.46327930632206615,
    "sortino_backtesting_py": 0.7674993396920671,
    "calmar_backtesting_py": 1.3485194342495321,
    "sharpe_quantstats": 0.5138770700726047,
    "sortino_quantstats": 0.744127950727722,
    "calmar_quantstats": 1.0800149938365915,
}


def test_the_document_shows_the_tables() -> None:
    assert shown("metrics.md", "metrics") == metrics_table(METRICS)
    assert shown("metrics.md", "variants") == metrics_table(VARIANTS)
    assert shown("metrics.md", "evidence") == definitions_table()


def test_variants_are_what_the_other_programs_say_to_the_digit() -> None:
    assert variants(a_record()) == pytest.approx(PEERS, rel=1e-12)


def test_other_programs_disagree_about_one_run() -> None:
    """That is why names say how a figure was computed."""
    sharpes = {value for name, value in PEERS.items() if name.startswith("sharpe")}
    assert len(sharpes) == 5
    assert max(sharpes) - min(sharpes) > 2.5


@pytest.mark.parametrize("record", [Record.of([]), Record.of([EquityPoint(DAY_NS, Decimal(1))])])
def test_what_is_not_defined_is_none_for_every_program(record: Record) -> None:
    assert set(variants(record).values()) == {None}


def test_backtesting_py_counts_252_days_where_no_mark_falls_on_a_weekend() -> None:
    weekdays = [day for day in range(100) if day % 7 < 5]  # the record begins on a Monday
    curve = [
        EquityPoint(START_NS + day * DAY_NS + HOUR_NS, Decimal(100 + (day * 7) % 13)) for day in weekdays
    ]
    record = Record.of(curve)
    growth = float(np.prod(1 + record.returns)) ** (1 / record.returns.size)
    drawdown = metrics.max_drawdown(record.equity)
    assert drawdown is not None
    assert variants(record)["calmar_backtesting_py"] == pytest.approx((growth**252 - 1) / drawdown)


def daily(*equity: float) -> tuple[np.ndarray, np.ndarray]:
    return (np.arange(len(equity)) + 1) * DAY_NS, np.array(equity)


@pytest.mark.parametrize(
    ("equity", "days"),
    [
        ((100, 110, 120), 0),
        ((100, 90, 100), 2),
        ((100, 90, 99), 2),  # goes on
        ((100, 90), 1),
        ((100, 90, 101, 95, 94, 93, 102), 4),
        ((100, 100, 100), 0),
    ],
)
def test_the_longest_drawdown_ends_at_the_old_peak_or_at_the_last_mark(
    equity: tuple[float, ...], days: int
) -> None:
    assert metrics.drawdown_days_max(*daily(*equity)) == days


def test_ulcer_cvar_and_tails_by_hand() -> None:
    assert metrics.ulcer_index(np.array([100.0, 90.0, 100.0, 80.0])) == pytest.approx(
        math.sqrt((0.01 + 0.04) / 4)
    )
    returns = np.arange(-20.0, 21.0) / 1000  # 41 days: the worst 3 are the tail
    assert metrics.cvar_95_daily(returns) == pytest.approx(0.019)
    assert metrics.cvar_95_daily(np.array([0.02])) == pytest.approx(-0.02)
    assert metrics.tail_ratio_daily(returns) == pytest.approx(1.0)
    assert metrics.tail_ratio_daily(np.zeros(5)) is None
    assert metrics.skew_daily(np.array([-1.0, 0.0, 1.0])) == pytest.approx(0)
    assert metrics.excess_kurtosis_daily(np.array([-1.0, 1.0])) == pytest.approx(-2)


def test_months_begin_where_the_last_one_closed_and_chain_to_the_whole() -> None:
    record = a_record()
    table = metrics.monthly_returns(record.at_ns, record.equity)
    assert [(year, month) for year, month, _ in table] == [(2024, month) for month in (1, 2, 3, 4)]
    whole = math.prod(1 + change for *_, change in table) - 1
    assert whole == pytest.approx(metrics.total_return(record.equity))
    assert metrics.monthly_returns(*daily(1.0, -1.0)) == []


def test_a_rolling_ratio_is_that_of_its_window() -> None:
    returns = a_record().returns
    rolling = metrics.rolling_sharpe_daily_365(returns, 30)
    assert np.isnan(rolling[:29]).all()
    assert rolling[29] == pytest.approx(metrics.sharpe_daily_365(returns[:30]))
    assert rolling[-1] == pytest.approx(metrics.sharpe_daily_365(returns[-30:]))
    with pytest.raises(ValueError, match="at least 2 days"):
        metrics.rolling_sharpe_daily_365(returns, 1)


@pytest.mark.parametrize(("side", "expected"), [(Side.BUY, (0.2, 0.3)), (Side.SELL, (0.3, 0.2))])
def test_an_excursion_sees_the_bars_inside_a_trade_and_no_other(
    side: Side, expected: tuple[float, float]
) -> None:
    trade = a_trade(side, opened_hour=1.5, closed_hour=4.5, left="110")
    hours = np.arange(6) * HOUR_NS
    # Bars 0, 1, 4 and 5 are not wholly inside; bars 2 and 3 are.
    high = np.array([900.0, 900.0, 130.0, 120.0, 900.0, 900.0])
    low = np.array([1.0, 1.0, 90.0, 80.0, 1.0, 1.0])
    found = excursion(trade, BarRanges(HOUR_NS, hours, high, low))
    assert found == pytest.approx(expected)


def test_a_trade_within_one_bar_knows_its_exit_alone() -> None:
    trade = a_trade(Side.BUY, opened_hour=1.0, closed_hour=1.5, left="95")
    bars = BarRanges(HOUR_NS, np.arange(3) * HOUR_NS, np.full(3, 900.0), np.full(3, 1.0))
    assert excursion(trade, bars) == pytest.approx((0.05, 0.0))


def test_excursions_are_of_all_trades_or_of_none() -> None:
    trades = [a_trade(Side.BUY, 1.0, 1.5, "95"), a_trade(Side.SELL, 1.0, 1.5, "95")]
    bars = BarRanges(HOUR_NS, np.arange(3) * HOUR_NS, np.full(3, 900.0), np.full(3, 1.0))
    found = metrics_trades.excursions(trades, {"BTC/USDT": bars})
    assert [part for one in found for part in one] == pytest.approx([0.05, 0.0, 0.0, 0.05])
    assert metrics_trades.excursions(trades, {"ETH/USDT": bars}) == []


def test_figures_of_trades_by_hand() -> None:
    profits = [Decimal(30), Decimal(-10), Decimal(0), Decimal(10)]
    assert metrics_trades.payoff_ratio(profits) == pytest.approx(2)
    assert metrics_trades.sqn(profits) == pytest.approx(2 * 7.5 / np.std([30, -10, 0, 10], ddof=1))
    assert metrics_trades.sqn([Decimal(1), Decimal(1)]) is None
    record = Record.of([], [], excursions=[Excursion(0.1, 0.4), Excursion(0.3, 0.0), Excursion(0.2, 0.2)])
    figures = {name: METRICS[name].of(record) for name in METRICS if name[:3] in ("mae", "mfe")}
    assert figures == {
        "mae_median_frac": 0.2,
        "mae_worst_frac": 0.3,
        "mfe_median_frac": 0.2,
        "mfe_best_frac": 0.4,
    }


def a_trade(side: Side, opened_hour: float, closed_hour: float, left: str) -> ClosedTrade:
    return ClosedTrade(
        symbol="BTC/USDT",
        side=side,
        opened_ns=int(opened_hour * HOUR_NS),
        closed_ns=int(closed_hour * HOUR_NS),
        quantity=Decimal(1),
        entry=Decimal(100),
        exit=Decimal(left),
        fees=Decimal(0),
        pnl=Decimal(1),
        pnl_reporting=Decimal(1),
    )
