from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.market_files import write_bars, write_table
from tg_actors.domain.blocks import F64, I64, MarketSnapshot
from tg_actors.domain.errors import UserError
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.config import MarketNeeds, MarketSpec, RecordedSource, open_market
from tg_actors.market.facts import FACT_NAMES, FACTS, Known, as_known
from tg_actors.market.feeds.recorded_facts import FactFiles, RecordedFacts
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.timeframes import Timeframe, instant_ns
from tg_actors.market.windows import DAY_NS

MINUTE_NS = 60 * 10**9
HOUR_NS = 60 * MINUTE_NS
START_NS = instant_ns("2024-01-01")
SYMBOLS = ("BTC/USDT", "XRP/BTC")


def files(folder: Path, venue: str = "BINANCE", bar_ns: int = HOUR_NS) -> FactFiles:
    return FactFiles(folder, venue, SYMBOLS, bar_ns, whale_usd_min=1_000.0)


def at(source: RecordedFacts, *instants_ns: int) -> tuple[F64, I64]:
    return source.facts(np.array(instants_ns, dtype=np.int64))


def column(name: str) -> int:
    return FACT_NAMES.index(name)


def test_every_fact_says_its_unit_and_meaning() -> None:
    assert all(fact.unit and fact.meaning for fact in FACTS.values())
    assert len(FACT_NAMES) == 10


def test_series_are_laid_out_as_known_at_each_instant() -> None:
    known = Known(1, "open_interest_usd", np.array([10, 20]), np.array([1.0, 2.0]))
    values, as_of_ns = as_known([known], 2, np.array([9, 10, 19, 20, 99]))
    k = column("open_interest_usd")
    np.testing.assert_array_equal(values[:, 1, k], [np.nan, 1.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(as_of_ns[:, 1, k], [0, 10, 10, 20, 20])
    assert np.isnan(values[:, 0]).all()
    assert not as_of_ns[:, 0].any()


def test_funding_of_the_perpetual_is_known_at_its_settlement_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "funding" / "BINANCEUSDM_BTC-USDT_funding.parquet"
    settled = [START_NS, START_NS + 8 * HOUR_NS, START_NS + 16 * HOUR_NS]
    write_table(path, settled, {"funding_rate": [1e-4, float("nan"), 3e-4]})
    source = RecordedFacts(files(tmp_path))
    values, as_of_ns = at(source, settled[0] - 1, settled[0], settled[2] - 1, settled[2])
    k = column("funding_rate_frac")
    np.testing.assert_array_equal(values[:, 0, k], [np.nan, 1e-4, 1e-4, 3e-4])
    np.testing.assert_array_equal(as_of_ns[:, 0, k], [0, settled[0], settled[0], settled[2]])
    assert np.isnan(values[:, 1]).all()
    assert RecordedFacts(files(tmp_path, "KRAKEN")).fact_names == ()


def trades(folder: Path, name: str, prints: list[tuple[float, float, float, int]]) -> None:
    """Prints: minutes after the start, price, size, side of the taker."""
    minutes, price, size, side = zip(*prints, strict=True)
    at_ns = [START_NS + int(minute * MINUTE_NS) for minute in minutes]
    columns = {"price": price, "size": size, "side": [float(one) for one in side]}
    write_table(folder / "trades" / f"{name}_trades.parquet", at_ns, columns)


TAPE = [
    (50.0, 100.0, 7.0, 1),
    (61.0, 100.0, 3.0, 1),
    (62.0, 100.0, 2.0, -1),
    (63.0, 100.0, 6.0, -1),  # one sweep of two prints: 1,100 dollars
    (63.0, 100.0, 5.0, -1),
    (119.0, 100.0, 10.0, 1),  # exactly the threshold
    (130.0, 100.0, 1.0, 1),
]


def test_trades_count_for_the_bars_that_the_file_covers_whole(tmp_path: Path) -> None:
    trades(tmp_path, "BINANCE_BTC-USDT_2024-01-01", TAPE)
    source = RecordedFacts(files(tmp_path))
    close = START_NS + 2 * HOUR_NS
    values, as_of_ns = at(source, close - 1, close, close + 5 * HOUR_NS)
    assert np.isnan(values[0]).all()
    expected = {
        "taker_buy_volume": 13.0,
        "taker_sell_volume": 13.0,
        "whale_buy_usd": 1_000.0,
        "whale_sell_usd": 1_100.0,
        "retail_buy_usd": 300.0,
        "retail_sell_usd": 200.0,
    }
    for name, value in expected.items():
        assert values[1, 0, column(name)] == value
        # The hour after is not covered: the old number stands, with its age.
        assert values[2, 0, column(name)] == value
        assert as_of_ns[2, 0, column(name)] == close


def test_what_is_not_paid_in_dollars_has_no_dollars(tmp_path: Path) -> None:
    trades(tmp_path, "BINANCE_XRP-BTC_2024-01-01", TAPE)
    values, _ = at(RecordedFacts(files(tmp_path)), START_NS + 2 * HOUR_NS)
    assert values[0, 1, column("taker_buy_volume")] == 13.0
    assert np.isnan(values[0, 1, column("whale_buy_usd")])


def test_a_span_too_short_for_a_bar_says_nothing(tmp_path: Path) -> None:
    trades(tmp_path, "BINANCE_BTC-USDT_2024-01-01", TAPE[1:5])
    assert RecordedFacts(files(tmp_path)).fact_names == ()
    assert RecordedFacts(files(tmp_path, bar_ns=MINUTE_NS)).fact_names == FACT_NAMES


def test_flows_on_chain_are_known_a_day_after_their_day_ended(tmp_path: Path) -> None:
    path = tmp_path / "onchain" / "COINMETRICS_BTC_1d.parquet"
    write_table(path, [START_NS], {"exchange_inflow_usd": [5e6], "tx_count": [1.0]})
    values, as_of_ns = at(RecordedFacts(files(tmp_path)), START_NS + 2 * DAY_NS - 1, START_NS + 2 * DAY_NS)
    k = column("exchange_inflow_usd")
    np.testing.assert_array_equal(values[:, 0, k], [np.nan, 5e6])
    assert as_of_ns[1, 0, k] == START_NS + 2 * DAY_NS
    assert np.isnan(values[:, 0, column("exchange_outflow_usd")]).all()


def test_damaged_files_are_explained(tmp_path: Path) -> None:
    path = tmp_path / "funding" / "BINANCEUSDM_BTC-USDT_funding.parquet"
    write_table(path, [START_NS, START_NS - HOUR_NS], {"funding_rate": [1e-4, 2e-4]})
    with pytest.raises(UserError, match="not in the order of time"):
        at(RecordedFacts(files(tmp_path)), START_NS)
    write_table(path, [START_NS], {"rate": [1e-4]})
    with pytest.raises(UserError, match="has no column funding_rate"):
        at(RecordedFacts(files(tmp_path)), START_NS)
    path.write_bytes(b"PAR1")
    with pytest.raises(UserError, match="no readable Parquet file"):
        at(RecordedFacts(files(tmp_path)), START_NS)
    path.unlink()
    trades(tmp_path, "BINANCE_BTC-USDT_2024-01-01", [(0.0, 100.0, 1.0, 0), (90.0, 100.0, 1.0, 1)])
    with pytest.raises(UserError, match="holds no tape"):
        at(RecordedFacts(files(tmp_path)), START_NS)


def recorded(folder: Path, needs: MarketNeeds) -> SnapshotBuilder:
    return open_market(
        MarketSpec(
            symbols=("BTC/USDT",),
            timeframe=Timeframe.HOUR_1,
            source=RecordedSource(data=str(folder)),
            spread_bps={"BTC/USDT": Decimal(4)},
            needs=needs,
        )
    )


def taken(builder: SnapshotBuilder, cycle: int) -> MarketSnapshot:
    snapshot = builder.advance(cycle)
    assert snapshot is not None
    return snapshot


def test_a_snapshot_holds_what_was_known_at_its_instant(tmp_path: Path) -> None:
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", START_NS + np.arange(40, dtype=np.int64) * HOUR_NS)
    path = tmp_path / "funding" / "BINANCEUSDM_BTC-USDT_funding.parquet"
    settled, rates = [START_NS + 8 * HOUR_NS * k for k in range(5)], [1e-4 * k for k in range(5)]
    write_table(path, settled, {"funding_rate": rates})
    market = recorded(tmp_path, MarketNeeds(facts=True))
    for cycle in (0, 6, 7, 8, 30, 3):
        facts = taken(market, cycle).facts
        assert facts is not None
        assert facts.column("funding_rate_frac")[0] == pytest.approx((cycle + 1) // 8 * 1e-4)
        assert facts.as_of_ns[0, column("funding_rate_frac")] == START_NS + (cycle + 1) // 8 * 8 * HOUR_NS


def test_nothing_asked_for_is_nothing_given_and_facts_belong_to_the_digest(tmp_path: Path) -> None:
    market = SimulatedFeed(7, ("BTC/USDT",), Timeframe.HOUR_1, {"BTC/USDT": 4.0})
    bare = taken(SnapshotBuilder(market), 5)
    assert (bare.window, bare.days, bare.references, bare.facts, bare.depth) == (None,) * 5
    windows = taken(SnapshotBuilder(market, needs=MarketNeeds(window_bars=9, days=9, references=("SPY",))), 5)
    assert windows.references is None
    assert windows.digest() == bare.digest()
    facts = taken(SnapshotBuilder(market, needs=MarketNeeds(facts=True)), 5)
    assert facts.digest() != bare.digest()
    again = taken(SnapshotBuilder(market, prefetch=1, needs=MarketNeeds(facts=True)), 5)
    assert again.digest() == facts.digest()


@pytest.mark.data
def test_the_recorded_tape_of_bitcoin(data_dir: Path) -> None:
    source = RecordedFacts(FactFiles(data_dir, "BINANCE", ("BTC/USDT",), 5 * MINUTE_NS, 50_000.0))
    close = instant_ns("2024-08-09T00:00")
    values, as_of_ns = source.facts(np.array([close, close + 5 * MINUTE_NS, close + 10 * MINUTE_NS]))
    k = column("taker_buy_volume")
    assert as_of_ns[:, 0, k].tolist() == [close, close + 5 * MINUTE_NS, close + 5 * MINUTE_NS]
    volume = values[:, 0, k] + values[:, 0, column("taker_sell_volume")]
    # The bar of the same five minutes says how much was traded in all.
    candles = recorded_volume(data_dir, close)
    np.testing.assert_allclose(volume[:2], candles, rtol=0.02)
    assert 0 < values[0, 0, column("funding_rate_frac")] < 1e-3


def recorded_volume(data_dir: Path, close_ns: int) -> list[float]:
    source = RecordedSource(data=str(data_dir), from_utc="2024-08-08", to_utc="2024-08-10")
    spec = MarketSpec(
        symbols=("BTC/USDT",),
        timeframe=Timeframe.MIN_5,
        source=source,
        spread_bps={"BTC/USDT": Decimal(4)},
    )
    cycle = (close_ns - instant_ns("2024-08-08")) // (5 * MINUTE_NS) - 1
    market = open_market(spec)
    return [float(taken(market, cycle + k).ohlcv[0, 4]) for k in (0, 1)]
