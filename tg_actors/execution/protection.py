"""Protective stops, kept by code: what must rest at the venue for the position held. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg, Order, OrderSpec, OrderType, Protection

PROTECTIVE_LEGS = frozenset({Leg.STOP, Leg.TAKE})


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """Orders to place and orders to cancel, in this order: never unprotected in between."""

    place: tuple[tuple[Leg, OrderSpec], ...] = ()
    cancel: tuple[str, ...] = ()


def plan(
    instrument: Instrument,
    position: Decimal,
    entry_price: Decimal | None,
    protection: Protection | None,
    live: Sequence[Order],
    oco_group: str,
) -> ProtectionPlan:
    """Compare what rests with what should rest.

    Args:
        instrument: its filters.
        position: signed quantity held now.
        entry_price: average price paid, None when flat.
        protection: distances decided with the entry; None only for a position nobody entered.
        live: the live protective orders of this instrument.
        oco_group: name that ties the new stop and take together.

    A position without known distances gets no stop here: the executor raises an alert instead.
    """
    resting = tuple(order.client_order_id for order in live)
    quantity = instrument.quantise_quantity(abs(position))
    if quantity == ZERO or entry_price is None or protection is None:
        return ProtectionPlan(cancel=resting if quantity == ZERO else ())
    kept = _covering_group(live, quantity, position, protection)
    if kept is not None:
        return ProtectionPlan(cancel=tuple(c for c in resting if c not in kept))
    side = Side.SELL if position > ZERO else Side.BUY
    return ProtectionPlan(_wanted(instrument, side, quantity, entry_price, protection, oco_group), resting)


def _covering_group(
    live: Sequence[Order], quantity: Decimal, position: Decimal, protection: Protection
) -> frozenset[str] | None:
    """Client ids of the newest stop (and take) placed together that covers the whole position.

    A crash may leave an old and a new group side by side; exactly one of them is kept.
    """
    wanted = {Leg.STOP} if protection.take_frac is None else {Leg.STOP, Leg.TAKE}
    closing = Side.SELL if position > ZERO else Side.BUY
    groups: dict[str | None, list[Order]] = {}
    for order in live:
        if order.remaining == quantity and order.intent.spec.side is closing:
            groups.setdefault(order.intent.spec.oco_group, []).append(order)
    covering = [group for group in groups.values() if {order.intent.leg for order in group} == wanted]
    return frozenset(order.client_order_id for order in covering[-1]) if covering else None


def _wanted(
    instrument: Instrument,
    side: Side,
    quantity: Decimal,
    entry_price: Decimal,
    protection: Protection,
    oco_group: str,
) -> tuple[tuple[Leg, OrderSpec], ...]:
    stop_price = entry_price * (1 - protection.stop_frac * side.opposite.sign)
    stop = OrderSpec(
        symbol=instrument.symbol,
        side=side,
        order_type=OrderType.TRAILING_STOP if protection.trailing else OrderType.STOP,
        quantity=quantity,
        stop_price=None if protection.trailing else instrument.quantise_price(stop_price, side),
        trail_frac=protection.stop_frac if protection.trailing else None,
        reduce_only=True,
        oco_group=oco_group,
    )
    if protection.take_frac is None:
        return ((Leg.STOP, stop),)
    take_price = entry_price * (1 + protection.take_frac * side.opposite.sign)
    take = OrderSpec(
        symbol=instrument.symbol,
        side=side,
        order_type=OrderType.TAKE_PROFIT,
        quantity=quantity,
        stop_price=instrument.quantise_price(take_price, side),
        reduce_only=True,
        oco_group=oco_group,
    )
    return ((Leg.STOP, stop), (Leg.TAKE, take))
