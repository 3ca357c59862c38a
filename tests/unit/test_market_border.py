import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.market_feeds import BAR_NS
from tg_actors.market.border import REJECTIONS, Admission, Border, Rejection
from tg_actors.market.feed import RawRows, arrival_cycles

NAN, INF = float("nan"), float("inf")
SOUND = (10.0, 12.0, 9.0, 11.0, 5.0)
QUOTE = (10.9, 11.1)


def raw(*rows: tuple[int, tuple[float, ...], tuple[float, float]]) -> RawRows:
    return RawRows(
        np.array([open_ns for open_ns, _, _ in rows], dtype=np.int64),
        np.array([bar for _, bar, _ in rows]),
        np.array([quote[0] for _, _, quote in rows]),
        np.array([quote[1] for _, _, quote in rows]),
    )


def reasons(admission: Admission) -> list[Rejection]:
    return [REJECTIONS[int(k)] for k in admission.rejected_reason]


@pytest.mark.parametrize(
    ("bar", "quote", "expected"),
    [
        ((NAN, 12.0, 9.0, 11.0, 5.0), QUOTE, Rejection.NOT_FINITE),
        ((10.0, INF, 9.0, 11.0, 5.0), QUOTE, Rejection.NOT_FINITE),
        ((10.0, 12.0, -INF, 11.0, 5.0), QUOTE, Rejection.NOT_FINITE),
        ((10.0, 12.0, 9.0, 11.0, NAN), QUOTE, Rejection.NOT_FINITE),
        (SOUND, (NAN, 11.1), Rejection.NOT_FINITE),
        (SOUND, (10.9, INF), Rejection.NOT_FINITE),
        ((10.0, 12.0, 0.0, 11.0, 5.0), QUOTE, Rejection.NOT_POSITIVE),
        ((-10.0, 12.0, -10.0, 11.0, 5.0), QUOTE, Rejection.NOT_POSITIVE),
        ((10.0, 12.0, 9.0, 11.0, -0.1), QUOTE, Rejection.NOT_POSITIVE),
        (SOUND, (0.0, 11.1), Rejection.NOT_POSITIVE),
        ((10.0, 10.9, 9.0, 11.0, 5.0), QUOTE, Rejection.INCOHERENT),
        ((10.0, 12.0, 10.1, 11.0, 5.0), QUOTE, Rejection.INCOHERENT),
        ((10.0, 8.0, 9.0, 11.0, 5.0), QUOTE, Rejection.INCOHERENT),
        (SOUND, (11.1, 11.1), Rejection.CROSSED_BOOK),
        (SOUND, (11.2, 11.1), Rejection.CROSSED_BOOK),
        # The first reason counts: NaN before a crossed book, a bad price before a bad shape.
        ((NAN, 12.0, 9.0, 11.0, 5.0), (11.2, 11.1), Rejection.NOT_FINITE),
        ((10.0, 8.0, -9.0, 11.0, 5.0), QUOTE, Rejection.NOT_POSITIVE),
    ],
)
def test_a_bad_row_is_refused_for_its_first_reason(
    bar: tuple[float, ...], quote: tuple[float, float], expected: Rejection
) -> None:
    admission = Border(1, 0, BAR_NS).admit(0, raw((0, bar, quote)), 0, 1)
    assert reasons(admission) == [expected]
    assert len(admission.accepted) == 0


def test_a_bar_without_volume_or_movement_is_sound() -> None:
    still = (11.0, 11.0, 11.0, 11.0, 0.0)
    assert len(Border(1, 0, BAR_NS).admit(0, raw((0, still, QUOTE)), 0, 1).accepted) == 1


@pytest.mark.parametrize(
    ("opens", "expected"),
    [
        ([0, 1, 1, 2], [Rejection.DUPLICATE]),
        ([0, 2, 1, 3], [Rejection.OUT_OF_ORDER]),
        ([0, 1, 2, 1, 2, 3], [Rejection.OUT_OF_ORDER, Rejection.DUPLICATE]),
        ([0, 1.5, 2], [Rejection.MISALIGNED]),
        ([0, 9, 1], [Rejection.NOT_CLOSED]),
        ([0, 3, 4], []),
    ],
)
def test_time_goes_forward_on_the_grid(opens: list[float], expected: list[Rejection]) -> None:
    rows = raw(*((int(k * BAR_NS), SOUND, QUOTE) for k in opens))
    admission = Border(1, 0, BAR_NS).admit(0, rows, 0, 5)
    assert reasons(admission) == expected
    assert (np.diff(admission.accepted.open_ns) > 0).all()


def test_the_newest_bar_is_remembered_per_instrument_until_forgotten() -> None:
    border = Border(2, 0, BAR_NS)
    row = raw((0, SOUND, QUOTE))
    assert reasons(border.admit(0, row, 0, 1)) == []
    assert reasons(border.admit(0, row, 0, 1)) == [Rejection.DUPLICATE]
    assert reasons(border.admit(1, row, 0, 1)) == []
    border.forget(0)
    assert reasons(border.admit(0, row, 0, 1)) == []


def test_a_refused_row_does_not_move_time() -> None:
    rows = raw((2 * BAR_NS, (NAN, *SOUND[1:]), QUOTE), (BAR_NS, SOUND, QUOTE), (2 * BAR_NS, SOUND, QUOTE))
    admission = Border(1, 0, BAR_NS).admit(0, rows, 0, 3)
    assert reasons(admission) == [Rejection.NOT_FINITE]
    assert admission.accepted.open_ns.tolist() == [BAR_NS, 2 * BAR_NS]


def _json_lines(path: Path) -> RawRows:
    table = np.array([json.loads(line) for line in path.read_text().splitlines()])
    return _quoted(table[:, 0].astype(np.int64) * 10**6, table[:, 1:])


def _quoted(open_ns: np.ndarray, ohlcv: np.ndarray) -> RawRows:
    return RawRows(open_ns, ohlcv, ohlcv[:, 3] * 0.9999, ohlcv[:, 3] * 1.0001)


def _admit(rows: RawRows, bar_ns: int) -> Admission:
    start_ns = int(rows.open_ns[0])
    end = int(arrival_cycles(rows.open_ns, start_ns, bar_ns)[-1]) + 1
    return Border(1, start_ns, bar_ns).admit(0, rows, 0, end)


@pytest.mark.data
def test_binance_bars_that_open_off_the_hour_after_an_outage(data_dir: Path) -> None:
    rows = _json_lines(data_dir / "dirty" / "binance_eth-usdt_1h_2018-02.jsonl")
    admission = _admit(rows, BAR_NS)
    off_grid = int((rows.open_ns % BAR_NS != 0).sum())
    assert off_grid > 0
    assert reasons(admission) == [Rejection.MISALIGNED] * off_grid
    assert int(np.diff(admission.accepted.open_ns).max()) > 30 * BAR_NS


@pytest.mark.data
def test_binance_minutes_that_repeat_around_maintenance(data_dir: Path) -> None:
    rows = _json_lines(data_dir / "dirty" / "binance_xrp-btc_1m_2019-11-13_25.jsonl")
    admission = _admit(rows, 60 * 10**9)
    repeats = len(rows) - len(np.unique(rows.open_ns))
    assert repeats > 0
    assert len(admission.rejected_reason) == repeats
    assert {Rejection.DUPLICATE, Rejection.OUT_OF_ORDER} >= dict.fromkeys(reasons(admission)).keys()
    assert len(np.unique(admission.accepted.open_ns)) == len(rows) - repeats


@pytest.mark.data
def test_local_times_with_daylight_saving_stay_in_order_once_they_are_utc(data_dir: Path) -> None:
    lines = (data_dir / "dirty" / "binanceusdm_btc-usdt_1h_dst.csv").read_text().splitlines()[1:]
    cells = [line.split(",") for line in lines]
    opens = np.array(
        [int(datetime.fromisoformat(row[0]).timestamp()) * 10**9 for row in cells], dtype=np.int64
    )
    rows = _quoted(opens, np.array([[float(cell) for cell in row[1:6]] for row in cells]))
    admission = _admit(rows, BAR_NS)
    assert len(admission.accepted) + len(admission.rejected_reason) == len(rows)
    assert reasons(admission) == []
