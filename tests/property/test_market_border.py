import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.market_feeds import BAR_NS
from tg_actors.market.border import REJECTIONS, Border, Rejection
from tg_actors.market.feed import RawRows, arrival_cycles

numbers = st.sampled_from([1.0, 2.0, 3.0, 0.0, -1.0, float("nan"), float("inf")])
sound = st.just((2.0, 3.0, 1.0, 2.0, 1.0, 1.9, 2.1))
bars = st.one_of(sound, sound, sound, st.tuples(*[numbers] * 7))
opens = st.integers(0, 30).map(lambda k: k * BAR_NS) | st.integers(0, 30 * BAR_NS)
streams = st.lists(st.tuples(opens, bars), max_size=40)


def to_rows(stream: list[tuple[int, tuple[float, ...]]]) -> RawRows:
    table = np.array([bar for _, bar in stream]).reshape(-1, 7)
    opens_ns = np.array([open_ns for open_ns, _ in stream], dtype=np.int64)
    return RawRows(opens_ns, table[:, :5], table[:, 5], table[:, 6])


def flaws(open_ns: int, bar: tuple[float, ...], newest: int) -> list[Rejection]:
    """The rules of the border, written a second time, for one row after a newest accepted bar."""
    o, h, lo, c, v, bid, ask = bar
    rules = {
        Rejection.NOT_FINITE: not all(np.isfinite(x) for x in bar),
        Rejection.NOT_POSITIVE: min(o, h, lo, c, bid, ask) <= 0 or v < 0,
        Rejection.INCOHERENT: h != max(o, h, lo, c) or lo != min(o, h, lo, c),
        Rejection.CROSSED_BOOK: bid >= ask,
        Rejection.MISALIGNED: open_ns % BAR_NS != 0,
        Rejection.DUPLICATE: open_ns == newest,
        Rejection.OUT_OF_ORDER: open_ns < newest,
    }
    return [reason for reason, broken in rules.items() if broken]


def oracle(stream: list[tuple[int, tuple[float, ...]]]) -> list[Rejection | None]:
    """The first flaw of every row, one after the other."""
    verdicts: list[Rejection | None] = []
    newest = -1
    for open_ns, bar in stream:
        found = flaws(open_ns, bar, newest)
        verdicts.append(found[0] if found else None)
        newest = newest if found else open_ns
    return verdicts


@given(stream=streams)
def test_border_follows_its_rules_and_loses_no_row(stream: list[tuple[int, tuple[float, ...]]]) -> None:
    admission = Border(1, 0, BAR_NS).admit(0, to_rows(stream), 0, 31)
    verdicts = oracle(stream)
    kept = [open_ns for (open_ns, _), verdict in zip(stream, verdicts, strict=True) if verdict is None]
    assert admission.accepted.open_ns.tolist() == kept
    assert [REJECTIONS[int(k)] for k in admission.rejected_reason] == [v for v in verdicts if v is not None]


@given(stream=streams.filter(bool), edges=st.sets(st.integers(1, 30)))
def test_border_answers_the_same_however_a_stream_is_cut(
    stream: list[tuple[int, tuple[float, ...]]], edges: set[int]
) -> None:
    rows = to_rows(stream)
    arrivals = arrival_cycles(rows.open_ns, 0, BAR_NS)
    whole = Border(1, 0, BAR_NS).admit(0, rows, 0, 31)
    border, cuts = Border(1, 0, BAR_NS), [0, *sorted(edges), 31]
    parts = [
        border.admit(0, rows.pick((arrivals >= first) & (arrivals < end)), first, end)
        for first, end in itertools.pairwise(cuts)
    ]
    assert np.concatenate([p.accepted.open_ns for p in parts]).tolist() == whole.accepted.open_ns.tolist()
    assert np.concatenate([p.accepted_cycle for p in parts]).tolist() == whole.accepted_cycle.tolist()
    assert np.concatenate([p.rejected_cycle for p in parts]).tolist() == whole.rejected_cycle.tolist()
    assert np.concatenate([p.rejected_reason for p in parts]).tolist() == whole.rejected_reason.tolist()
