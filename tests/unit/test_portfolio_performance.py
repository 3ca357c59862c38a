import math
from decimal import Decimal

import numpy as np
import pytest

from tg_actors.domain.instruments import Side
from tg_actors.portfolio.performance import (
    DAY_NS,
    DEFINITIONS,
    EquityPoint,
    Performance,
    daily_returns,
    measure,
    sharpe_daily_365,
    sortino_daily_365,
)
from tg_actors.portfolio.trades import ClosedTrade


def a_curve(*equity: int, step_ns: int = DAY_NS, exposed: tuple[int, ...] = ()) -> list[EquityPoint]:
    return [
        EquityPoint((i + 1) * step_ns, Decimal(value), Decimal(int(i in exposed)))
        for i, value in enumerate(equity)
    ]


def a_trade(pnl: str, pnl_reporting: str | None = "same") -> ClosedTrade:
    reporting = pnl if pnl_reporting == "same" else pnl_reporting
    return ClosedTrade(
        symbol="BTC/USDT",
        side=Side.BUY,
        opened_ns=0,
        closed_ns=1,
        quantity=Decimal(1),
        entry=Decimal(1),
        exit=Decimal(1),
        fees=Decimal(0),
        pnl=Decimal(pnl),
        pnl_reporting=None if reporting is None else Decimal(reporting),
    )


def test_every_metric_has_a_definition_and_nothing_else_has() -> None:
    assert list(DEFINITIONS) == list(Performance.model_fields)


def test_metrics_by_hand() -> None:
    trades = [a_trade("30"), a_trade("-10"), a_trade("0"), a_trade("10")]
    curve = a_curve(100, 120, 90, 108, exposed=(1, 3))
    found = measure(curve, trades, fees=Decimal(3), traded_notional=Decimal(209))
    returns = [0.2, -0.25, 0.2]
    mean = sum(returns) / 3
    deviation = math.sqrt(sum((r - mean) ** 2 for r in returns) / 2)
    assert found.total_return_frac == pytest.approx(0.08)
    assert found.max_drawdown_frac == pytest.approx(0.25)
    assert found.sharpe_daily_365 == pytest.approx(mean / deviation * math.sqrt(365))
    assert found.sortino_daily_365 == pytest.approx(mean / math.sqrt(0.25**2 / 3) * math.sqrt(365))
    assert found.win_rate_closed_trades == 0.5
    assert found.profit_factor_closed_trades == 4
    assert found.expectancy_closed_trades == Decimal("7.5")
    # Exposed after the second mark; what follows the last mark has no length.
    assert found.exposure_time_frac == pytest.approx(1 / 3)
    assert found.turnover == pytest.approx(2)
    assert (found.fees, found.trades) == (Decimal(3), 4)


def test_calmar_is_a_yearly_return_over_the_drawdown() -> None:
    curve = [
        EquityPoint(0, Decimal(100)),
        EquityPoint(DAY_NS, Decimal(80)),
        EquityPoint(365 * DAY_NS, Decimal(110)),
    ]
    assert measure(curve, []).calmar_365 == pytest.approx(0.10 / 0.20)


EXCURSIONS = {"mae_median_frac", "mae_worst_frac", "mfe_median_frac", "mfe_best_frac"}
YEARLY = {"yearly_return_365_frac", "calmar_365"}
MOMENTS = {"sharpe_daily_365", "skew_daily", "excess_kurtosis_daily"}
OF_PROFITS = {
    "profit_factor_closed_trades",
    "payoff_ratio_closed_trades",
    "expectancy_closed_trades",
    "sqn_closed_trades",
}
OF_RETURNS = MOMENTS | {
    "volatility_daily_365_frac",
    "sortino_daily_365",
    "cvar_95_daily_frac",
    "tail_ratio_daily",
}


@pytest.mark.parametrize(
    ("curve", "trades", "undefined"),
    [
        ([], [], set(DEFINITIONS) - {"fees", "trades"}),
        (
            a_curve(100, 100, 100),
            [],
            YEARLY
            | MOMENTS
            | OF_PROFITS
            | EXCURSIONS
            | {"sortino_daily_365", "tail_ratio_daily", "win_rate_closed_trades"},
        ),
        (
            a_curve(100, 90, 110),
            [a_trade("5")],
            YEARLY | EXCURSIONS | OF_PROFITS - {"expectancy_closed_trades"},
        ),
        (a_curve(100, 90, 110), [a_trade("5"), a_trade("-5", None)], YEARLY | EXCURSIONS | OF_PROFITS),
        (a_curve(100, 90, 110), [a_trade("5"), a_trade("-5")], YEARLY | EXCURSIONS),
        # An account below zero has no returns.
        (
            a_curve(100, -10, 110),
            [a_trade("5"), a_trade("-5")],
            YEARLY | EXCURSIONS | OF_RETURNS | {"ulcer_index_frac"},
        ),
    ],
)
def test_undefined_is_an_answer(
    curve: list[EquityPoint], trades: list[ClosedTrade], undefined: set[str]
) -> None:
    found = measure(curve, trades)
    assert {name for name in DEFINITIONS if getattr(found, name) is None} == undefined


def test_mark_at_midnight_closes_the_day_before_and_a_silent_day_keeps_its_close() -> None:
    hours = np.array([12, 24, 25, 48, 97]) * DAY_NS // 24
    # Closes: day 0 at hour 24, day 1 at hour 48, days 2 and 3 nothing, day 4 at hour 97.
    equity = np.array([1.0, 2.0, 9.0, 4.0, 8.0])
    returns = daily_returns(hours, equity)
    assert returns.tolist() == [1.0, 1.0, 0.0, 0.0, 1.0]  # half of day 0 first
    # Where the first mark is itself a midnight, there is no half day before it.
    assert daily_returns(hours[1:], equity[1:]).tolist() == [1.0, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01 + 1e-17, 0.01]])
def test_ratios_need_returns_that_differ(returns: list[float]) -> None:
    assert sharpe_daily_365(np.array(returns)) is None
    assert sortino_daily_365(np.array(returns)) is None
