"""The days before the simulated world: as long as anybody asks for, and of one piece with its bars."""

import numpy as np
import pytest

from tg_actors.domain.blocks import F64
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.simulated import START_NS, SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.market.windows import DAY_NS

SYMBOLS = ("BTC/USDT", "ETH/USDT", "ETH/BTC")


def feed(symbols: tuple[str, ...] = SYMBOLS, timeframe: Timeframe = Timeframe.HOUR_1) -> SimulatedFeed:
    return SimulatedFeed(7, symbols, timeframe, dict.fromkeys(symbols, 4.0))


def days(market: SimulatedFeed, cycle: int, count: int) -> F64:
    snapshot = SnapshotBuilder(market, needs=MarketNeeds(days=count)).advance(cycle)
    assert snapshot is not None
    assert snapshot.days is not None
    return snapshot.days.ohlcv


@pytest.mark.parametrize("timeframe", [Timeframe.MIN_1, Timeframe.MIN_5, Timeframe.HOUR_1, Timeframe.HOUR_4])
def test_months_are_there_from_the_first_cycle_on_and_fit_together(timeframe: Timeframe) -> None:
    bars = days(feed(timeframe=timeframe), 0, 200)
    assert np.isfinite(bars).all()
    assert (bars > 0).all()
    opens, highs, lows, closes = (bars[..., k] for k in range(4))
    assert (highs >= np.maximum(opens, closes)).all()
    assert (lows <= np.minimum(opens, closes)).all()
    np.testing.assert_allclose(opens[1:, :2], closes[:-1, :2], rtol=2e-6)


def test_days_do_not_depend_on_how_many_are_asked_for_or_beside_whom() -> None:
    many = days(feed(), 0, 300)
    np.testing.assert_array_equal(days(feed(), 0, 90), many[-90:])
    np.testing.assert_array_equal(days(feed(("ETH/USDT",)), 0, 300)[:, 0], many[:, 1])
    later = days(feed(), 24 * 7, 300)
    np.testing.assert_array_equal(later[:-7], many[7:])


def test_days_move_as_the_world_does() -> None:
    returns = np.diff(np.log(days(feed(), 0, 2_000)[..., 3]), axis=0)
    assert 0.55 < returns[:, 0].std() * np.sqrt(365.25) < 0.9
    assert 0.75 < returns[:, 1].std() * np.sqrt(365.25) < 1.15
    assert 0.75 < np.corrcoef(returns[:, 0], returns[:, 1])[0, 1] < 0.92
    np.testing.assert_allclose(returns[:1_900, 1] - returns[:1_900, 0], returns[:1_900, 2], atol=2e-5)


def test_the_world_itself_is_left_out() -> None:
    market = feed()
    first_day = (START_NS - 1024 * market.bar_ns) // DAY_NS
    rows = market.days_before(0, START_NS, 60)
    assert rows.open_ns[-1] == (first_day - 1) * DAY_NS
    assert len(rows) == 60 - (START_NS // DAY_NS - first_day)
    assert len(market.days_before(0, START_NS, 30)) == 0
