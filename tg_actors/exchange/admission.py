"""What the exchange takes and what it refuses: a table of checks, first objection wins."""

from collections.abc import Callable, Mapping

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ONE, ZERO, money_text
from tg_actors.domain.orders import OrderType, TimeInForce
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.orders import FIRST_STANCE, Dedupe, RefusalCode, Refused, WorkingOrder
from tg_actors.exchange.spot import SpotTerms, Wish

#: Begins the ids of orders that the exchange itself sends to close positions.
LIQUIDATION_PREFIX = "liquidation-"


#: A check returns its objection as a sentence, or None.
Check = Callable[[Wish], str | None]

_NEEDS_MARKET = frozenset({OrderType.MARKET, OrderType.TRAILING_STOP})


class Admission:
    """Judge orders against the books, the filters and the account. Changes nothing."""

    def __init__(self, instruments: Mapping[str, Instrument], book: OrderBook, terms: SpotTerms) -> None:
        self._instruments = instruments
        self._book = book
        self._terms = terms
        # Later checks rely on earlier ones: the symbol is known, then the market, then the funds.
        self._checks: tuple[tuple[RefusalCode, Check], ...] = (
            (RefusalCode.DEADLINE, self._too_late),
            (RefusalCode.DUPLICATE, self._repeated_id),
            (RefusalCode.UNKNOWN_SYMBOL, self._strange_symbol),
            (RefusalCode.LOT_SIZE, self._broken_lot),
            (RefusalCode.TICK_SIZE, self._price_off_tick),
            (RefusalCode.NO_MARKET, self._unpriced),
            (RefusalCode.BELOW_MINIMUM, self._too_small),
            (RefusalCode.POST_ONLY_UNSUITABLE, self._post_only_taker),
            (RefusalCode.POST_ONLY_WOULD_CROSS, self._crossing_post_only),
            (RefusalCode.OCO_MISMATCH, self._foreign_group),
            (RefusalCode.BRACKET_INVALID, self._bad_bracket),
            (RefusalCode.LEVERAGE, self._too_much_leverage),
            (RefusalCode.NOTHING_TO_REDUCE, self._nothing_to_reduce),
            (RefusalCode.INSUFFICIENT_FUNDS, self._too_expensive),
        )

    def refusal(self, wish: Wish) -> Refused | None:
        """Return the first objection, None when the order may be accepted."""
        for code, check in self._checks:
            objection = check(wish)
            if objection is not None:
                return Refused(wish.order.client_order_id, code, objection)
        return None

    def working(self, wish: Wish, number: int) -> WorkingOrder:
        """Turn an admissible wish into an open order."""
        order, spec = wish.order, wish.spec
        watermark = wish.quote.close if wish.quote is not None and spec.trail_frac is not None else None
        return WorkingOrder(
            client_order_id=order.client_order_id,
            number=number,
            spec=spec,
            stance=FIRST_STANCE[spec.order_type],
            quantity=spec.quantity,
            submitted_at_ns=wish.at_ns,
            unit_hold=self._terms.unit_hold(wish),
            watermark=watermark,
            bracket=order.bracket,
            leverage=order.leverage,
            expires_at_ns=order.expires_at_ns,
            stops_hold=order.stops_hold,
        )

    def _too_late(self, wish: Wish) -> str | None:
        order, at_ns = wish.order, wish.at_ns
        if order.deadline_ns is not None and at_ns > order.deadline_ns:
            return f"arrived {at_ns - order.deadline_ns} ns after its deadline"
        gone = order.expires_at_ns is not None and at_ns >= order.expires_at_ns
        return "would have expired before it arrived" if gone else None

    def _repeated_id(self, wish: Wish) -> str | None:
        order = wish.order
        ids = (order.client_order_id, *(order.bracket.child_ids if order.bracket else ()))
        taken = [one for row, one in enumerate(ids) if self._is_taken(one, order.dedupe) or one in ids[:row]]
        if not taken and order.dedupe is Dedupe.FOREVER and order.known_before:
            taken = [order.client_order_id]
        return f"client order id {taken[0]} is in use" if taken else None

    def _is_taken(self, client_order_id: str, dedupe: Dedupe) -> bool:
        return client_order_id.startswith(LIQUIDATION_PREFIX) or self._book.knows(client_order_id, dedupe)

    def _strange_symbol(self, wish: Wish) -> str | None:
        known = wish.spec.symbol in self._instruments
        return None if known else f"{wish.spec.symbol} is not traded here"

    def _broken_lot(self, wish: Wish) -> str | None:
        lot = self._instruments[wish.spec.symbol].lot
        whole = wish.spec.quantity % lot == ZERO
        return (
            None
            if whole
            else f"quantity {money_text(wish.spec.quantity)} is no multiple of {money_text(lot)}"
        )

    def _price_off_tick(self, wish: Wish) -> str | None:
        tick = self._instruments[wish.spec.symbol].tick
        prices = [wish.spec.limit_price, wish.spec.stop_price]
        bracket = wish.order.bracket
        if bracket is not None:
            prices += [bracket.stop_price, bracket.take_price]
        off = [price for price in prices if price is not None and price % tick != ZERO]
        return f"price {money_text(off[0])} is no multiple of {money_text(tick)}" if off else None

    def _unpriced(self, wish: Wish) -> str | None:
        needed = wish.spec.order_type in _NEEDS_MARKET
        missing = needed and wish.quote is None
        return f"{wish.spec.symbol} has not traded yet" if missing else None

    def _too_small(self, wish: Wish) -> str | None:
        spec, instrument = wish.spec, self._instruments[wish.spec.symbol]
        last = ZERO if wish.quote is None else wish.quote.close
        price = spec.limit_price or spec.stop_price or last
        if instrument.is_sendable(spec.quantity, price):
            return None
        return (
            f"{money_text(spec.quantity)} at {money_text(price)} is below the minimum of "
            f"{money_text(instrument.quantity_min)} {instrument.base} or "
            f"{money_text(instrument.notional_min)} {instrument.quote}"
        )

    def _post_only_taker(self, wish: Wish) -> str | None:
        spec = wish.spec
        rests = spec.order_type is OrderType.LIMIT and spec.time_in_force is TimeInForce.GTC
        return "only a limit order that may rest can be post-only" if spec.post_only and not rests else None

    def _crossing_post_only(self, wish: Wish) -> str | None:
        spec, quote = wish.spec, wish.quote
        if not spec.post_only or spec.limit_price is None or quote is None:
            return None
        opposite = quote.ask if spec.side is Side.BUY else quote.bid
        crosses = spec.side.sign * spec.limit_price >= spec.side.sign * opposite
        return f"{money_text(spec.limit_price)} would take at {money_text(opposite)}" if crosses else None

    def _foreign_group(self, wish: Wish) -> str | None:
        group = wish.spec.oco_group
        symbol = None if group is None else self._book.group_symbol(group)
        mismatch = symbol is not None and symbol != wish.spec.symbol
        return f"OCO group {group} belongs to {symbol}" if mismatch else None

    def _bad_bracket(self, wish: Wish) -> str | None:
        entry = wish.spec.side is Side.BUY and not wish.spec.reduce_only
        # A spot account is never short, so only a buy opens anything that could be protected.
        return None if entry or wish.order.bracket is None else "only a buy that may open can carry a bracket"

    def _too_much_leverage(self, wish: Wish) -> str | None:
        leverage, most = wish.order.leverage, self._terms.leverage_max
        if ONE <= leverage <= most:
            return None
        return f"leverage {money_text(leverage)} is not between 1 and {money_text(most)}"

    def _nothing_to_reduce(self, wish: Wish) -> str | None:
        return self._terms.nothing_to_reduce(wish.order) if wish.spec.reduce_only else None

    def _too_expensive(self, wish: Wish) -> str | None:
        return self._terms.shortage(self.working(wish, number=0))
