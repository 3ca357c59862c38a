from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Intent, Leg, Order, OrderSpec, OrderState, OrderType, Protection
from tg_actors.execution.protection import Manners, ProtectionPlan, plan
from tg_actors.execution.venues.practice import CAPABILITIES

BTC = Instrument(
    symbol="BTC/USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    notional_min=Decimal(5),
)
STOP_ONLY = Protection(stop_frac=Decimal("0.05"))
KIND = Manners()
BOTH = Protection(stop_frac=Decimal("0.05"), take_frac=Decimal("0.10"))


def resting(leg: Leg, spec: OrderSpec, name: str) -> Order:
    intent = Intent(
        intent_id=name,
        cycle=1,
        leg=leg,
        spec=spec,
        reference_price=Decimal(1),
        decided_at_ns=0,
        valid_until_ns=1,
    )
    return Order(client_order_id=name, intent=intent, state=OrderState.OPEN)


def wanted(
    position: str,
    protection: Protection | None = STOP_ONLY,
    live: tuple[Order, ...] = (),
    manners: Manners = KIND,
) -> ProtectionPlan:
    entry = Decimal("100.07") if Decimal(position) else None
    return plan(BTC, Decimal(position), entry, protection, live, "g2", manners)


def test_a_long_gets_a_stop_below_and_a_short_one_above_the_entry() -> None:
    ((leg, stop),) = wanted("0.5").place
    assert (leg, stop.order_type, stop.side) == (Leg.STOP, OrderType.STOP, Side.SELL)
    assert (stop.stop_price, stop.quantity, stop.reduce_only) == (Decimal("95.1"), Decimal("0.5"), True)
    ((_, cover),) = wanted("-0.5").place
    assert (cover.side, cover.stop_price) == (Side.BUY, Decimal("105.0"))


def test_stop_and_take_are_one_group() -> None:
    (_, stop), (leg, take) = wanted("0.5", BOTH).place
    assert (leg, take.order_type, take.stop_price) == (Leg.TAKE, OrderType.TAKE_PROFIT, Decimal("110.1"))
    assert stop.oco_group == take.oco_group == "g2"


def test_a_trailing_stop_carries_its_distance_instead_of_a_price() -> None:
    ((_, stop),) = wanted("0.5", Protection(stop_frac=Decimal("0.05"), trailing=True)).place
    assert (stop.order_type, stop.trail_frac, stop.stop_price) == (
        OrderType.TRAILING_STOP,
        Decimal("0.05"),
        None,
    )


def test_what_covers_the_position_is_left_alone() -> None:
    stop = resting(Leg.STOP, wanted("0.5").place[0][1], "a")
    assert wanted("0.5", live=(stop,)) == ProtectionPlan()


def test_a_changed_position_gets_new_orders_before_the_old_ones_go() -> None:
    stop = resting(Leg.STOP, wanted("0.5").place[0][1], "a")
    changed = wanted("0.7", live=(stop,))
    assert changed.cancel == ("a",)
    assert [spec.quantity for _, spec in changed.place] == [Decimal("0.7")]


def test_of_two_covering_groups_after_a_crash_the_newest_stays() -> None:
    spec = wanted("0.5").place[0][1]
    old = resting(Leg.STOP, spec.model_copy(update={"oco_group": "g1"}), "old")
    new = resting(Leg.STOP, spec, "new")
    assert wanted("0.5", live=(old, new)) == ProtectionPlan(cancel=("old",))


def test_a_flat_position_leaves_nothing_behind() -> None:
    stop = resting(Leg.STOP, wanted("0.5").place[0][1], "a")
    assert wanted("0", live=(stop,)) == ProtectionPlan(cancel=("a",))


def test_a_position_nobody_entered_gets_no_invented_stop() -> None:
    assert wanted("0.5", protection=None) == ProtectionPlan()


def test_where_no_plain_stop_is_taken_it_is_a_stop_limit_with_room_to_fill() -> None:
    ((leg, stop),) = wanted("0.5", manners=Manners(stops_as_limits=True)).place
    assert (leg, stop.order_type) == (Leg.STOP, OrderType.STOP_LIMIT)
    assert stop.stop_price == Decimal("95.1")
    assert stop.limit_price == Decimal("90.4")


def test_where_nothing_trails_the_stop_stands() -> None:
    trailing = Protection(stop_frac=Decimal("0.05"), trailing=True)
    ((_, stop),) = wanted("0.5", trailing, manners=Manners(trails=False)).place
    assert (stop.order_type, stop.trail_frac, stop.stop_price) == (OrderType.STOP, None, Decimal("95.1"))


def test_only_where_the_venue_reduces_may_an_old_stop_rest_beside_its_successor() -> None:
    # Their groups differ: with tied orders alone both would fill when the news of the first is lost.
    for reduces, waits in ((True, False), (False, True)):
        manners = Manners.at(CAPABILITIES.model_copy(update={"oco": True, "reduce_only": reduces}))
        assert (manners.tied, manners.cancel_first) == (True, waits)
