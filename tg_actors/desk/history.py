"""Questions about a journal: positions, one decision explained, an agent's newest opinions."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from tg_actors.desk.block import DecisionBlock, block_hash, decode
from tg_actors.domain.blocks import Opinions
from tg_actors.domain.decisions import Decision
from tg_actors.domain.errors import JournalError, UserError
from tg_actors.domain.money import ZERO, from_float, money_text
from tg_actors.domain.orders import Fill, Intent, Order
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType, OrderPermitted
from tg_actors.portfolio.books import Books

_DIGITS = 4


def executor_spec(journal: JournalReader) -> ExecutorSpec:
    """Return the account that this journal belongs to.

    Raises:
        UserError: the journal was never traded on.
    """
    identity = journal.identity()
    if identity is None:
        raise UserError("this journal belongs to no run yet: start a desk with 'tg run'")
    return ExecutorSpec.model_validate_json(identity["executor"])


def rebuilt_books(journal: JournalReader) -> Books:
    """Replay every fill of the journal into new books."""
    spec = executor_spec(journal)
    books = Books(spec.opening_cash, spec.instruments, spec.reporting_currency)
    for fill in journal.fills():
        books.apply(fill)
    return books


def last_marks(journal: JournalReader) -> dict[str, Decimal]:
    """Mid prices of the newest decided cycle, per instrument that has one."""
    last = journal.last_decision()
    found = None if last is None else journal.decision(last.cycle)
    return {} if found is None else marks(decode(found[1]))


def marks(block: DecisionBlock) -> dict[str, Decimal]:
    """Mid prices of a block as money."""
    pairs = zip(block.symbols, block.mid.tolist(), strict=True)
    return {symbol: from_float(mid) for symbol, mid in pairs if mid > 0}


def open_positions(journal: JournalReader) -> list[dict[str, Any]]:
    """Every open position with average price, mark, profit and fees in its quote currency."""
    mids = last_marks(journal)
    return [
        {
            "symbol": symbol,
            "quantity": money_text(position.quantity),
            "average_price": money_text(round(position.average_price or ZERO, 10)),
            "mark": money_text(mids[symbol]) if symbol in mids else None,
            "unrealised": money_text(round(position.unrealised(mids[symbol]), 8)) if symbol in mids else None,
            "realised": money_text(round(position.realised, 8)),
            "fees": money_text(position.fees),
        }
        for symbol, position in rebuilt_books(journal).positions.items()
        if position.quantity != ZERO
    ]


def explain(journal: JournalReader, cycle: str) -> dict[str, Any]:
    """Tell one cycle from its snapshot to the fills of its orders.

    Raises:
        UserError: there is no such cycle.
        JournalError: the stored opinions do not have the hash that the decision names.
    """
    decision, data = _find(journal, cycle)
    if block_hash(data) != decision.block_hash:
        raise JournalError(
            f"the opinions of cycle {decision.cycle} were changed after the fact", retryable=False
        )
    block = decode(data)
    permits = list(_permits(journal, decision.cycle))
    ids = {order.client_order_id for order in permits}
    return {
        "cycle": decision.cycle,
        "cycle_id": decision.cycle_id,
        "at_ns": decision.at_ns,
        "snapshot_hash": decision.snapshot_hash,
        "regime": decision.regime,
        "regime_view": None if decision.regime_view is None else decision.regime_view.model_dump(mode="json"),
        "equity": money_text(round(decision.equity, 8)),
        "weights": decision.weights,
        "absent": decision.absent,
        "opinions": [row for o in block.opinions for row in _opinion_rows(o, block, decision)],
        "targets": list(_target_rows(block)),
        "verdicts": list(_verdict_rows(decision)),
        "permits": [_order_row(order) for order in permits],
        "fills": [_fill_row(fill) for fill in journal.fills() if fill.client_order_id in ids],
    }


def opinions_of(journal: JournalReader, agent: str) -> list[dict[str, Any]]:
    """The newest opinions of one agent, one row per instrument; empty for an actor that has none."""
    last = journal.last_decision()
    found = None if last is None else journal.decision(last.cycle)
    if found is None:
        return []
    block = decode(found[1])
    return [row for o in block.opinions if o.agent == agent for row in _opinion_rows(o, block, found[0])]


def _find(journal: JournalReader, cycle: str) -> tuple[Decision, bytes]:
    count = journal.cycles_count()
    if cycle == "last":
        last = journal.last_decision()
        found = None if last is None else journal.decision(last.cycle)
    else:
        found = journal.decision(int(cycle) if cycle.isdecimal() else cycle)
    if found is None and count == 0:
        raise UserError(
            "this run has no cycle yet: its desk is still starting, or was stopped before its first"
        )
    if found is None:
        raise UserError(f"no cycle {cycle!r} in this run: it has {count} cycles, counted from 0")
    return found


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(value, _DIGITS)


def _opinion_rows(opinions: Opinions, block: DecisionBlock, decision: Decision) -> Iterator[dict[str, Any]]:
    return (opinion_row(opinions, block, decision, i) for i in range(len(block.symbols)))


def opinion_row(opinions: Opinions, block: DecisionBlock, decision: Decision, i: int) -> dict[str, Any]:
    """What one agent said of instrument ``i``, with the weight it was heard with."""
    why = opinions.abstained[i]
    evidence = zip(opinions.evidence_names, opinions.evidence[i].tolist(), strict=True)
    return {
        "agent": opinions.agent,
        "weight": round(decision.weights.get(opinions.agent, 0.0), _DIGITS),
        "symbol": block.symbols[i],
        "direction": _number(float(opinions.direction[i])),
        "confidence": _number(float(opinions.confidence[i])),
        "horizon_bars": opinions.horizon_bars,
        "abstained": None if why is None else why.value,
        "evidence": {name: _number(score) for name, score in evidence},
    }


def _target_rows(block: DecisionBlock) -> Iterator[dict[str, Any]]:
    targets = block.targets
    for i, symbol in enumerate(block.symbols):
        exposure = _number(float(targets.exposure[i]))
        if exposure is not None:
            yield {
                "symbol": symbol,
                "exposure": exposure,
                "confidence": _number(float(targets.confidence[i])),
            }


def _verdict_rows(decision: Decision) -> Iterator[dict[str, Any]]:
    for intent in decision.judgement.approved:
        yield {"symbol": intent.spec.symbol, "verdict": "approved", "detail": _intent_text(intent)}
    for denied in decision.judgement.denied:
        yield {"symbol": denied.symbol, "verdict": denied.code.value, "detail": denied.detail}


def _intent_text(intent: Intent) -> str:
    spec = intent.spec
    return f"{intent.leg} {spec.side} {money_text(spec.quantity)} {spec.order_type}"


def _permits(journal: JournalReader, cycle: int) -> Iterator[Order]:
    for event in journal.events({EventType.ORDER_PERMITTED}):
        if event.cycle == cycle:
            permit = OrderPermitted.model_validate_json(event.payload).permit
            order = journal.order(permit.client_order_id)
            if order is not None:
                yield order


def _order_row(order: Order) -> dict[str, Any]:
    spec = order.intent.spec
    return {
        "order": order.client_order_id,
        "symbol": spec.symbol,
        "leg": order.intent.leg.value,
        "side": spec.side.value,
        "quantity": money_text(spec.quantity),
        "state": order.state.value,
        "reason": order.reason,
    }


def _fill_row(fill: Fill) -> dict[str, Any]:
    return {
        "trade": fill.trade_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": money_text(fill.quantity),
        "price": money_text(fill.price),
        "fee": money_text(fill.fee),
        "fee_currency": fill.fee_currency,
    }
