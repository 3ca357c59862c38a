"""Questions about a desk's journal as plain data; the same words as the command line's ``--json``."""

from collections.abc import Callable, Mapping
from typing import Any

from tg_actors.desk.bandit_view import standing as bandit_standing
from tg_actors.desk.config import load_plan
from tg_actors.desk.gates_view import Source
from tg_actors.desk.gates_view import standing as gate_standing
from tg_actors.desk.history import executor_spec, explain, last_marks, open_positions, rebuilt_books
from tg_actors.desk.report import replayed
from tg_actors.domain.approvals import Approval
from tg_actors.domain.decisions import Decision
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Order
from tg_actors.journal.readers import JournalReader
from tg_actors.runtime.clock import wall_ns

Build = Callable[[str, JournalReader], Any]

#: More than a page is wide.
_CURVE_POINTS = 600


def portfolio(run: str, journal: JournalReader) -> dict[str, Any]:
    """Equity now and over time, cash, positions, trading state."""
    spec, curve, control = executor_spec(journal), journal.equity_curve(), journal.control()
    books = rebuilt_books(journal)
    step = max(1, -(-len(curve) // _CURVE_POINTS))
    shown = curve[::-1][::step][::-1]
    return {
        "run": run,
        "trading_state": control.state.value,
        "reason": control.reason,
        "actor": control.actor,
        "reporting_currency": spec.reporting_currency,
        "equity_open": money_text(round(curve[0][1], 2)) if curve else None,
        "equity": money_text(round(curve[-1][1], 2)) if curve else None,
        "cash": {currency: money_text(amount) for currency, amount in books.cash.items() if amount != ZERO},
        "positions": open_positions(journal),
        "curve": [[at_ns, money_text(round(equity, 2))] for at_ns, equity in shown],
    }


def orders(journal: JournalReader, limit: int) -> list[dict[str, Any]]:
    """The newest orders, the newest first."""
    return [_order(order) for order in reversed(journal.newest_orders(limit))]


def decisions(journal: JournalReader, limit: int) -> list[dict[str, Any]]:
    """The newest cycles in short, the newest first."""
    newest = journal.newest_cycle()
    if newest is None:
        return []
    wanted = range(newest, max(newest - limit, -1), -1)
    return [_brief(found[0]) for cycle in wanted if (found := journal.decision(cycle)) is not None]


def decision(journal: JournalReader, cycle: str) -> dict[str, Any]:
    """One cycle, explained."""
    return explain(journal, cycle)


def agents(
    run: str, status: Mapping[str, Any], models: Mapping[str, str], *, running: bool
) -> dict[str, Any]:
    """The actors as the desk last wrote them down; ``model`` is the version that a learned one has asked.

    When it is not ``running``, their health is that of its last moment.
    """
    rows = status.get("agents")
    listed = rows if isinstance(rows, list) else []
    return {
        "run": run,
        "running": running,
        "cycle": status.get("cycle"),
        "latency_ms_p50": status.get("latency_ms_p50"),
        "latency_ms_p99": status.get("latency_ms_p99"),
        "agents": [{**row, "model": models.get(_agent_of(row))} for row in listed],
    }


def bandit(run: str, journal: JournalReader) -> dict[str, Any]:
    """Summary and arms."""
    found = bandit_standing(journal)
    return {"run": run, **found.summary(), "arms": found.arms()}


def leaderboard(run: str, journal: JournalReader) -> dict[str, Any]:
    """Agents by what they earned after costs, in the reporting currency."""
    replay, mids = replayed(journal), last_marks(journal)
    results = sorted(
        replay.attribution.report(mids, replay.books.rates(mids)), key=lambda line: (-line.pnl, line.agent)
    )
    return {
        "run": run,
        "reporting_currency": executor_spec(journal).reporting_currency,
        "agents": [
            {
                "agent": line.agent,
                "pnl": money_text(line.pnl),
                "fees": money_text(line.fees),
                "trades": line.trades,
                "turnover_frac": money_text(line.turnover_frac),
            }
            for line in results
        ],
    }


def gates(run: str, journal: JournalReader) -> dict[str, Any]:
    """The stage and the next gate's criteria."""
    return gate_standing(Source(run, journal), load_plan(), None, None, wall_ns()).as_json()


def approvals(journal: JournalReader, *, everything: bool) -> list[dict[str, Any]]:
    """Orders that wait for a person, oldest first."""
    return [approval_row(approval) for approval in journal.approvals(open_only=not everything)]


def approval_row(approval: Approval) -> dict[str, Any]:
    """One order that waits, and what was said about it."""
    intent = approval.intent
    return {
        "order": approval.short_id,
        "intent_id": intent.intent_id,
        "content_hash": approval.content_hash,
        "symbol": intent.spec.symbol,
        "side": intent.spec.side.value,
        "type": intent.spec.order_type.value,
        "quantity": money_text(intent.spec.quantity),
        "about": money_text(intent.spec.limit_price or intent.reference_price),
        "state": approval.state.value,
        "requested_ns": approval.requested_ns,
        "expires_ns": approval.expires_ns,
        "user": approval.user,
        "reason": approval.reason,
    }


def _agent_of(row: Mapping[str, Any]) -> str:
    """``RlActor:rl_aggressive`` is the agent ``rl_aggressive``."""
    return str(row.get("name", "")).rpartition(":")[2]


def _order(order: Order) -> dict[str, Any]:
    spec = order.intent.spec
    return {
        "order": order.client_order_id,
        "cycle": order.intent.cycle,
        "symbol": spec.symbol,
        "leg": order.intent.leg.value,
        "side": spec.side.value,
        "type": spec.order_type.value,
        "quantity": money_text(spec.quantity),
        "filled": money_text(order.filled_quantity),
        "price": None if order.average_price is None else money_text(round(order.average_price, 10)),
        "state": order.state.value,
        "reason": order.reason,
    }


def _brief(decision: Decision) -> dict[str, Any]:
    return {
        "cycle": decision.cycle,
        "cycle_id": decision.cycle_id,
        "at_ns": decision.at_ns,
        "regime": decision.regime,
        "equity": money_text(round(decision.equity, 2)),
        "weights": decision.weights,
        "absent": decision.absent,
        "approved": [
            {
                "symbol": intent.spec.symbol,
                "side": intent.spec.side.value,
                "quantity": money_text(intent.spec.quantity),
                "leg": intent.leg.value,
            }
            for intent in decision.judgement.approved
        ],
        "denied": [
            {"symbol": denied.symbol, "code": denied.code.value} for denied in decision.judgement.denied
        ],
    }
