"""The practice exchange: one spot account, its orders, and a market that moves bar by bar."""

from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.orders import Fill, OrderSpec
from tg_actors.exchange.admission import Admission, Wish
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Clearing, Counters, Identity, Tape
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.matching import BarWalk
from tg_actors.exchange.orders import Accepted, Bracket, EndReason, Refused, StepReport, VenueOrder
from tg_actors.exchange.path import N_POINTS, BarPath, MarketStep
from tg_actors.exchange.quotes import LastMarket
from tg_actors.exchange.screen import Screen
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


class PracticeExchange:
    """A deterministic spot exchange for one account; pure, so it runs inline in every backtest.

    Submit and cancel between two steps, then :meth:`advance` by one bar. The same calls give the
    same answers, fills and bytes in every process. Balances are exact and never negative: buys
    hold quote currency, sells hold base currency, and fees are paid in quote currency. What is
    beyond the base balance cannot be sold. Rules of filling: :mod:`tg_actors.exchange.matching`.

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
        wish = Wish(client_order_id, spec, bracket, self._market.quote(spec.symbol))
        refused = self._admission.refusal(wish)
        if refused is not None:
            return refused
        self._counters.orders += 1
        self._clearing.open(self._admission.working(wish, self._counters.orders, at_ns))
        return Accepted(client_order_id)

    def cancel(self, client_order_id: str, at_ns: int) -> bool:
        """End an open order; False when there is no such open order, which changes nothing.

        OCO siblings stay: only a fill touches them. Children of a bracket already alive stay too.
        """
        order = self._book.open.get(client_order_id)
        if order is None:
            return False
        self._clearing.end(order, EndReason.ASKED, at_ns)
        return True

    def advance(self, step: MarketStep) -> StepReport:
        """Trade one bar per instrument.

        Raises:
            ValueError: the cycle is not newer than the last one, or the market is impossible.
        """
        if step.cycle <= self._cycle:
            raise ValueError(f"cycle {step.cycle} was traded before: the exchange is at {self._cycle}")
        step.check()
        self._clearing.tape = Tape()
        walks = self._walks(step)
        # Point by point over all instruments, so that fills are booked in the order of time.
        for point in range(N_POINTS):
            for walk in walks:
                walk.visit(point)
        for walk in walks:
            walk.finish()
        self._market.update(step)
        self._cycle = step.cycle
        tape = self._clearing.tape
        self._fills.extend(tape.fills)
        return StepReport(step.cycle, tuple(tape.fills), tuple(tape.closed), tuple(tape.opened))

    def look_up(self, client_order_id: str) -> VenueOrder | None:
        """Show an open order or one of the newest 1000 ended ones, None when unknown."""
        return self._book.look_up(client_order_id)

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """Show every open order, in submit order."""
        return tuple(order.view() for order in self._book.open.values())

    def trades(self, after: int = 0) -> tuple[Fill, ...]:
        """Return executions whose ordinal (the number in ``trade_id``) is above ``after``, oldest first.

        The newest :data:`FILLS_KEPT` are kept.
        """
        return tuple(fill for fill in self._fills if int(fill.trade_id[1:]) > after)

    def balances(self) -> dict[str, Decimal]:
        """Return everything owned per currency, holds included, in alphabetical order."""
        return self._ledger.totals()

    def forget(self, until_ns: int) -> None:
        """Drop ended orders and executions up to an instant, to keep :meth:`dump` short.

        For a client that has written them down itself; look-ups of them then find nothing and
        their client order ids are free again.
        """
        self._book.forget(until_ns)
        kept = (fill for fill in self._fills if fill.at_ns > until_ns)
        self._fills = deque(kept, maxlen=FILLS_KEPT)

    def dump(self) -> bytes:
        """Return the whole state as JSON; :meth:`load` of it makes an exchange that acts the same."""
        checkpoint = Checkpoint(
            version=VERSION,
            venue=self.venue,
            account=self.account,
            cycle=self._cycle,
            orders_numbered=self._counters.orders,
            trades_numbered=self._counters.trades,
            balances=self._ledger.totals(),
            holds=self._ledger.pools(),
            quotes=self._market.known(),
            open_orders=list(self._book.open.values()),
            ended=list(self._book.ended.values()),
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
        ledger = Ledger(checkpoint.balances)
        for pool, needs in checkpoint.holds.items():
            ledger.hold(pool, needs)
        self._assemble(
            OrderBook(checkpoint.open_orders, checkpoint.ended),
            ledger,
            Counters(checkpoint.orders_numbered, checkpoint.trades_numbered),
        )
        self._market.restore(checkpoint.quotes)
        self._fills = deque(checkpoint.fills, maxlen=FILLS_KEPT)
        self._cycle = checkpoint.cycle

    def _assemble(self, book: OrderBook, ledger: Ledger, counters: Counters) -> None:
        self._book, self._ledger, self._counters = book, ledger, counters
        self._screen = Screen(tuple(self._instruments), book)
        self._admission = Admission(self._instruments, book, ledger, self._tariff)
        self._clearing = Clearing(
            identity=Identity(self.venue, self.account),
            instruments=self._instruments,
            tariff=self._tariff,
            book=book,
            ledger=ledger,
            counters=counters,
        )

    def _walks(self, step: MarketStep) -> list[BarWalk]:
        awake = self._screen.awake(step, self._market.align(step.symbols))
        return [
            BarWalk(
                self._instruments[symbol], BarPath.of(step, row), self._book, self._clearing, self._tariff
            )
            for symbol, row in awake
        ]

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
