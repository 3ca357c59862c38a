from pathlib import Path

import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.market.tables import read_numbers
from tg_actors.market.trade_flow import (
    FLOW_COLUMNS,
    TakerOrders,
    Trades,
    flow_by_size,
    joined,
)

BAR_NS = 60 * 10**9


def trades(*rows: tuple[int, float, float, int]) -> Trades:
    at_ns, price, size, side = (np.array(column) for column in zip(*rows, strict=True))
    return Trades(at_ns.astype(np.int64), price.astype(float), size.astype(float), side.astype(np.int64))


def test_the_prints_of_one_sweep_are_one_order() -> None:
    tape = trades(
        (5, 10.0, 1.0, 1), (5, 11.0, 2.0, 1), (5, 10.0, 1.0, -1), (6, 10.0, 3.0, -1), (6, 9.0, 1.0, -1)
    )
    orders = joined(tape)
    assert orders.at_ns.tolist() == [5, 5, 6]
    assert orders.usd.tolist() == [32.0, 10.0, 39.0]
    assert orders.side.tolist() == [1, -1, -1]
    wider = joined(tape, gap_ns=1)
    assert (wider.usd.tolist(), wider.side.tolist()) == ([32.0, 49.0], [1, -1])


def test_orders_are_split_by_size_and_bar() -> None:
    at_ns = np.array([0, BAR_NS - 1, BAR_NS, 2 * BAR_NS, 3 * BAR_NS, -1], dtype=np.int64)
    orders = TakerOrders(at_ns, np.array([99.0, 100.0, 7.0, 500.0, 1e6, 1e6]), np.array([1, 1, -1, -1, 1, 1]))
    flow = flow_by_size(orders, whale_usd=100.0, start_ns=0, bar_ns=BAR_NS, bars=3)
    assert FLOW_COLUMNS == ("retail_buy_usd", "retail_sell_usd", "whale_buy_usd", "whale_sell_usd")
    assert flow.tolist() == [[99.0, 0.0, 100.0, 0.0], [0.0, 7.0, 0.0, 0.0], [0.0, 0.0, 0.0, 500.0]]


def test_an_empty_tape_has_no_orders_and_no_flow() -> None:
    nothing = np.empty(0)
    orders = joined(Trades(nothing.astype(np.int64), nothing, nothing, nothing.astype(np.int64)))
    assert len(orders.usd) == 0
    assert flow_by_size(orders, 1.0, 0, BAR_NS, 2).tolist() == [[0.0] * 4] * 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((4, 1.0, 1.0, 1), "backwards"),
        ((5, 0.0, 1.0, 1), "positive"),
        ((5, float("nan"), 1.0, 1), "positive"),
        ((5, 1.0, -1.0, 1), "not negative"),
        ((5, 1.0, 1.0, 0), "taker's"),
    ],
)
def test_what_no_tape_holds_is_refused(row: tuple[int, float, float, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trades((5, 1.0, 1.0, 1), row)


def test_columns_of_different_length_are_refused() -> None:
    one, two = np.ones(1), np.ones(2)
    with pytest.raises(ValueError, match="equally long"):
        Trades(np.zeros(2, dtype=np.int64), two, one, np.ones(2, dtype=np.int64))


DATA = Path(__file__).parents[2].parent / "shared" / "data" / "trades"


def recorded(name: str) -> Trades:
    at_ns, columns = read_numbers(DATA / f"{name}_trades.parquet", ("price", "size", "side"))
    price, size, side = (np.ascontiguousarray(column) for column in columns.T)
    return Trades(at_ns, price, size, side.astype(np.int64))


def turnover(tape: Trades) -> F64:
    return tape.price * tape.size


@pytest.mark.data
@pytest.mark.skipif(not DATA.exists(), reason="no ../shared/data")
@pytest.mark.parametrize("name", ["BINANCE_BTC-USDT_2024-08-08", "GEMINI_ETH-USD_2021-07-01"])
def test_on_real_tapes_every_dollar_is_somebodys_and_a_few_orders_are_much_of_it(name: str) -> None:
    tape = recorded(name)
    orders = joined(tape)
    whale_usd = float(np.quantile(orders.usd, 0.99))
    start_ns = int(tape.at_ns[0])
    bars = int((tape.at_ns[-1] - start_ns) // BAR_NS) + 1
    flow = flow_by_size(orders, whale_usd, start_ns, BAR_NS, bars)
    assert len(orders.usd) < 0.8 * len(tape.price)
    np.testing.assert_allclose(flow.sum(), turnover(tape).sum())
    np.testing.assert_allclose((flow[:, 0] + flow[:, 2]).sum(), turnover(tape)[tape.side == 1].sum())
    assert 0.2 < flow[:, 2:].sum() / flow.sum() < 0.6
