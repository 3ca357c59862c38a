import numpy as np
import pytest

from tests.kernel_words import CLOSE, HIGH, LOW, OPEN, held_targets, market
from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.kernel import KernelRules, replay
from tg_actors.backtest.kernel_trades import trades


def test_a_trade_lasts_from_flat_to_flat_and_knows_its_averages() -> None:
    opens = np.array([100.0, 100.0, 110.0, 120.0, 120.0])
    targets = np.array([0.5, 0.8, 0.0, 0.0, 0.0])
    done = replay(opens, opens, targets, KernelRules(fee_frac=0.001), 10_000)
    (trip,) = trades(done, opens + 10, opens - 20)
    first, second, last = done.fills
    assert (trip.entry_bar, trip.exit_bar, trip.is_open) == (1, 3, False)
    assert trip.quantity == pytest.approx(first["quantity"] + second["quantity"])
    paid = first["quantity"] * 100 + second["quantity"] * 110
    assert trip.entry_price == pytest.approx(paid / trip.quantity)
    assert trip.exit_price == pytest.approx(120)
    assert trip.fees == pytest.approx(done.fills["fee"].sum())
    assert trip.pnl == pytest.approx(done.final_equity - 10_000)
    assert trip.mae_frac == pytest.approx(1 - 80 / trip.entry_price)
    assert trip.mfe_frac == pytest.approx(130 / trip.entry_price - 1)
    assert last["quantity"] == pytest.approx(-trip.quantity)


def test_a_fill_that_turns_the_position_round_ends_one_trade_and_begins_the_next() -> None:
    opens = np.array([100.0, 100.0, 110.0, 90.0])
    done = replay(opens, opens, np.array([1.0, -1.0, -1.0, -1.0]), KernelRules(fee_frac=0.01), 10_000)
    long, short = trades(done)
    assert long.exit_bar == short.entry_bar == 2
    assert (long.quantity > 0, short.quantity < 0, short.is_open, short.exit_price) == (
        True,
        True,
        True,
        None,
    )
    assert long.fees + short.fees == pytest.approx(done.fills["fee"].sum())
    assert long.pnl + short.pnl == pytest.approx(done.final_equity - 10_000)


@pytest.mark.parametrize("seed", range(6))
def test_trades_explain_the_whole_result(seed: int) -> None:
    ohlcv, targets = market(seed, 400), held_targets(seed, 400, (-1.0, -0.3, 0.0, 0.5, 1.0))
    done = replay(ohlcv[:, OPEN], ohlcv[:, CLOSE], targets, KernelRules(fee_frac=0.001))
    trips = trades(done, ohlcv[:, HIGH], ohlcv[:, LOW])
    assert sum(trip.pnl for trip in trips) == pytest.approx(done.final_equity - 10_000)
    assert [trip.is_open for trip in trips[:-1]] == [False] * (len(trips) - 1)
    assert all(trip.mae_frac is not None and trip.mae_frac >= 0 for trip in trips)


def test_an_open_trade_is_marked_where_the_replay_marked_it() -> None:
    opens, closes = np.array([100.0, 100.0, np.nan]), np.array([100.0, 110.0, 500.0])
    done = replay(opens, closes, np.array([1.0, 1.0, 1.0]), KernelRules(), 1_000)
    (trip,) = trades(done)
    assert [trip.pnl, done.final_equity] == pytest.approx([100, 1_100])


def test_a_short_that_sold_for_nothing_has_no_excursions() -> None:
    closes = np.array([100.0, 150.0, 100.0, 150.0])
    rules = KernelRules(slippage=SlippageModel(SlippageName.VOLATILITY, 1_000.0))
    done = replay(closes, closes, np.array([0.0, 0.0, -0.5, 0.0]), rules, 1_000)
    (trip,) = trades(done, closes, closes)
    assert (trip.entry_price, trip.mae_frac, trip.mfe_frac) == (0, None, None)
