"""Small true examples of what a journal stores, and a clock that ticks by itself."""

import hashlib
import itertools
from collections.abc import Callable
from decimal import Decimal

from tg_actors.domain import ids
from tg_actors.domain.decisions import Decision, Judgement, RiskState
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import (
    Fill,
    Intent,
    Leg,
    Liquidity,
    Order,
    OrderSpec,
    OrderState,
    OrderType,
    Permit,
)

BLOCK = b"every opinion of a cycle"


def ticking_clock(start_ns: int = 1_700_000_000_000_000_000) -> Callable[[], int]:
    """A clock that shows one microsecond more at every look."""
    ticks = itertools.count(start_ns, 1_000)
    return lambda: next(ticks)


def an_intent(cycle: int = 1, symbol: str = "BTC/USDT") -> Intent:
    spec = OrderSpec(symbol=symbol, side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal("0.5"))
    return Intent(
        intent_id=ids.intent_id("desk", "paper", cycle, symbol, "buy", "entry"),
        cycle=cycle,
        leg=Leg.ENTRY,
        spec=spec,
        reference_price=Decimal("50000.123456789012345678"),
        decided_at_ns=cycle * 60,
        valid_until_ns=cycle * 60 + 120,
    )


def a_permit(intent: Intent) -> Permit:
    return Permit(
        intent_id=intent.intent_id,
        client_order_id=ids.client_order_id(intent.intent_id),
        venue="practice",
        account="paper",
        permitted_at_ns=intent.decided_at_ns + 1,
        venue_deadline_ns=intent.decided_at_ns + 30,
        reserved_notional=Decimal("25000.061728394506172839"),
    )


def an_order(intent: Intent, state: OrderState = OrderState.PERMITTED) -> Order:
    return Order(client_order_id=ids.client_order_id(intent.intent_id), intent=intent, state=state)


def a_fill(intent: Intent, trade_id: str = "t1", quantity: str = "0.5") -> Fill:
    return Fill(
        venue="practice",
        account="paper",
        trade_id=trade_id,
        client_order_id=ids.client_order_id(intent.intent_id),
        symbol=intent.spec.symbol,
        side=intent.spec.side,
        quantity=Decimal(quantity),
        price=Decimal("50000.10"),
        fee=Decimal("0.000000000000000001"),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=intent.decided_at_ns + 2,
    )


def a_decision(
    cycle: int = 1, equity: str = "10000", block: bytes = BLOCK, approved: tuple[Intent, ...] = ()
) -> Decision:
    return Decision(
        cycle=cycle,
        cycle_id=ids.cycle_id("desk", cycle, "snapshot"),
        at_ns=cycle * 60,
        snapshot_hash="5" * 64,
        bars=3,
        block_hash=hashlib.sha256(block).hexdigest(),
        regime="trend_up",
        weights={"trend": 0.75, "momentum": 0.25},
        absent={"breakout": "late"},
        equity=Decimal(equity),
        judgement=Judgement(cycle=cycle, approved=approved, denied=(), halt=None, state=RiskState()),
    )
