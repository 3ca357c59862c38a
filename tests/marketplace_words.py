"""A marketplace small enough to work out by hand: two accounts, books of round numbers, short words."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import money_text
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.config import ExchangeConfig, FeeRates, FundingRules, MarginRules, SlippageModel
from tg_actors.exchange.marketplace import (
    Accepted,
    AccountEvent,
    AccountKind,
    Marketplace,
    NewOrder,
    OrderEnded,
    Refused,
)
from tg_actors.exchange.path import MarketStep

D = Decimal
S = 1_000_000_000
BTC = Instrument(
    symbol="BTC/USDT", tick=D("0.01"), lot=D("0.001"), quantity_min=D("0.001"), notional_min=D(5)
)
BUY, SELL = Side.BUY, Side.SELL
MARKET, LIMIT, STOP = OrderType.MARKET, OrderType.LIMIT, OrderType.STOP
MONEY = {"USDT": D(10_000), "BTC": D(10)}
MARGIN = MarginRules(leverage_max=D(5), call_level=D("0.8"), liquidation_level=D("0.4"))
#: A fraction that is easy to see: one in a thousand every ten seconds.
FUNDING = FundingRules(interval_s=10, frac=D("0.001"))


def costs(**sections: Any) -> ExchangeConfig:
    fees = FeeRates(maker_frac=D("0.001"), taker_frac=D("0.002"))
    slippage = SlippageModel(base_bps=D(0), impact_bps=D(0))
    return ExchangeConfig(fees=fees, slippage=slippage, volume_frac_max=D(1), **sections)


def order(name: str, side: Side, order_type: OrderType, quantity: str = "1", **fields: Any) -> NewOrder:
    """Split the fields of the order from the rules that it is sent under."""
    rules = {
        key: fields.pop(key)
        for key in (
            "leverage",
            "deadline_ns",
            "expires_at_ns",
            "dedupe",
            "stops_hold",
            "bracket",
            "known_before",
        )
        if key in fields
    }
    for key in ("limit_price", "stop_price", "trail_frac"):
        if key in fields:
            fields[key] = D(fields[key])
    fields = {"symbol": "BTC/USDT", "side": side, "order_type": order_type, "quantity": D(quantity), **fields}
    return NewOrder(name, OrderSpec(**fields), **rules)


class Place:
    """A marketplace with the accounts ``a`` and ``b``; a second passes with every call."""

    def __init__(self, config: ExchangeConfig | None = None, kind: AccountKind = AccountKind.SPOT) -> None:
        self.market = Marketplace([BTC], config or costs())
        self.now_ns = S
        for account in ("a", "b"):
            self.market.open_account(account, MONEY, kind)

    def tick(self) -> int:
        self.now_ns += S
        return self.now_ns

    def show(self, bids: str, asks: str) -> None:
        """Show a book written as ``"99x1 98x2", "101x1"``."""
        self.market.show_book("BTC/USDT", levels(bids), levels(asks), self.tick())

    def print(self, price: str, quantity: str, taker: Side) -> None:
        self.market.print_trade("BTC/USDT", D(price), D(quantity), taker, self.tick())

    def send(
        self, account: str, name: str, side: Side, order_type: OrderType, quantity: str = "1", **fields: Any
    ) -> int:
        answer = self.market.submit(account, order(name, side, order_type, quantity, **fields), self.tick())
        assert isinstance(answer, Accepted), answer
        return answer.number

    def refused(
        self, account: str, name: str, side: Side, order_type: OrderType, quantity: str = "1", **fields: Any
    ) -> str:
        answer = self.market.submit(account, order(name, side, order_type, quantity, **fields), self.tick())
        assert isinstance(answer, Refused), answer
        return answer.code.value

    def fills(self, account: str) -> list[str]:
        """All executions of an account as ``"name side quantity@price liquidity"``."""
        fills = [trade.fill for trade in self.market.trades(account)]
        return [
            f"{f.client_order_id} {f.side} {money_text(f.quantity)}@{money_text(f.price)} {f.liquidity}"
            for f in fills
        ]

    def ends(self) -> list[str]:
        """Ends of orders since the last drain as ``"account name state reason"``."""
        return [
            f"{account} {event.order.client_order_id} {event.order.state} {event.reason}"
            for account, event in self.market.drain()
            if isinstance(event, OrderEnded)
        ]

    def events(self, *kinds: type[AccountEvent]) -> list[AccountEvent]:
        return [event for _, event in self.market.drain() if isinstance(event, kinds)]


def bar(cycle: int, ohlc: str, volume: float = 100.0, bar_ns: int = 3 * S) -> MarketStep:
    """One bar of BTC/USDT without a spread, from ``"open high low close"``."""
    row = np.array([[*map(float, ohlc.split()), volume]])
    close = row[:, 3]
    return MarketStep(cycle, cycle * bar_ns, bar_ns, ("BTC/USDT",), row, close, close, np.array([True]))


def levels(text: str) -> Sequence[tuple[Decimal, Decimal]]:
    pairs = (level.split("x") for level in text.split())
    return [(D(price), D(size)) for price, size in pairs]
