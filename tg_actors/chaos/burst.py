"""An executor that permits as fast as it can, a process of its own: ``python -m … FILE``.

It goes on, also while it is halted, until its stdin ends.
"""

import itertools
import os
import sys
import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Decision, Judgement, RiskState
from tg_actors.domain.ids import cycle_id, intent_id
from tg_actors.domain.instruments import Side
from tg_actors.domain.money import from_float
from tg_actors.domain.orders import Intent, Leg, OrderSpec, OrderType
from tg_actors.execution.start import start_executor
from tg_actors.journal.repository import Journal
from tg_actors.market.config import open_market
from tg_actors.runtime.clock import wall_ns

_NOTIONAL = Decimal(20)
#: Every one is a transaction of its own; then the market moves on, so that what was sent is filled.
_PERMITS_PER_CYCLE = 50


def burst(plan: DeskPlan, over: threading.Event) -> int:
    """Permit one small order after the other until ``over``; returns how many were tried."""
    tried = 0
    with Journal.open(plan.journal, clock_ns=wall_ns) as journal:
        executor = start_executor(plan.account, journal, f"pid {os.getpid()}", wall_ns()).executor
        market = open_market(plan.market)
        for cycle in itertools.count():
            snapshot = market.advance(cycle)
            if snapshot is None:
                return tried
            settlement = executor.settle(snapshot)
            for intent in itertools.islice(intents_of(plan, snapshot), _PERMITS_PER_CYCLE):
                if over.is_set():
                    return tried
                executor.execute(decision_of(plan, snapshot, intent, settlement.account.equity))
                tried += 1
    return tried


def intents_of(plan: DeskPlan, snapshot: MarketSnapshot) -> Iterator[Intent]:
    """Small buys at market, over and over, each with a name of its own."""
    spec = plan.account.executor
    mids = {
        symbol: from_float(float(mid)) for symbol, mid in zip(snapshot.symbols, snapshot.mid, strict=True)
    }
    for number in itertools.count():
        instrument = spec.instruments[number % len(spec.instruments)]
        mid = mids[instrument.symbol]
        quantity = instrument.quantise_quantity(_NOTIONAL / mid)
        if quantity <= 0:
            continue
        yield Intent(
            intent_id=intent_id(
                f"{spec.desk}/{number}", spec.account, snapshot.cycle, instrument.symbol, Side.BUY, Leg.ENTRY
            ),
            cycle=snapshot.cycle,
            leg=Leg.ENTRY,
            spec=OrderSpec(
                symbol=instrument.symbol, side=Side.BUY, order_type=OrderType.MARKET, quantity=quantity
            ),
            reference_price=mid,
            decided_at_ns=snapshot.at_ns,
            valid_until_ns=snapshot.at_ns + spec.bar_ns,
        )


def decision_of(plan: DeskPlan, snapshot: MarketSnapshot, intent: Intent, equity: Decimal) -> Decision:
    """Wrap one intent as if risk had approved it."""
    return Decision(
        cycle=snapshot.cycle,
        cycle_id=cycle_id(plan.desk, snapshot.cycle, snapshot.digest()),
        at_ns=snapshot.at_ns,
        snapshot_hash=snapshot.digest(),
        bars=0,
        block_hash="",
        regime="burst",
        weights={},
        absent={},
        equity=equity,
        judgement=Judgement(
            cycle=snapshot.cycle, approved=(intent,), denied=(), halt=None, state=RiskState()
        ),
    )


def _hear_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> int:
    """Read the plan, burst until stdin ends, say how many permits were tried."""
    plan = DeskPlan.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    over = threading.Event()
    threading.Thread(target=_hear_the_end, args=(over,), daemon=True).start()
    sys.stdout.write(f"{burst(plan, over)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
