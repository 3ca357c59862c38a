"""Every movement of money as a posting: sums of postings are balances, to the last digit. Pure."""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ONE, ZERO
from tg_actors.exchange.marketplace import (
    AccountEvent,
    Balance,
    BalancesChanged,
    Deposited,
    FundingPaid,
    OrderFilled,
)
from tg_actors.exchange.server.records import Posting


class Bookkeeping:
    """Turns account events into postings, and knows the total that each leaves behind."""

    def __init__(self, last_seq: int) -> None:
        self._seq = last_seq
        self._totals: dict[tuple[str, str], Decimal] = {}

    def opening(self, account: str, balances: Mapping[str, Balance], at_ns: int) -> Iterator[Posting]:
        """The first deposits of a new account."""
        for currency, balance in balances.items():
            if balance.total:
                yield self._post(account, "deposit", currency, balance.total, at_ns, "opening")

    def resume(self, account: str, balances: Mapping[str, Balance]) -> None:
        """Go on from these balances."""
        for currency, balance in balances.items():
            self._totals[account, currency] = balance.total

    def postings(
        self, account: str, event: AccountEvent, instruments: Mapping[str, Instrument]
    ) -> Iterator[Posting]:
        """The movements that one event stands for."""
        match event:
            case OrderFilled():
                yield from self._fill(account, event, instruments[event.order.spec.symbol])
            case FundingPaid():
                yield self._post(account, "funding", event.currency, -event.amount, event.at_ns, event.symbol)
            case Deposited():
                kind = "deposit" if event.amount > ZERO else "withdrawal"
                yield self._post(account, kind, event.currency, event.amount, event.at_ns, "")
            case BalancesChanged():
                yield from self._differences(account, event)
            case _:
                return

    def _fill(self, account: str, event: OrderFilled, instrument: Instrument) -> Iterator[Posting]:
        trade, fill = event.trade, event.trade.fill
        moves: tuple[tuple[str, Decimal], ...]
        if event.order.leverage > ONE:
            moves = ((instrument.quote, trade.realised),)
        else:
            bought = fill.side.sign * fill.quantity
            moves = ((instrument.base, bought), (instrument.quote, -bought * fill.price))
        for currency, amount in moves:
            if amount:
                yield self._post(account, "trade", currency, amount, fill.at_ns, fill.trade_id)
        if fill.fee:
            yield self._post(account, "fee", fill.fee_currency, -fill.fee, fill.at_ns, fill.trade_id)

    def _differences(self, account: str, event: BalancesChanged) -> Iterator[Posting]:
        # Nothing should be left by now. Whatever is, stands in the ledger under a name that a checker finds.
        for currency, balance in event.balances:
            left = balance.total - self._totals.get((account, currency), ZERO)
            if left:
                yield self._post(account, "unexplained", currency, left, event.at_ns, "")

    def _post(self, account: str, kind: str, currency: str, amount: Decimal, at_ns: int, ref: str) -> Posting:
        self._seq += 1
        total = self._totals.get((account, currency), ZERO) + amount
        self._totals[account, currency] = total
        return Posting(self._seq, account, kind, currency, amount, total, at_ns, ref)
