"""What each venue cost and how well it served: fees, slippage, fill rate, time to answer. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Fill, Order, OrderState, OrderType, Permit
from tg_actors.execution.ledger import slippage_bps

_NS_PER_MS = 1_000_000
#: The venue never held these, or we do not know yet: they say nothing about how it fills.
_NEVER_THERE = frozenset({OrderState.PERMITTED, OrderState.UNKNOWN, OrderState.NOT_FOUND})

#: How each figure is computed, printed beside it.
DEFINITIONS = {
    "fees": "sum of fees per currency they were paid in; negative is a rebate",
    "slippage_bps_mean": "fill price against the decision's mid of market orders, positive is worse",
    "fill_rate_frac": "quantity filled over quantity asked, mean over ended market and limit orders",
    "ack_ms_median": "from the permit's commit to the commit of the venue's first answer, the lower median",
}


@dataclass(frozen=True, slots=True)
class VenueFigures:
    """One venue in numbers; None where nothing is known.

    ``fees`` per currency; ``filled``, ``partial``, ``unfilled`` count ended market and limit orders,
    ``rejected`` what the venue refused; ``ack_ms_median`` covers orders whose first answer is known.
    """

    venue: str
    orders: int
    fills: int
    fees: dict[str, Decimal]
    filled: int
    partial: int
    unfilled: int
    rejected: int
    fill_rate_frac: Decimal | None
    slippage_bps_mean: Decimal | None
    ack_ms_median: int | None

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs; money as text."""
        rate, slippage = self.fill_rate_frac, self.slippage_bps_mean
        return {
            "venue": self.venue,
            "orders": self.orders,
            "fills": self.fills,
            "fees": {currency: money_text(fee) for currency, fee in sorted(self.fees.items())},
            "filled": self.filled,
            "partial": self.partial,
            "unfilled": self.unfilled,
            "rejected": self.rejected,
            "fill_rate_frac": None if rate is None else round(float(rate), 6),
            "slippage_bps_mean": None if slippage is None else round(float(slippage), 3),
            "ack_ms_median": self.ack_ms_median,
        }


def account_venues(
    permits: Iterable[Permit],
    orders: Mapping[str, Order],
    fills: Sequence[Fill],
    acks_ns: Mapping[str, int],
) -> tuple[VenueFigures, ...]:
    """Group a run by venue, in the order of first use.

    Args:
        permits: all permits; they name the venue of an order.
        orders: all orders by client order id.
        fills: all executions.
        acks_ns: nanoseconds from permit to the venue's first answer, by client order id, where known.
    """
    of_venue: dict[str, list[Order]] = {}
    for permit in permits:
        of_venue.setdefault(permit.venue, []).append(orders[permit.client_order_id])
    return tuple(
        _figures(venue, mine, [f for f in fills if f.venue == venue], acks_ns)
        for venue, mine in of_venue.items()
    )


def _figures(
    venue: str, orders: Sequence[Order], fills: Sequence[Fill], acks_ns: Mapping[str, int]
) -> VenueFigures:
    fees: dict[str, Decimal] = {}
    for fill in fills:
        fees[fill.fee_currency] = fees.get(fill.fee_currency, ZERO) + fill.fee
    # A stop that never triggers is no failure to fill.
    plain = [o for o in orders if o.intent.spec.order_type in {OrderType.MARKET, OrderType.LIMIT}]
    ended = [o for o in plain if not o.is_live and o.state not in _NEVER_THERE]
    ended = [o for o in ended if o.state is not OrderState.REJECTED]
    rates = [min(o.filled_quantity / o.intent.spec.quantity, Decimal(1)) for o in ended]
    at_market = [o for o in orders if o.intent.spec.order_type is OrderType.MARKET]
    slippage = [bps for order in at_market if (bps := slippage_bps(order)) is not None]
    acks = sorted(acks_ns[o.client_order_id] for o in orders if o.client_order_id in acks_ns)
    return VenueFigures(
        venue=venue,
        orders=len(orders),
        fills=len(fills),
        fees=fees,
        filled=sum(rate == 1 for rate in rates),
        partial=sum(0 < rate < 1 for rate in rates),
        unfilled=sum(rate == 0 for rate in rates),
        rejected=sum(o.state is OrderState.REJECTED for o in orders),
        fill_rate_frac=sum(rates, ZERO) / len(rates) if rates else None,
        slippage_bps_mean=sum(slippage, ZERO) / len(slippage) if slippage else None,
        ack_ms_median=acks[(len(acks) - 1) // 2] // _NS_PER_MS if acks else None,
    )
