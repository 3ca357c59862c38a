"""What trading costs: slippage, taker prices, fees, and what a budget can pay for."""

import decimal
from decimal import Decimal

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ONE, ZERO, to_step
from tg_actors.domain.orders import Liquidity
from tg_actors.exchange.config import ExchangeConfig, Funds

_BPS = Decimal("0.0001")


class Tariff:
    """The prices of one exchange configuration. Every rounding goes against us."""

    def __init__(self, config: ExchangeConfig) -> None:
        self._slippage = config.slippage
        self._fee_frac = {
            Liquidity.MAKER: config.fees.maker_frac,
            Liquidity.TAKER: config.fees.taker_frac,
        }
        self._fee_step = config.fee_step
        self.volume_frac_max = config.volume_frac_max
        self.intrabar = config.intrabar
        self.latency_ns = config.latency_ms * 1_000_000
        self.holds_market_orders = config.funds is Funds.HELD

    def slippage_frac(self, participation: Decimal) -> Decimal:
        """Return how far a taker moves the price, for the part of the bar's volume it takes."""
        return (self._slippage.base_bps + self._slippage.impact_bps * participation) * _BPS

    def taker_price(
        self,
        instrument: Instrument,
        side: Side,
        price: Decimal,
        half_spread_frac: Decimal,
        participation: Decimal,
    ) -> Decimal:
        """Return ``price * (1 ± (half spread + slippage))`` on the tick, up for buys, down for sells.

        Never below one tick, however wide the spread.
        """
        cost_frac = half_spread_frac + self.slippage_frac(participation)
        rounding = decimal.ROUND_CEILING if side is Side.BUY else decimal.ROUND_FLOOR
        return max(to_step(price * (ONE + side.sign * cost_frac), instrument.tick, rounding), instrument.tick)

    def fee(self, notional: Decimal, liquidity: Liquidity) -> Decimal:
        """Return the fee in quote currency, rounded up."""
        return (notional * self._fee_frac[liquidity]).quantize(self._fee_step, decimal.ROUND_CEILING)

    def unit_hold(self, instrument: Instrument, price: Decimal, half_spread_frac: Decimal) -> Decimal:
        """Return what one unit may cost a buyer who takes at ``price``: spread, slippage, fee."""
        participation = ONE if self.volume_frac_max is None else self.volume_frac_max
        worst = self.taker_price(instrument, Side.BUY, price, half_spread_frac, participation)
        return self.with_taker_fee(worst)

    def with_taker_fee(self, price: Decimal) -> Decimal:
        """Return the price of one unit with the taker fee on it."""
        return price * (ONE + self._fee_frac[Liquidity.TAKER])

    def affordable(
        self, instrument: Instrument, quantity: Decimal, price: Decimal, liquidity: Liquidity, budget: Decimal
    ) -> Decimal:
        """Return the largest quantity, at most ``quantity``, whose notional and fee fit the budget."""
        if self._cost(quantity, price, liquidity) <= budget:
            return quantity
        unit = price * (ONE + self._fee_frac[liquidity])
        lots = instrument.quantise_quantity(max(budget, ZERO) / unit)
        if self._cost(lots, price, liquidity) <= budget:
            return lots
        # The fee's last digit is rounded up; of a cheap coin that is more than one lot is worth.
        return instrument.quantise_quantity(max(budget - self._fee_step, ZERO) / unit)

    def _cost(self, quantity: Decimal, price: Decimal, liquidity: Liquidity) -> Decimal:
        return quantity * price + self.fee(quantity * price, liquidity)
