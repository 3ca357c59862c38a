"""One instrument, a script of bars small enough to work out by hand, and short words for fills."""

from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import Fill, OrderSpec, OrderState, OrderType
from tg_actors.exchange.config import ExchangeConfig, FeeRates, SlippageModel
from tg_actors.exchange.orders import Accepted
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange, StepReport

D = Decimal
BAR_NS = 3_000
BTC = Instrument(
    symbol="BTC/USDT", tick=D("0.01"), lot=D("0.001"), quantity_min=D("0.001"), notional_min=D(5)
)
PRICES = ("limit_price", "stop_price", "trail_frac", "quantity")


def config(
    maker: str = "0", taker: str = "0", base: str = "0", impact: str = "0", volume: str = "1"
) -> ExchangeConfig:
    return ExchangeConfig(
        fees=FeeRates(maker_frac=D(maker), taker_frac=D(taker)),
        slippage=SlippageModel(base_bps=D(base), impact_bps=D(impact)),
        volume_frac_max=D(volume),
    )


class Market:
    """One instrument and a script of bars; every order must be accepted."""

    def __init__(self, costs: ExchangeConfig | None = None, usdt: str = "10000", btc: str = "10") -> None:
        balances = {"USDT": D(usdt), "BTC": D(btc)}
        self.exchange = PracticeExchange([BTC], costs or config(), balances, "acc")
        self.cycle = 0
        self.bar("100 100 100 100")

    def order(self, name: str, side: Side, order_type: OrderType, **fields: Any) -> None:
        bracket = fields.pop("bracket", None)
        for key in fields.keys() & set(PRICES):
            fields[key] = D(fields[key])
        spec = OrderSpec(symbol="BTC/USDT", side=side, order_type=order_type, **{"quantity": D(1), **fields})
        answer = self.exchange.submit(name, spec, self.cycle * BAR_NS, bracket)
        assert isinstance(answer, Accepted), answer

    def bar(self, ohlc: str, volume: float = 100.0, spread: float = 0.0, trades: bool = True) -> StepReport:
        row = np.array([[*map(float, ohlc.split()), volume]])
        half, close = spread / 2, row[:, 3]
        self.cycle += 1
        return self.exchange.advance(
            MarketStep(
                self.cycle,
                self.cycle * BAR_NS,
                BAR_NS,
                ("BTC/USDT",),
                row,
                close - half,
                close + half,
                np.array([trades]),
            )
        )

    def state(self, name: str) -> tuple[OrderState, str]:
        order = self.exchange.look_up(name)
        assert order is not None
        return order.state, order.reason


def brief(fills: tuple[Fill, ...]) -> list[tuple[str, str, str]]:
    return [(fill.client_order_id, f"{fill.quantity.normalize():f}", f"{fill.price:.2f}") for fill in fills]
