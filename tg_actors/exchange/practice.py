"""The practice exchange: one spot account, its orders, and a market that moves bar by bar."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.orders import Fill, OrderSpec
from tg_actors.exchange.at_once import AtOnce
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Counters, Identity
from tg_actors.exchange.config import ExchangeConfig, FillRule
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.orders import (
    Accepted,
    Bracket,
    Dedupe,
    Ended,
    EndReason,
    NewOrder,
    RefusalCode,
    Refused,
    StepReport,
    VenueOrder,
    WorkingOrder,
)
from tg_actors.exchange.path import N_POINTS, MarketStep
from tg_actors.exchange.quotes import LastMarket
from tg_actors.exchange.seat import Seat
from tg_actors.exchange.spot import SpotTerms, Wish
from tg_actors.exchange.state import VERSION, Checkpoint, from_bytes, to_bytes

__all__ = [
    "Accepted",
    "Bracket",
    "ExchangeConfig",
    "MarketStep",
    "PracticeExchange",
    "Refused",
    "StepReport",
    "VenueOrder",
]

#: Executions that :meth:`PracticeExchange.trades` still shows; a reader must come back sooner.
FILLS_KEPT = 1000


@dataclass(slots=True)
class StepTape:
    """What one step did: fills, ends of orders, and the ids of exits that came alive."""

    fills: list[Fill] = field(default_factory=list)
    closed: list[Ended] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def on_open(self, order: WorkingOrder, at_ns: int) -> None:  # noqa: ARG002 - a tape with times needs it
        """Note an exit that came alive."""
        self.opened.append(order.client_order_id)

    def on_trigger(self, order: WorkingOrder, at_ns: int) -> None:
        """Nothing: the fill tells."""

    def on_fill(self, order: WorkingOrder, fill: Fill, realised: Decimal) -> None:  # noqa: ARG002 - spot
        """Note a fill."""
        self.fills.append(fill)

    def on_end(self, order: VenueOrder, reason: EndReason, at_ns: int) -> None:  # noqa: ARG002 - on the order
        """Note an end."""
        self.closed.append(Ended(order.client_order_id, order.state, reason))


class PracticeExchange:
    """A deterministic spot exchange for one account; pure, so it runs inline in every backtest.

    Submit and cancel between two steps, then :meth:`advance` by one bar. The same calls give the
    same answers, fills and bytes in every process. Balances are exact and never negative: buys
    hold quote currency, sells hold base currency, and fees are paid in quote currency. What is
    beyond the base balance cannot be sold. Rules of filling: :mod:`tg_actors.exchange.matching`, and for
    the two rules that fill at once :mod:`tg_actors.exchange.at_once`; what they fill is reported with the
    next bar. Such fills are not in :meth:`dump` until then, so they are for backtests alone.

    Args:
        instruments: what is traded; in one moment of a bar they are matched in this order.
        config: fees, slippage, share of a bar's volume.
        balances: opening balance per currency, 0 where absent.
        account: name of the account, written on every fill.
        venue: name of the venue, written on every fill.
    """

    def __init__(
        self,
        instruments: Sequence[Instrument],
        config: ExchangeConfig,
        balances: Mapping[str, Decimal],
        account: str,
        venue: str = "practice",
    ) -> None:
        self.venue = venue
        self.account = account
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self._tariff = Tariff(config)
        rule = config.fill_rule
        self._at_once = None if rule is FillRule.NEXT_OPEN else AtOnce(rule, self._instruments, self._tariff)
        self._early = StepTape()
        self._market = LastMarket(list(self._instruments))
        self._assemble(OrderBook(), Ledger(balances), Counters())
        self._fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self._cycle = -1

    @property
    def cycle(self) -> int:
        """The newest cycle that was traded, -1 before the first."""
        return self._cycle

    def submit(
        self, client_order_id: str, spec: OrderSpec, at_ns: int, bracket: Bracket | None = None
    ) -> Accepted | Refused:
        """Take an order, or refuse it with a code. A repeated client order id is always refused.

        ``at_ns`` is for the books alone: whatever it says, the order meets the next bar first.
        """
        order = NewOrder(client_order_id, spec, bracket, dedupe=Dedupe.FOREVER, stops_hold=True)
        wish = Wish(order, self._market.quote(spec.symbol), at_ns)
        return self._seat.take(wish) if self._at_once is None else self._take_now(self._at_once, wish)

    def cancel(self, client_order_id: str, at_ns: int) -> bool:
        """End an open order; False when there is no such open order, which changes nothing.

        OCO siblings stay: only a fill touches them. Children of a bracket already alive stay too.
        """
        order = self._seat.book.open.get(client_order_id)
        if order is None:
            return False
        self._seat.clearing.end(order, EndReason.ASKED, at_ns)
        return True

    def advance(self, step: MarketStep) -> StepReport:
        """Trade one bar per instrument.

        Raises:
            ValueError: the cycle is not newer than the last one, or the market is impossible.
        """
        if step.cycle <= self._cycle:
            raise ValueError(f"cycle {step.cycle} was traded before: the exchange is at {self._cycle}")
        step.check()
        tape = self._seat.clearing.tape = self._early
        self._early = StepTape()
        walks = self._seat.walks(step, self._market.align(step.symbols))
        # Point by point over all instruments, so that fills are booked in the order of time.
        for point in range(N_POINTS):
            for walk in walks:
                walk.visit(point)
        for walk in walks:
            walk.finish()
        self._market.update(step)
        if self._at_once is not None:
            self._at_once.look(step)
        self._cycle = step.cycle
        self._fills.extend(tape.fills)
        return StepReport(step.cycle, tuple(tape.fills), tuple(tape.closed), tuple(tape.opened))

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Show an open order or one of the newest 1000 ended ones, None when unknown."""
        return self._seat.book.look_up(client_order_id)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Show every open order, in submit order."""
        return tuple(order.view() for order in self._seat.book.open.values())

    def trades(self, after: int = 0) -> tuple[Fill, ...]:
        """Return executions whose ordinal (the number in ``trade_id``) is above ``after``, oldest first.

        The newest :data:`FILLS_KEPT` are kept.
        """
        return tuple(fill for fill in self._fills if int(fill.trade_id[1:]) > after)

    def balances(self) -> dict[str, Decimal]:
        """Return everything owned per currency, holds included, in alphabetical order."""
        return self._seat.ledger.totals()

    def forget(self, until_ns: int) -> None:
        """Drop ended orders and executions up to an instant, to keep :meth:`dump` short.

        For a client that has written them down itself; look-ups of them then find nothing and
        their client order ids are free again.
        """
        self._seat.book.forget(until_ns)
        kept = (fill for fill in self._fills if fill.at_ns > until_ns)
        self._fills = deque(kept, maxlen=FILLS_KEPT)

    def dump(self) -> bytes:
        """Return the whole state as JSON; :meth:`load` of it makes an exchange that acts the same."""
        checkpoint = Checkpoint(
            version=VERSION,
            venue=self.venue,
            account=self.account,
            cycle=self._cycle,
            orders_numbered=self._seat.counters.orders,
            trades_numbered=self._seat.counters.trades,
            balances=self._seat.ledger.totals(),
            holds=self._seat.ledger.pools(),
            quotes=self._market.known(),
            open_orders=list(self._seat.book.open.values()),
            ended=list(self._seat.book.ended.values()),
            fills=list(self._fills),
        )
        return to_bytes(checkpoint)

    def load(self, raw: bytes) -> None:
        """Replace the state by a dumped one. Fees and slippage stay those of this configuration.

        Raises:
            UserError: the bytes are damaged, belong to another account, or hold open orders of an
                instrument that this exchange does not trade; nothing is changed then.
        """
        checkpoint = from_bytes(raw)
        self._refuse_foreign(checkpoint)
        self._assemble(
            OrderBook(checkpoint.open_orders, checkpoint.ended),
            Ledger(checkpoint.balances, checkpoint.holds),
            Counters(checkpoint.orders_numbered, checkpoint.trades_numbered),
        )
        self._market.restore(checkpoint.quotes)
        self._fills = deque(checkpoint.fills, maxlen=FILLS_KEPT)
        self._cycle = checkpoint.cycle

    def _take_now(self, at_once: AtOnce, wish: Wish) -> Accepted | Refused:
        """Take an order and fill it before this returns; its fills are told with the next bar."""
        name, seat = wish.order.client_order_id, self._seat
        objection = at_once.objection(wish.spec)
        if objection is not None:
            return Refused(name, RefusalCode.NO_MARKET, objection)
        answer = seat.take(wish)
        if isinstance(answer, Accepted):
            before, seat.clearing.tape = seat.clearing.tape, self._early
            at_once.meet(seat.book.open[name], seat.book, seat.clearing, wish.at_ns)
            seat.clearing.tape = before
        return answer

    def _assemble(self, book: OrderBook, ledger: Ledger, counters: Counters) -> None:
        self._seat = Seat(
            Identity(self.venue, self.account),
            self._instruments,
            self._tariff,
            book=book,
            ledger=ledger,
            terms=SpotTerms(self._instruments, self._tariff, ledger),
            counters=counters,
            tape=StepTape(),
        )

    def _refuse_foreign(self, checkpoint: Checkpoint) -> None:
        theirs, ours = (checkpoint.venue, checkpoint.account), (self.venue, self.account)
        if theirs != ours:
            raise UserError(
                f"the practice exchange's checkpoint belongs to {theirs[0]}/{theirs[1]}, not to "
                f"{ours[0]}/{ours[1]}: start the desk that wrote it or a new one"
            )
        for order in checkpoint.open_orders:
            if order.spec.symbol not in self._instruments:
                raise UserError(
                    f"order {order.client_order_id} of {order.spec.symbol} is open at the practice "
                    "exchange: add that instrument to the desk again"
                )
