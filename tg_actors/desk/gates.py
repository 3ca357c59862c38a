"""Evidence for a gate, read from a journal alone: the figures of a stage, and what they are worth."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.desk.history import executor_spec
from tg_actors.desk.report import closed_trades
from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.decisions import DenialCode
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import TERMINAL_STATES, Leg, Order, OrderType
from tg_actors.domain.stages import Evidence, StageState
from tg_actors.execution.ledger import slippage_bps
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Event, EventType
from tg_actors.portfolio.performance import DAY_NS, daily_returns, max_drawdown, sharpe_daily_365
from tg_actors.portfolio.trades import ClosedTrade
from tg_actors.risk.gates import asked, judge_all
from tg_actors.risk.gates_chance import Sample, largest_loss, profit_factor, spreads, win_rate
from tg_actors.risk.stages_plan import Metric, StagePlan

#: Markets that wait for the desk; in any other a late decision is a missed one.
_PATIENT_MARKETS = frozenset({"simulated", "recorded"})


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a journal is looked at: from ``since_ns`` on, held against one gate.

    ``capital`` is what the stage lets sizing use, None for a run without stages, which has used its
    whole equity. ``now_ns`` is now where the market goes by the clock; what is missing up to it counts
    as missed. None elsewhere.
    """

    stage: str
    target: str
    since_ns: int = 0
    capital: Decimal | None = None
    now_ns: int | None = None


def window_of(state: StageState, target: str, now_ns: int | None, not_before_ns: int = 0) -> Window:
    """Return the time at the stage where a desk stands; nothing from before a demotion counts."""
    return Window(state.stage, target, max(state.since_ns, not_before_ns), state.capital_usd, now_ns)


def gather(journal: JournalReader, run: str, plan: StagePlan, window: Window) -> Evidence:
    """Return what a journal says for or against a gate. Equal journals give equal evidence.

    Raises:
        UserError: the journal belongs to no run.
    """
    spec = executor_spec(journal)
    stage, target = plan[window.stage], plan[window.target]
    cycles = [e for e in journal.events({EventType.CYCLE_DECIDED}) if e.at_ns >= window.since_ns]
    figures, sample = _figures(journal, cycles, window, spec.bar_ns)
    criteria = [criterion for _, criterion in asked(stage, target)]
    return Evidence(
        run=run,
        account=spec.account,
        stage=stage.name,
        target=target.name,
        from_ns=cycles[0].at_ns if cycles else window.since_ns,
        to_ns=cycles[-1].at_ns if cycles else window.since_ns,
        cycles=len(cycles),
        journal_seq=cycles[-1].seq if cycles else 0,
        journal_hash=cycles[-1].hash if cycles else "",
        findings=judge_all(
            stage, target, figures, spreads(sample, criteria, plan.resampling, stage.duration_days_min)
        ),
    )


def is_live(journal: JournalReader) -> bool:
    """Whether the market of a journal goes by the clock and waits for nobody."""
    market = (journal.identity() or {}).get("market")
    return market is not None and json.loads(market)["source"]["kind"] not in _PATIENT_MARKETS


def _figures(
    journal: JournalReader, cycles: list[Event], window: Window, bar_ns: int
) -> tuple[dict[Metric, float], Sample]:
    """Return every figure that is defined, and what the resampling draws from."""
    if not cycles:
        return {}, Sample(np.empty(0), np.empty(0))
    at_ns = np.array([event.at_ns for event in cycles], dtype=np.int64)
    contents = [event.content() for event in cycles]
    equity = np.array([float(content["equity"]) for content in contents])
    base = float(equity[0]) if window.capital is None else min(float(equity[0]), float(window.capital))
    # What the stage risks is its capital: an account that holds more must not make its losses look small.
    worth = base + (equity - equity[0])
    closed = [trade for trade in closed_trades(journal) if trade.opened_ns >= int(at_ns[0])]
    profits = _profits(closed, base)
    defined: dict[Metric, float | None] = {
        Metric.DAYS: float(at_ns[-1] - at_ns[0]) / DAY_NS,
        Metric.TRADES: float(len(closed)),
        Metric.UPTIME: _uptime(cycles, contents, bar_ns, window.now_ns),
        **_of_worth(at_ns, worth),
        **_of_profits(profits),
        **_of_orders(o for o in journal.orders() if o.intent.decided_at_ns >= int(at_ns[0])),
    }
    figures = {metric: value for metric, value in defined.items() if value is not None}
    return figures, Sample(daily_returns(at_ns, worth), profits)


def _profits(closed: list[ClosedTrade], base: float) -> F64:
    """Profits of trades as fractions of the stage's capital; none when one is unknown."""
    known = [trade.pnl_reporting for trade in closed if trade.pnl_reporting is not None]
    if len(known) < len(closed) or base <= 0:
        return np.empty(0)
    return np.array([float(pnl) for pnl in known]) / base


def _of_worth(at_ns: I64, worth: F64) -> dict[Metric, float | None]:
    return {
        Metric.SHARPE: sharpe_daily_365(daily_returns(at_ns, worth)),
        Metric.DRAWDOWN: max_drawdown(worth),
    }


def _of_profits(profits: F64) -> dict[Metric, float | None]:
    if profits.size == 0:
        return {}
    row = profits[np.newaxis, :]
    factor = float(profit_factor(row)[0])
    return {
        Metric.WIN_RATE: float(win_rate(row)[0]),
        Metric.PROFIT_FACTOR: None if np.isnan(factor) else factor,
        Metric.LARGEST_LOSS: float(largest_loss(row)[0]),
    }


def _uptime(cycles: list[Event], contents: list[dict[str, Any]], bar_ns: int, now_ns: int | None) -> float:
    """Return the share of the market's bars that were decided on, in time where time matters."""
    last_ns = cycles[-1].at_ns if now_ns is None else max(now_ns, cycles[-1].at_ns)
    expected = (last_ns - cycles[0].at_ns) // bar_ns + 1
    up = sum(
        _was_decided(content) and (now_ns is None or event.wall_ns - event.at_ns <= bar_ns)
        for event, content in zip(cycles, contents, strict=True)
    )
    return min(1.0, up / expected)


def _was_decided(content: dict[str, Any]) -> bool:
    """Whether somebody was heard, and risk was there to judge."""
    weights, judgement = content["weights"], content["judgement"]
    codes = {denied["code"] for denied in judgement["denied"]}
    return any(weight > 0 for weight in weights.values()) and DenialCode.RISK_UNAVAILABLE not in codes


def _of_orders(orders: Iterator[Order]) -> dict[Metric, float | None]:
    wanted = list(orders)
    at_market = (order for order in wanted if order.intent.spec.order_type is OrderType.MARKET)
    slippage = [bps for order in at_market if (bps := slippage_bps(order)) is not None]
    ended = [
        order.filled_quantity / order.intent.spec.quantity
        for order in wanted
        if order.intent.leg in {Leg.ENTRY, Leg.EXIT} and order.state in TERMINAL_STATES
    ]
    return {
        Metric.SLIPPAGE: _mean(slippage),
        Metric.FILL_RATE: _mean(ended),
    }


def _mean(values: list[Decimal]) -> float | None:
    return float(sum(values, ZERO) / len(values)) if values else None
