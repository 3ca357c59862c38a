"""What came into the books between two snapshots counts as exposure before the next one."""

from decimal import Decimal

from tests.desk_words import BTC, OPENING, XRP, ScriptedFeed
from tg_actors.domain.blocks import MarketSnapshot
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


def _snapshots(*closes: float) -> list[MarketSnapshot]:
    builder = SnapshotBuilder(ScriptedFeed({BTC: [OPENING[BTC]] * len(closes), XRP: closes}))
    snapshots = [builder.advance(cycle) for cycle in range(len(closes))]
    return [snapshot for snapshot in snapshots if snapshot is not None]


def _state() -> DeskState:
    return DeskState(Books({"USDT": Decimal(10_000)}, INSTRUMENTS, "USDT"), INSTRUMENTS)


def test_an_older_snapshot_does_not_turn_the_market_back() -> None:
    state, (first, second) = _state(), _snapshots(0.5, 0.51)
    state.look(second)
    state.look(first)
    assert state.mid(XRP) == Decimal("0.51")


def test_a_fill_between_two_snapshots_is_valued_at_once() -> None:
    state, (snapshot,) = _state(), _snapshots(0.5)
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
