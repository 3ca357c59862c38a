"""What each venue guarantees: one row per venue, shown in ``docs/venues.md``."""

from tg_actors.domain.orders import OrderType
from tg_actors.execution.venues.port import Capabilities, Dedupe

_EVERY_TYPE = frozenset(OrderType)

CAPABILITIES: dict[str, Capabilities] = {
    # Unlike a spot stop elsewhere, Kraken's holds no balance before it triggers. Reduce-only exists for
    # margin positions; a spot account cannot be short. CancelAllOrdersAfter: 60 s, asked again every 15-30 s.
    "kraken": Capabilities(
        dedupe=Dedupe.OPEN,
        expiry_s_max=60,
        read_lag_s=2,
        look_up_by_client_id=True,
        dead_man_s=60,
        oco=False,
        stops_hold_balance=False,
        order_types=_EVERY_TYPE,
        post_only=True,
        reduce_only=False,
        client_id_chars_max=36,
        wall_deadlines=True,
    ),
    # timestamp + recvWindow bound the arrival; a client id may be used again once its order has ended.
    "binance": Capabilities(
        dedupe=Dedupe.OPEN,
        expiry_s_max=60,
        read_lag_s=2,
        look_up_by_client_id=True,
        dead_man_s=0,
        oco=False,
        stops_hold_balance=True,
        order_types=_EVERY_TYPE,
        post_only=True,
        reduce_only=False,
        client_id_chars_max=36,
        wall_deadlines=True,
    ),
    # Crypto at Alpaca knows market, limit and stop-limit only, and nothing that expires on arrival.
    "alpaca": Capabilities(
        dedupe=Dedupe.FOREVER,
        expiry_s_max=0,
        unknown_horizon_s=120,
        read_lag_s=2,
        look_up_by_client_id=True,
        dead_man_s=0,
        oco=False,
        stops_hold_balance=True,
        order_types=frozenset({OrderType.MARKET, OrderType.LIMIT, OrderType.STOP_LIMIT}),
        post_only=False,
        reduce_only=False,
        client_id_chars_max=128,
        wall_deadlines=True,
    ),
}


def markdown_table() -> str:
    """The rows as Markdown, for ``docs/venues.md``: venues across, guarantees down."""
    venues = list(CAPABILITIES)
    lines = [f"| guarantee | {' | '.join(venues)} |", "|---" * (len(venues) + 1) + "|"]
    for field in Capabilities.model_fields:
        cells = [_cell(getattr(CAPABILITIES[venue], field)) for venue in venues]
        lines.append(f"| `{field}` | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case frozenset():
            return ", ".join(kind.value for kind in OrderType if kind in value)
        case _:
            return str(value)
