"""The books of one account: cash per currency, positions, and their value in one currency."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ONE, ZERO
from tg_actors.domain.orders import Fill
from tg_actors.portfolio.positions import Position
from tg_actors.portfolio.postings import post
from tg_actors.portfolio.trades import ClosedTrade


@dataclass(frozen=True, slots=True)
class Valuation:
    """The books at given mid prices.

    ``equity`` and ``gross_exposure`` in the reporting currency; ``unrealised`` per open position in
    its quote currency, before fees, and ``unrealised_reporting`` likewise in the reporting currency;
    ``rates`` value of one unit of each known quote currency in the reporting currency.
    ``unknown`` names currencies and instruments that are held but cannot be valued: unless it is
    empty, ``equity`` and ``gross_exposure`` are only the known part and decide nothing.
    """

    equity: Decimal
    gross_exposure: Decimal
    unrealised: dict[str, Decimal]
    unrealised_reporting: dict[str, Decimal]
    rates: dict[str, Decimal]
    unknown: tuple[str, ...]


def check_convertible(
    instruments: Sequence[Instrument], reporting: str, currencies: Iterable[str] = ()
) -> dict[str, str]:
    """Return by which instrument each quote currency is converted; XRP/BTC needs BTC/USDT.

    Args:
        instruments: all instruments of the account.
        reporting: the currency in which equity is reported.
        currencies: other currencies that are held as cash.

    Raises:
        UserError: a currency has no instrument that prices it in the reporting currency.
    """
    symbols = {instrument.symbol for instrument in instruments}
    needed = dict.fromkeys([*(instrument.quote for instrument in instruments), *currencies])
    conversions = {currency: f"{currency}/{reporting}" for currency in needed if currency != reporting}
    for currency, symbol in conversions.items():
        if symbol not in symbols:
            raise UserError(
                f"{currency} cannot be valued in {reporting}: add {symbol} to the instruments of the desk, "
                f"or leave out what is paid in {currency}"
            )
    return conversions


class Books:
    """Cash and positions, moved by fills alone.

    Equal fills in equal order give equal books. ``cash`` is per quote currency, ``positions`` holds
    every instrument in the order given, flat ones too. Duplicates are the caller's to drop.
    """

    def __init__(
        self, opening_cash: Mapping[str, Decimal], instruments: Sequence[Instrument], reporting: str
    ) -> None:
        self._conversions = check_convertible(instruments, reporting, opening_cash)
        self._instruments = {instrument.symbol: instrument for instrument in instruments}
        self.reporting = reporting
        self.cash = dict(opening_cash)
        for instrument in instruments:
            self.cash.setdefault(instrument.quote, ZERO)
        self.positions = {symbol: Position(symbol) for symbol in self._instruments}

    @property
    def conversion_symbols(self) -> frozenset[str]:
        """Instruments whose mid prices are needed to convert cash, held or not."""
        return frozenset(self._conversions.values())

    def apply(self, fill: Fill, rates: Mapping[str, Decimal] | None = None) -> ClosedTrade | None:
        """Book a fill; return the round trip that it ended, if any.

        Args:
            fill: a new execution.
            rates: reporting currency per quote currency at the time of the fill; without it a trade
                in another quote currency is reported without ``pnl_reporting``.

        Raises:
            UserError: the fill is of no instrument of this desk, or its fee is in a third currency.
        """
        instrument = self._instruments.get(fill.symbol)
        if instrument is None:
            raise UserError(
                f"trade {fill.trade_id} is in {fill.symbol}: add it to the instruments of the desk"
            )
        posting = post(fill)
        self.cash[instrument.quote] += posting.cash
        rate = ONE if instrument.quote == self.reporting else (rates or {}).get(instrument.quote)
        return self.positions[fill.symbol].move(posting, rate)

    def rates(self, mids: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """Return the reporting currency per unit of each cash currency, as far as it is known."""
        known = {
            currency: mids[symbol]
            for currency, symbol in self._conversions.items()
            if _is_price(mids, symbol)
        }
        return {self.reporting: ONE, **known}

    def mark(self, mids: Mapping[str, Decimal]) -> Valuation:
        """Value everything at ``mids``, mid prices in quote currency. Never raises.

        What is held and cannot be valued is named in ``unknown``, never guessed.
        """
        rates = self.rates(mids)
        unknown = [
            currency for currency, amount in self.cash.items() if amount != ZERO and currency not in rates
        ]
        equity = sum((amount * rates[c] for c, amount in self.cash.items() if c in rates), ZERO)
        gross = ZERO
        unrealised: dict[str, Decimal] = {}
        unrealised_reporting: dict[str, Decimal] = {}
        for symbol, position in self.positions.items():
            if position.quantity == ZERO:
                continue
            rate = rates.get(self._instruments[symbol].quote)
            if rate is None or not _is_price(mids, symbol):
                unknown.append(symbol)
                continue
            notional = position.quantity * mids[symbol] * rate
            equity += notional
            gross += abs(notional)
            unrealised[symbol] = position.unrealised(mids[symbol])
            unrealised_reporting[symbol] = unrealised[symbol] * rate
        return Valuation(equity, gross, unrealised, unrealised_reporting, rates, tuple(unknown))

    def expected_balances(self) -> dict[str, Decimal]:
        """Return what the venue must hold per currency: cash, and positions in that base currency."""
        balances = dict(self.cash)
        for symbol, position in self.positions.items():
            base = self._instruments[symbol].base
            balances[base] = balances.get(base, ZERO) + position.quantity
        return balances


def _is_price(mids: Mapping[str, Decimal], symbol: str) -> bool:
    mid = mids.get(symbol)
    return mid is not None and mid.is_finite() and mid > ZERO
