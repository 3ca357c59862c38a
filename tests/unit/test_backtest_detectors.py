"""The detectors catch what is planted and pass what is honest."""

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import pytest

from tests.generated_words import DOCS
from tg_actors.backtest.baselines.library import FAMILIES
from tg_actors.backtest.detectors import Answers, Finding, Subject, cuts_of, look_ahead, recursion
from tg_actors.backtest.detectors_functions import FunctionSubject
from tg_actors.backtest.detectors_subjects import AgentSubject, BaselineSubject, MarketSubject, RegimeSubject
from tg_actors.backtest.detectors_table import look_ahead_row, markdown, recursion_row
from tg_actors.backtest.tape import Change, Tape, TapedFeed, record
from tg_actors.desk.config import load_agent
from tg_actors.desk.files import configs_folder
from tg_actors.domain.errors import UserError
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.regimes import RegimeConfig

SYMBOLS = ("BTC/USDT", "ETH/USDT")
AGENTS = tuple(sorted(file.stem for file in (configs_folder() / "agents").glob("*.yaml")))
Function = Callable[[pd.DataFrame], object]


def a_feed(symbols: tuple[str, ...] = SYMBOLS) -> SimulatedFeed:
    return SimulatedFeed(3, symbols, Timeframe("1h"), dict.fromkeys(symbols, 5.0))


@pytest.fixture(scope="module")
def tape() -> Tape:
    return record(a_feed(), 300, MarketNeeds())


def mean_of_close(bars: pd.DataFrame) -> object:
    return np.sign(bars.close - bars.close.rolling(20).mean())


def daily_high(bars: pd.DataFrame) -> object:
    """Yesterday's high, known when the day is over: label and close right, then carried on."""
    days = bars.high.resample("D").max().shift(1)
    return bars.close / days.reindex(bars.index, method="ffill")


def many_columns(bars: pd.DataFrame) -> object:
    """As freqtrade has it: the frame comes back with columns more."""
    bars["ema"] = bars.close.ewm(span=12, adjust=False).mean()
    bars["enter_long"] = bars.close > bars.ema
    return bars


def fitted_on_the_past(bars: pd.DataFrame) -> object:
    past = bars.close.expanding(30)
    return (bars.close - past.mean()) / past.std()


HONEST: list[Function] = [mean_of_close, daily_high, many_columns, fitted_on_the_past]


def shifted(bars: pd.DataFrame) -> object:
    return np.sign(bars.close.shift(-1) - bars.close)


def shifted_far(bars: pd.DataFrame) -> object:
    return bars.close.pct_change(-12)


def centred_window(bars: pd.DataFrame) -> object:
    return bars.close - bars.close.rolling(5, center=True).mean()


def normalised_by_all(bars: pd.DataFrame) -> object:
    return (bars.close - bars.close.mean()) / bars.close.std()


def scaled_by_all(bars: pd.DataFrame) -> object:
    return (bars.close - bars.low.min()) / (bars.high.max() - bars.low.min())


def future_extremes(bars: pd.DataFrame) -> object:
    reached = bars.high[::-1].rolling(24).max()[::-1]
    return reached / bars.close - 1


def resampled_without_shift(bars: pd.DataFrame) -> object:
    days = bars.close.resample("D").last()
    return bars.close / days.reindex(bars.index, method="ffill")


def backfilled(bars: pd.DataFrame) -> object:
    sparse = bars.close.where(np.arange(len(bars)) % 7 == 0)
    return bars.close / sparse.bfill()


def fitted_on_all(bars: pd.DataFrame) -> object:
    """A regression of the next return on two features, fitted on the whole sample: the label leaks."""
    features = np.column_stack([bars.close.pct_change(3), bars.volume.pct_change(5)])
    label = bars.close.pct_change().shift(-1).to_numpy()
    known = np.isfinite(features).all(axis=1) & np.isfinite(label)
    weights, *_ = np.linalg.lstsq(features[known], label[known], rcond=None)
    return features @ weights


def smoothed_both_ways(bars: pd.DataFrame) -> object:
    forth = bars.close.ewm(span=8, adjust=False).mean()
    return bars.close - forth[::-1].ewm(span=8, adjust=False).mean()[::-1]


PLANTED: list[tuple[Function, int]] = [
    (shifted, 1),
    (shifted_far, 12),
    (centred_window, 2),
    (normalised_by_all, 100),
    (scaled_by_all, 100),
    (future_extremes, 23),
    (resampled_without_shift, 2),
    (backfilled, 2),
    (fitted_on_all, 100),
    (smoothed_both_ways, 10),
]


@pytest.mark.parametrize("function", HONEST, ids=lambda function: function.__name__)
def test_honest_functions_are_clean(tape: Tape, function: Function) -> None:
    found = look_ahead(FunctionSubject(function.__name__, function), tape, seed=1)
    assert found.finding is Finding.CLEAN
    assert found.compared > 1_000


@pytest.mark.parametrize(("function", "ahead"), PLANTED, ids=lambda case: getattr(case, "__name__", None))
def test_planted_biases_are_caught(tape: Tape, function: Function, ahead: int) -> None:
    found = look_ahead(FunctionSubject(function.__name__, function), tape, seed=1)
    assert found.finding is Finding.LEAKS
    assert max(leak.bars_ahead for leak in found.leaks) >= ahead
    assert found.leaks[0].columns[0] == "BTC/USDT signal"


def test_a_leak_is_told_with_its_reach_and_the_way_it_was_seen(tape: Tape) -> None:
    found = look_ahead(FunctionSubject("shifted_far", shifted_far), tape, seed=1)
    assert {leak.bars_ahead for leak in found.leaks} == {12}
    assert {leak.change for leak in found.leaks} == set(Change)
    assert look_ahead_row(found)["bars_ahead"] == 12


class Clairvoyant:
    """An agent that is asked bar by bar like any other, and has been handed what comes."""

    name = "clairvoyant"

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        builder, known = SnapshotBuilder(TapedFeed(tape)), tape.ohlcv()[:, :, 3]
        said = []
        for cycle in range(first, end):
            snapshot = builder.advance(cycle)
            assert snapshot is not None
            later = known[min(cycle + 3, len(known) - 1)]
            said.append(np.sign(later - snapshot.ohlcv[:, 3]))
        return Answers(("BTC/USDT direction", "ETH/USDT direction"), np.array(said), spoken=2)


class Silent:
    name = "silent"

    def answers(self, _: Tape, first: int, end: int) -> Answers:
        return Answers(("direction",), np.full((end - first, 1), np.nan), spoken=1)


def test_an_agent_that_knows_three_bars_is_caught_and_one_that_says_nothing_proves_nothing(
    tape: Tape,
) -> None:
    found = look_ahead(Clairvoyant(), tape, seed=1)
    assert found.finding is Finding.LEAKS
    assert {leak.bars_ahead for leak in found.leaks} <= {1, 2, 3}
    assert look_ahead(Silent(), tape, seed=1).finding is Finding.SILENT
    assert recursion(Silent(), tape, 1, (50,)).finding is Finding.SILENT


def own_subjects() -> Iterator[tuple[Subject, MarketNeeds]]:
    yield MarketSubject(), MarketNeeds(window_bars=64)
    yield RegimeSubject(), RegimeConfig().needs()
    for family in FAMILIES.values():
        yield BaselineSubject(family), MarketNeeds()
    for name in AGENTS:
        spec = load_agent(name)
        yield AgentSubject(spec), spec.needs()


@pytest.mark.parametrize(
    ("subject", "needs"), list(own_subjects()), ids=lambda case: getattr(case, "name", "")
)
def test_all_of_our_own_are_clean(subject: Subject, needs: MarketNeeds) -> None:
    market = record(a_feed((*SYMBOLS, "XRP/USDT")), 120, needs)
    found = look_ahead(subject, market, seed=2)
    assert found.leaks == ()


@pytest.mark.parametrize("name", AGENTS)
def test_the_document_shows_every_agent_clean(name: str) -> None:
    rows = [
        line for line in (DOCS / "detectors.md").read_text().splitlines() if line.startswith(f"| {name} |")
    ]
    assert len(rows) == 2, "one row for each detector: tg backtest lookahead|recursive all --markdown"
    assert rows[0].split("|")[2].strip() == "clean"


def test_cuts_lie_inside_days(tape: Tape) -> None:
    assert all(tape.close_ns(cut) % (24 * tape.bar_ns) for cut in cuts_of(tape))


def test_a_changed_market_is_the_same_one_up_to_the_cut(tape: Tape) -> None:
    before = tape.ohlcv()
    for change in Change:
        after = tape.changed(150, change, seed=1).ohlcv()
        assert np.array_equal(after[:151], before[:151])
        assert len(after) == (151 if change is Change.TRUNCATED else 300)
        assert not np.array_equal(after[151:], before[151:])
    shuffled = tape.changed(150, Change.SHUFFLED, seed=1).ohlcv()[151:, 0, 3]
    assert sorted(shuffled) == sorted(before[151:, 0, 3])


def test_a_taped_market_gives_the_snapshots_of_its_source(tape: Tape) -> None:
    ours, theirs = SnapshotBuilder(TapedFeed(tape)), SnapshotBuilder(a_feed())
    for cycle in (0, 1, 257, 299):
        mine, other = ours.advance(cycle), theirs.advance(cycle)
        assert mine is not None
        assert other is not None
        assert mine.digest() == other.digest()


def test_the_start_that_a_function_needs_is_found(tape: Tape) -> None:
    exact = recursion(FunctionSubject("sma", mean_of_close), tape, 2, (19, 20, 50, 100))
    assert exact.bars_needed == 20
    assert [(one.defined, one.undefined) for one in exact.warm_ups] == [(2, 2), (4, 0), (4, 0), (4, 0)]

    forgetting = recursion(FunctionSubject("ema", many_columns), tape, 2, (10, 50, 100, 200))
    differences = [one.difference or 0.0 for one in forgetting.warm_ups]
    assert differences == sorted(differences, reverse=True)
    assert forgetting.bars_needed == 200

    endless = recursion(FunctionSubject("sum", lambda bars: bars.volume.cumsum()), tape, 1, (50, 200))
    assert endless.bars_needed is None
    assert recursion_row(endless)["bars_needed"] == "more"


def test_indicators_are_exact_once_they_speak() -> None:
    market = record(a_feed(), 700, MarketNeeds(window_bars=64))
    found = recursion(MarketSubject(), market, 24, (200, 300, 556, 600))
    assert [one.undefined > 0 for one in found.warm_ups] == [True, False, False, False]
    assert found.warm_ups[1].difference  # 300 bars are enough to speak, not to be exact
    assert found.bars_needed == 556


@pytest.mark.parametrize(
    "answer",
    [lambda bars: bars.close.iloc[:-1], lambda _: 3.0, lambda bars: bars, lambda bars: ["a"] * len(bars)],
)
def test_a_function_must_answer_with_one_number_per_bar(tape: Tape, answer: Function) -> None:
    with pytest.raises(UserError, match="must answer with one number for each of its 300 bars"):
        look_ahead(FunctionSubject("mine", answer), tape, seed=1)


def test_tables_are_markdown(tape: Tape) -> None:
    found = look_ahead(FunctionSubject("mean", mean_of_close), tape, seed=1)
    lines = markdown([look_ahead_row(found)]).splitlines()
    assert lines[0].startswith("| subject | finding | bars | compared |")
    assert lines[2].startswith("| mean | clean | 300 |")
