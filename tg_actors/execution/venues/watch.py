"""Our orders at a venue whose end we have not heard, and the trades that we have."""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from tg_actors.domain.money import ZERO
from tg_actors.domain.orders import Fill


class Watch:
    """Memory of one adapter; a new process starts with none and fills it from look-ups."""

    def __init__(self) -> None:
        #: Symbol of every order ever asked about: a look-up needs it at some venues.
        self._symbols: dict[str, str] = {}
        #: Orders that may rest, in the order they came.
        self._resting: dict[str, None] = {}
        #: Quantity by trade id, per order that may rest.
        self._traded: dict[str, dict[str, Decimal]] = {}
        #: Trades that were news already, with their time.
        self._told: dict[str, int] = {}

    def add(self, client_order_id: str, symbol: str) -> None:
        """Watch an order until it ends."""
        self._symbols[client_order_id] = symbol
        self._resting[client_order_id] = None

    def drop(self, client_order_id: str) -> None:
        """Its end is known."""
        self._resting.pop(client_order_id, None)
        self._traded.pop(client_order_id, None)

    def symbol(self, client_order_id: str) -> str | None:
        """The instrument of an order, None when this process has not met it."""
        return self._symbols.get(client_order_id)

    def missing(self, resting: set[str]) -> tuple[str, ...]:
        """Watched orders that are not among those that rest."""
        return tuple(one for one in self._resting if one not in resting)

    def count(self, fills: Iterable[Fill]) -> None:
        """Add up what watched orders have traded; a repeated trade counts once."""
        for fill in fills:
            if fill.client_order_id in self._resting:
                self._traded.setdefault(fill.client_order_id, {})[fill.trade_id] = fill.quantity

    def filled(self, client_order_id: str) -> Decimal:
        """Sum of the trades that we have seen of a watched order."""
        return sum(self._traded.get(client_order_id, {}).values(), ZERO)

    def fresh(self, fills: Sequence[Fill]) -> tuple[Fill, ...]:
        """The trades that have not been news yet; from now on they have."""
        news = tuple(fill for fill in fills if fill.trade_id not in self._told)
        self._told.update((fill.trade_id, fill.at_ns) for fill in news)
        return news

    def forget_before(self, at_ns: int) -> None:
        """Drop the memory of older trades: they are not read again."""
        self._told = {trade: told_ns for trade, told_ns in self._told.items() if told_ns >= at_ns}
