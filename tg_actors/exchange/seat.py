"""One account at an exchange: its book, money and rules, wired together."""

from collections.abc import Mapping, Sequence

from tg_actors.domain.instruments import Instrument
from tg_actors.exchange.admission import Admission
from tg_actors.exchange.book import OrderBook
from tg_actors.exchange.clearing import Clearing, Counters, Identity, Tape
from tg_actors.exchange.fees import Tariff
from tg_actors.exchange.ledger import Ledger
from tg_actors.exchange.matching import BarWalk
from tg_actors.exchange.orders import Accepted, Refused
from tg_actors.exchange.path import BarPath, MarketStep
from tg_actors.exchange.quotes import Alignment
from tg_actors.exchange.screen import Screen
from tg_actors.exchange.spot import SpotTerms, Wish


class Seat:
    """The machinery of one account; who trades, how the market moves and who listens come from outside."""

    def __init__(
        self,
        identity: Identity,
        instruments: Mapping[str, Instrument],
        tariff: Tariff,
        *,
        book: OrderBook,
        ledger: Ledger,
        terms: SpotTerms,
        counters: Counters,
        tape: Tape,
    ) -> None:
        self.book = book
        self.ledger = ledger
        self.terms = terms
        self.counters = counters
        self.screen = Screen(tuple(instruments), book)
        self.admission = Admission(instruments, book, terms)
        self.clearing = Clearing(
            identity=identity,
            instruments=instruments,
            tariff=tariff,
            book=book,
            ledger=ledger,
            terms=terms,
            counters=counters,
            tape=tape,
        )
        self._instruments = instruments
        self._tariff = tariff

    def take(self, wish: Wish) -> Accepted | Refused:
        """Open an order, or say why not."""
        refused = self.admission.refusal(wish)
        if refused is not None:
            return refused
        order = self.admission.working(wish, self.counters.next_order())
        self.clearing.open(order, wish.at_ns)
        return Accepted(order.client_order_id, order.number)

    def walks(self, step: MarketStep, alignment: Alignment, also: Sequence[str] = ()) -> list[BarWalk]:
        """Return the walks of the instruments whose orders the step may touch, and of those in ``also``."""
        found = self.screen.awake(step, alignment)
        if also:
            rows = {symbol: step.symbols.index(symbol) for symbol in also if symbol in step.symbols}
            rows = {symbol: row for symbol, row in rows.items() if step.has_bar[row]} | dict(found)
            found = [(symbol, rows[symbol]) for symbol in self._instruments if symbol in rows]
        return [
            BarWalk(
                self._instruments[symbol],
                BarPath.of(step, row, self._tariff.intrabar),
                self.book,
                self.clearing,
                self._tariff,
            )
            for symbol, row in found
        ]
