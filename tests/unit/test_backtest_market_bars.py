"""The bars of a sweep are the bars that the desk sees, cycle by cycle."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.baseline_words import noise, write_candles
from tg_actors.backtest.market_bars import bars_of, load_bars
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketSpec, RecordedSource, SimulatedSource, open_market
from tg_actors.market.timeframes import Timeframe

SYMBOLS = ("AAA/USDT", "BBB/USDT")


def spec(source: RecordedSource | SimulatedSource) -> MarketSpec:
    return MarketSpec(
        symbols=SYMBOLS,
        timeframe=Timeframe.HOUR_1,
        source=source,
        spread_bps=dict.fromkeys(SYMBOLS, Decimal(2)),
    )


def recorded(folder: Path, holes: float = 0.0) -> MarketSpec:
    bars = noise(400, 2, holes=holes)
    ohlcv = np.stack((bars.open_, bars.high, bars.low, bars.close, bars.volume), axis=2)
    ohlcv[0] = ohlcv[-1] = 100.0
    write_candles(folder, SYMBOLS, ohlcv)
    return spec(RecordedSource(data=str(folder)))


def test_every_row_is_the_fresh_bar_of_its_cycle_and_nothing_else(tmp_path: Path) -> None:
    market = recorded(tmp_path, holes=0.1)
    bars, builder = load_bars(market), open_market(market)
    assert len(bars) == 400
    assert np.isnan(bars.close).any()
    for cycle in range(len(bars)):
        snapshot = builder.advance(cycle)
        assert snapshot is not None
        assert snapshot.at_ns == bars.close_ns[cycle]
        seen = np.where(snapshot.is_fresh[:, np.newaxis], snapshot.ohlcv, np.nan)
        row = np.stack([a[cycle] for a in (bars.open_, bars.high, bars.low, bars.close, bars.volume)], axis=1)
        assert np.array_equal(seen, row, equal_nan=True)


def test_an_endless_market_is_cut(tmp_path: Path) -> None:
    assert len(load_bars(spec(SimulatedSource(seed=1)), 50)) == 50
    assert len(load_bars(recorded(tmp_path), 10**9)) == 400


def test_a_slice_has_the_same_bars(tmp_path: Path) -> None:
    bars = load_bars(recorded(tmp_path))
    part = bars.slice(100, 130)
    assert (len(part), part.symbols) == (30, SYMBOLS)
    assert np.array_equal(part.close, bars.close[100:130])
    assert part.close_ns[0] == bars.close_ns[100]


def test_each_instrument_lies_in_one_piece() -> None:
    bars = bars_of(SYMBOLS, 1, np.arange(5), np.arange(50.0).reshape(5, 2, 5))
    assert bars.high[:, 1].flags.contiguous
    assert bars.high[3].tolist() == [31.0, 36.0]


def test_one_bar_is_no_market(tmp_path: Path) -> None:
    market = recorded(tmp_path)
    short = market.source.model_copy(update={"from_utc": "2024-01-01", "to_utc": "2024-01-01T01:00"})
    with pytest.raises(UserError, match="fewer than two bars"):
        load_bars(market.model_copy(update={"source": short}))
