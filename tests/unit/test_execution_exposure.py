"""What came into the books between two snapshots counts as exposure before the next one."""

from decimal import Decimal

from tests.desk_words import BTC, OPENING, XRP, ScriptedFeed
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import (
    Fill,
    Intent,
    Leg,
    Liquidity,
    Order,
    OrderSpec,
    OrderState,
    OrderType,
    TradingState,
)
from tg_actors.execution.state import DeskState
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.portfolio.books import Books

INSTRUMENTS = tuple(
    Instrument(
        symbol=symbol,
        tick=Decimal("0.0001"),
        lot=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        notional_min=Decimal(1),
    )
    for symbol in (BTC, XRP)
)


def test_a_fill_between_two_snapshots_is_valued_at_once() -> None:
    state = DeskState(Books({"USDT": Decimal(10_000)}, INSTRUMENTS, "USDT"), INSTRUMENTS)
    snapshot = SnapshotBuilder(ScriptedFeed({s: [OPENING[s]] * 3 for s in (BTC, XRP)})).advance(0)
    assert snapshot is not None
    state.look(snapshot)
    spec = OrderSpec(symbol=XRP, side=Side.BUY, order_type=OrderType.MARKET, quantity=Decimal(100))
    intent = Intent(
        intent_id="wish",
        cycle=0,
        leg=Leg.ENTRY,
        spec=spec,
        reference_price=Decimal("0.5"),
        decided_at_ns=snapshot.at_ns,
        valid_until_ns=snapshot.at_ns + 1,
    )
    state.put(Order(client_order_id="order", intent=intent, state=OrderState.OPEN))
    fill = Fill(
        venue="v",
        account="a",
        trade_id="t",
        client_order_id="order",
        symbol=XRP,
        side=Side.BUY,
        quantity=Decimal(100),
        price=Decimal("0.5"),
        fee=Decimal(0),
        fee_currency="USDT",
        liquidity=Liquidity.TAKER,
        at_ns=snapshot.at_ns + 1,
    )
    state.fill(fill)

    account = state.account(snapshot.at_ns + 1, TradingState.ACTIVE)

    assert account.unvalued == ()
    assert account.gross_exposure == Decimal(50)
