"""Protective stops, kept by code: what must rest at the venue for the position held. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Leg, Order, OrderSpec, OrderType, Protection
from tg_actors.execution.venues.port import Capabilities

#: A stop-limit must fill in a fast market too; a gap wider than this leaves it resting.
STOP_LIMIT_SLACK_FRAC = Decimal("0.05")
PROTECTIVE_LEGS = frozenset({Leg.STOP, Leg.TAKE})


@dataclass(frozen=True, slots=True)
class Manners:
    """How protective orders must be handled at a venue; the default is the kindest venue.

    ``tied``: a stop, a take and an exit can be tied, so that only one of them fills. Without it only
    the stop is placed. ``cancel_first``: the old orders must be gone before new ones are sent, for
    they hold the balance, or both would fill. ``trails``: a stop can follow the market; else it stands
    where it was placed. ``stops_as_limits``: a stop must name a limit, which lies
    :data:`STOP_LIMIT_SLACK_FRAC` beyond its trigger.
    """

    tied: bool = True
    cancel_first: bool = False
    trails: bool = True
    stops_as_limits: bool = False

    @classmethod
    def at(cls, capabilities: Capabilities) -> "Manners":
        """Read them off a venue's capabilities."""
        # Tied orders are safe within their group; an old group and its successor are only where the
        # venue itself keeps them from selling more than is held.
        types = capabilities.order_types
        return cls(
            tied=capabilities.oco,
            cancel_first=capabilities.stops_hold_balance or not capabilities.reduce_only,
            trails=OrderType.TRAILING_STOP in types,
            stops_as_limits=OrderType.STOP not in types and OrderType.STOP_LIMIT in types,
        )

    @property
    def frees_exits(self) -> bool:
        """Whether an exit can only leave once the protective orders are proven to have ended."""
        return self.cancel_first or not self.tied


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """Orders to place and orders to cancel, in this order: never unprotected in between.

    At a venue where the old ones must go first there is only ever one of the two.
    """

    place: tuple[tuple[Leg, OrderSpec], ...] = ()
    cancel: tuple[str, ...] = ()


def plan(
    instrument: Instrument,
    position: Decimal,
    entry_price: Decimal | None,
    protection: Protection | None,
    live: Sequence[Order],
    oco_group: str,
    manners: Manners = Manners(),
) -> ProtectionPlan:
    """Compare what rests with what should rest.

    Args:
        instrument: its filters.
        position: signed quantity held now.
        entry_price: average price paid, None when flat.
        protection: distances decided with the entry; None only for a position nobody entered.
        live: the live protective orders of this instrument.
        oco_group: name that ties the new stop and take together.
        manners: what the venue demands.

    A position without known distances gets no stop here: the executor raises an alert instead.
    """
    resting = tuple(order.client_order_id for order in live)
    quantity = instrument.quantise_quantity(abs(position))
    if quantity == ZERO or entry_price is None or protection is None:
        return ProtectionPlan(cancel=resting if quantity == ZERO else ())
    if not manners.tied:
        protection = protection.model_copy(update={"take_frac": None})
    if not manners.trails:
        protection = protection.model_copy(update={"trailing": False})
    kept = _covering_group(live, quantity, position, protection)
    if kept is not None:
        return ProtectionPlan(cancel=tuple(c for c in resting if c not in kept))
    if manners.cancel_first and resting:
        return ProtectionPlan(cancel=resting)
    side = Side.SELL if position > ZERO else Side.BUY
    group = oco_group if manners.tied else None
    wanted = _wanted(instrument, side, quantity, entry_price, protection, group)
    return ProtectionPlan(tuple((leg, _in_words(spec, instrument, manners)) for leg, spec in wanted), resting)


def _in_words(spec: OrderSpec, instrument: Instrument, manners: Manners) -> OrderSpec:
    """Say a plain stop the way the venue understands it."""
    if spec.order_type is not OrderType.STOP or spec.stop_price is None or not manners.stops_as_limits:
        return spec
    limit = instrument.quantise_price(
        spec.stop_price * (1 + STOP_LIMIT_SLACK_FRAC * spec.side.sign), spec.side
    )
    return spec.model_copy(update={"order_type": OrderType.STOP_LIMIT, "limit_price": limit})


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
    oco_group: str | None,
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
