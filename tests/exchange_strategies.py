"""Orders and bars as hypothesis draws them: three instruments around a price of 100, all of them coarse."""

from decimal import Decimal

import numpy as np
from hypothesis import strategies as st

from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import OrderSpec, OrderType, TimeInForce
from tg_actors.exchange.path import MarketStep

D = Decimal
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
INSTRUMENTS = tuple(
    Instrument(symbol=symbol, tick=D("0.01"), lot=D("0.1"), quantity_min=D("0.1"), notional_min=D(1))
    for symbol in SYMBOLS
)
BAR_NS = 60

cents = st.integers(8000, 12000).map(lambda n: D(n) / 100)
lots = st.integers(1, 60).map(lambda n: D(n) / 10)
fracs = st.sampled_from([D("0.01"), D("0.05")])
sides = st.sampled_from(Side)
groups = st.sampled_from([None, None, "g", "h"])
#: What each order type draws beside the common fields.
PRICES_OF: dict[OrderType, dict[str, st.SearchStrategy[Decimal]]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": cents},
    OrderType.STOP: {"stop_price": cents},
    OrderType.STOP_LIMIT: {"stop_price": cents, "limit_price": cents},
    OrderType.TAKE_PROFIT: {"stop_price": cents},
    OrderType.TRAILING_STOP: {"trail_frac": fracs},
}
specs = st.sampled_from(list(PRICES_OF)).flatmap(
    lambda order_type: st.builds(
        OrderSpec,
        symbol=st.sampled_from(SYMBOLS),
        side=sides,
        order_type=st.just(order_type),
        quantity=lots,
        time_in_force=st.sampled_from(TimeInForce),
        post_only=st.just(value=False) if order_type is not OrderType.LIMIT else st.booleans(),
        reduce_only=st.booleans(),
        oco_group=groups,
        **PRICES_OF[order_type],
    )
)
bars = st.tuples(
    cents.map(float),  # open
    cents.map(float),  # close
    st.integers(0, 500).map(lambda n: n / 100),  # high above both
    st.integers(0, 500).map(lambda n: n / 100),  # low below both
    st.sampled_from([0.0, 0.3, 4.0, 100.0]),  # volume
    st.sampled_from([0.0, 0.02, 1.0]),  # spread
    st.booleans(),  # whether it trades
)
Bar = tuple[float, float, float, float, float, float, bool]


def step_of(cycle: int, drawn: list[Bar]) -> MarketStep:
    """The step of one drawn bar per instrument."""
    rows = [(o, max(o, c) + up, min(o, c) - down, c, volume) for o, c, up, down, volume, *_ in drawn]
    close, spread = np.array([row[3] for row in rows]), np.array([bar[5] for bar in drawn])
    trades = np.array([bar[6] for bar in drawn])
    bid, ask = close - spread / 2, close + spread / 2
    return MarketStep(cycle, cycle * BAR_NS, BAR_NS, SYMBOLS, np.array(rows), bid, ask, trades)
