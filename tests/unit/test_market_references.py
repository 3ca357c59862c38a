from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.market_files import write_bars, write_table
from tg_actors.domain.blocks import F64, Window
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketNeeds, MarketSpec, RecordedSource, open_feed, open_market
from tg_actors.market.feeds.references import SESSION_NS, RecordedReferences
from tg_actors.market.timeframes import Timeframe, instant_ns
from tg_actors.market.windows import DAY_NS

HOUR_NS = 3_600 * 10**9
SPY = "USEQUITY-ADJ/SPY-USD"
#: Monday to Friday and the Monday after, without Wednesday; midnight in New York, in winter.
SESSIONS = [f"2024-01-{day:02}T05:00" for day in (8, 9, 11, 12, 15)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    at_ns = np.array([instant_ns(text) for text in SESSIONS], dtype=np.int64)
    write_bars(tmp_path, "USEQUITY-ADJ_SPY-USD_1d", at_ns)
    write_bars(tmp_path, "USEQUITY_SPY-USD_1d", at_ns)
    write_bars(tmp_path, "BINANCE_BTC-USDT_1h", hours("2024-01-05", 12 * 24))
    days = [instant_ns("2024-01-08") + k * DAY_NS for k in range(3)]
    write_table(tmp_path / "macro" / "vix_1d.parquet", days, {"vix": [13.0, float("nan"), 12.5]})
    return tmp_path


def hours(first: str, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return instant_ns(first) + np.arange(count, dtype=np.int64) * HOUR_NS


def closes(window: Window | None, name: str) -> F64:
    assert window is not None
    return window.ohlcv[:, window.names.index(name), 3]


def test_a_session_stands_in_the_slot_of_its_date(folder: Path) -> None:
    window = RecordedReferences(folder, [SPY]).references(("SPY",), instant_ns("2024-01-16"), 9)
    assert window is not None
    assert (window.bar_ns, window.end_ns, window.names) == (DAY_NS, instant_ns("2024-01-16"), ("SPY",))
    assert window.ohlcv.shape == (9, 1, 5)
    # Sunday 7th, sessions 8th and 9th, holiday 10th, 11th and 12th, weekend, 15th.
    there = np.isfinite(closes(window, "SPY"))
    assert there.tolist() == [False, True, True, False, True, True, False, False, True]


def test_before_and_after_the_file_nothing_is_known(folder: Path) -> None:
    source = RecordedReferences(folder, [SPY])
    for end in ("2020-01-01", "2024-01-08", "2030-01-01"):
        assert np.isnan(closes(source.references(("SPY",), instant_ns(end), 5), "SPY")).all()


def test_of_an_index_only_the_close_is_known(folder: Path) -> None:
    window = RecordedReferences(folder, ["macro/vix"]).references(("VIX",), instant_ns("2024-01-11"), 3)
    np.testing.assert_array_equal(closes(window, "VIX"), [13.0, np.nan, 12.5])
    assert window is not None
    assert np.isnan(window.ohlcv[:, 0, [0, 1, 2, 4]]).all()


def test_agents_get_what_they_ask_for_under_either_name_and_no_more(folder: Path) -> None:
    source = RecordedReferences(folder, [SPY, "macro/vix"])
    assert source.references(("QQQ",), instant_ns("2024-01-16"), 5) is None
    for names in (("VIX", SPY, "QQQ"), ("SPY", "VIX")):
        window = source.references(names, instant_ns("2024-01-16"), 5)
        assert window is not None
        assert window.names == ("SPY", "VIX")


def spec(folder: Path, *references: str) -> MarketSpec:
    return MarketSpec(
        symbols=("BTC/USDT",),
        timeframe=Timeframe.HOUR_1,
        source=RecordedSource(data=str(folder), references=references),
        spread_bps={"BTC/USDT": Decimal(4)},
        needs=MarketNeeds(days=3, references=("SPY",)),
    )


@pytest.mark.parametrize("session", SESSIONS)
def test_a_session_is_seen_after_its_close_and_not_before(folder: Path, session: str) -> None:
    market = open_market(spec(folder, SPY))
    start_ns = instant_ns("2024-01-05")
    at_ns = instant_ns(session)
    close = closes(
        RecordedReferences(folder, [SPY]).references((SPY,), at_ns // DAY_NS * DAY_NS + DAY_NS, 1), "SPY"
    )
    seen_ns = []
    for cycle in range(12 * 24):
        snapshot = market.advance(cycle)
        assert snapshot is not None
        assert snapshot.days is not None
        assert snapshot.references is not None
        assert snapshot.references.end_ns == snapshot.days.end_ns
        if close[0] in closes(snapshot.references, "SPY"):
            seen_ns.append(snapshot.at_ns)
    assert seen_ns[0] == at_ns // DAY_NS * DAY_NS + DAY_NS
    assert seen_ns[0] >= at_ns + SESSION_NS
    assert start_ns < seen_ns[0]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (["USEQUITY-ADJ/SPX-USD"], "did you mean USEQUITY-ADJ/SPY-USD"),
        (["SPY"], "did you mean"),
        (["macro/vic"], "did you mean macro/vix"),
        (["nothing at all"], "there are USEQUITY-ADJ/SPY-USD, USEQUITY/SPY-USD, macro/vix"),
        ([SPY, "USEQUITY/SPY-USD"], "are both SPY"),
    ],
)
def test_an_unknown_reference_is_explained_when_the_market_opens(
    folder: Path, names: list[str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        open_feed(spec(folder, *names))


def test_days_that_begin_in_the_afternoon_are_refused(folder: Path) -> None:
    at_ns = np.array([instant_ns("2024-01-08T15:00")], dtype=np.int64)
    write_bars(folder, "TOKYO_NKY-JPY_1d", at_ns)
    source = RecordedReferences(folder, ["TOKYO/NKY-JPY"])
    with pytest.raises(UserError, match="TOKYO/NKY-JPY: its days must be stamped"):
        source.references(("NKY",), instant_ns("2024-01-16"), 5)


def test_references_change_the_name_of_a_run_only_where_there_are_any() -> None:
    plain = RecordedSource(data="x").model_dump(mode="json")
    assert set(plain) == {"kind", "data", "venue", "from_utc", "to_utc"}
    full = RecordedSource(data="x", references=(SPY,), whale_usd_min=Decimal(1000))
    assert RecordedSource.model_validate_json(full.model_dump_json()) == full


@pytest.mark.data
def test_recorded_references_of_the_real_folder(data_dir: Path) -> None:
    names = [SPY, "USEQUITY-ADJ/GLD-USD", "macro/vix", "macro/dxy"]
    window = RecordedReferences(data_dir, names).references(tuple(names), instant_ns("2024-09-01"), 366)
    for name in ("SPY", "GLD", "VIX"):
        assert np.isfinite(closes(window, name)).sum() == 251
    assert np.nanmax(closes(window, "VIX")) == pytest.approx(38.57, abs=0.01)
