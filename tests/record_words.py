"""One run, the same for every test and for the other programs that were asked about it."""

from decimal import Decimal

import numpy as np

from tg_actors.domain.instruments import Side
from tg_actors.portfolio.metrics import DAY_NS
from tg_actors.portfolio.metrics_record import EquityPoint, Record
from tg_actors.portfolio.trades import ClosedTrade

HOUR_NS = DAY_NS // 24
#: 2024-01-01T00:00Z, a Monday.
START_NS = 1_704_067_200 * 10**9


def a_record(seed: int = 7, days: int = 120, trades: int = 40) -> Record:
    """Hourly marks of a drifting account and trades of both sides, whole numbers of cents."""
    rng = np.random.default_rng(seed)
    hours = np.round(10_000 * np.cumprod(1 + rng.standard_t(4, days * 24) * 0.002 + 0.0001), 2)
    curve = [
        EquityPoint(START_NS + (k + 1) * HOUR_NS, Decimal(str(equity)), Decimal(int(k % 3 == 0)))
        for k, equity in enumerate(hours.tolist())
    ]
    return Record.of(
        curve, [_trade(rng, k, days, trades) for k in range(trades)], Decimal(12), Decimal(80_000)
    )


def _trade(rng: np.random.Generator, k: int, days: int, trades: int) -> ClosedTrade:
    opened = START_NS + int((k + 0.2) * days / trades * DAY_NS)
    entry = Decimal(str(round(100 * float(rng.uniform(0.9, 1.1)), 2)))
    left = Decimal(str(round(float(entry) * (1 + float(rng.normal(0.002, 0.02))), 2)))
    side = Side.BUY if rng.random() < 0.6 else Side.SELL
    pnl = (left - entry) * 10 * side.sign - Decimal("0.3")
    return ClosedTrade(
        symbol="BTC/USDT",
        side=side,
        opened_ns=opened,
        closed_ns=opened + int(rng.integers(1, 200)) * HOUR_NS,
        quantity=Decimal(10),
        entry=entry,
        exit=left,
        fees=Decimal("0.3"),
        pnl=pnl,
        pnl_reporting=pnl,
    )
