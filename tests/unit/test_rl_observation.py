"""One builder of observations: training data is what the desk shows, and never knows the future."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.market_feeds import BAR_NS, ListedFeed, clean_rows
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import RegimeView
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import RawRows
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.observation import MARKET, Observed, Observer, record

SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
OBSERVER = Observer(tuple(regime.value for regime in REGIMES))
REGIME = RegimeConfig(window_bars=128)
NEEDS = Observer.needs().model_copy(update={"window_bars": 2 * 128})


def simulated() -> SimulatedFeed:
    return SimulatedFeed(5, SYMBOLS, Timeframe.HOUR_1, dict.fromkeys(SYMBOLS, 2.0))


def cycles(
    feed: object, first: int, count: int, prefetch: int
) -> Iterator[tuple[MarketSnapshot, RegimeView | None]]:
    builder = SnapshotBuilder(feed, prefetch=prefetch, needs=NEEDS)  # type: ignore[arg-type]  # any feed
    regimes = RegimeFilter(REGIME)
    for cycle in range(first, first + count):
        snapshot = builder.advance(cycle)
        assert snapshot is not None
        yield snapshot, regimes.view(snapshot)


def test_training_and_live_are_bit_equal() -> None:
    market = record(OBSERVER, cycles(simulated(), 0, 60, prefetch=256))
    assert market.names == OBSERVER.names
    for begin in (0, 37):  # a desk that starts again in the middle
        for snapshot, regime in cycles(simulated(), begin, 60 - begin, prefetch=1):
            live = OBSERVER.observe(snapshot, regime)
            assert live.values.tobytes() == market.observed[snapshot.cycle].tobytes()


def test_every_source_of_the_simulated_market_is_seen() -> None:
    market = record(OBSERVER, cycles(simulated(), 0, 40, prefetch=64))
    seen = {name: market.observed[market.first :, :, k] for k, name in enumerate(market.names)}
    silent = {name for name, values in seen.items() if not values.any()}
    # Nobody supplies a sentiment yet; everything else speaks.
    assert silent == {"sentiment", "sentiment_known"}
    chances = sum(seen[f"p_{regime.value}"] for regime in REGIMES)
    assert np.abs(np.asarray(chances) - 1.0).max() < 1e-3
    assert np.abs(market.funding).max() > 0.0
    assert np.isfinite(market.observed).all()
    assert np.abs(market.observed).max() <= 10.0


def rows_of(seed: int, count: int) -> RawRows:
    return clean_rows(np.arange(count, dtype=np.int64) * BAR_NS, np.random.default_rng(seed))


def test_the_future_changes_no_observation() -> None:
    history, count, cut = 600, 40, 25
    streams = [rows_of(seed, history + count) for seed in (1, 2)]
    after = np.arange(history + count) > history + cut
    factor = np.where(after, 3.0, 1.0)
    raised = [
        RawRows(rows.open_ns, rows.ohlcv * factor[:, np.newaxis], rows.bid * factor, rows.ask * factor)
        for rows in streams
    ]
    true, other = (
        [
            OBSERVER.observe(snapshot, regime).values
            for snapshot, regime in cycles(ListedFeed(each, history * BAR_NS, count), 0, count, 256)
        ]
        for each in (streams, raised)
    )
    same = [a.tobytes() == b.tobytes() for a, b in zip(true, other, strict=True)]
    assert same[: cut + 1] == [True] * (cut + 1)
    assert not any(same[cut + 1 :])


def first_observed(needs: MarketNeeds) -> Observed:
    builder = SnapshotBuilder(simulated(), needs=needs)
    snapshot = builder.advance(0)
    assert snapshot is not None
    return OBSERVER.observe(snapshot, None)


def test_a_missing_source_is_zero_and_says_so() -> None:
    seen = first_observed(MarketNeeds(window_bars=NEEDS.window_bars))
    columns = dict(zip(OBSERVER.names, seen.values.T, strict=True))
    assert seen.known.all()
    for name in ("funding", "whales", "sentiment", "funding_known", "whales_known", "regime_known"):
        assert not columns[name].any()


def test_without_its_window_nobody_may_act() -> None:
    seen = first_observed(MarketNeeds(window_bars=50))
    assert not seen.known.any()
    assert not seen.values.any()


def test_a_market_that_never_warms_up_is_refused() -> None:
    feed = ListedFeed([rows_of(1, 100)], 0, 100)
    with pytest.raises(ValueError, match="warming up"):
        record(OBSERVER, cycles(feed, 0, 100, 64))


def test_columns_of_the_plan_are_there() -> None:
    asked = {"volatility", "volume", "rsi", "macd", "ma_20", "ma_50", "funding", "whales", "sentiment"}
    assert asked < set(MARKET)
    assert {"trend_strength", "correlation"} < set(MARKET)
