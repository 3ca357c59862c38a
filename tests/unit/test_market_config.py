import pickle
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.market_feeds import BAR_NS
from tests.market_files import write_bars
from tests.unit.test_market_filters import practice
from tests.unit.test_market_recorded import hours
from tg_actors.domain.errors import UserError
from tg_actors.market.config import (
    MarketConfig,
    MarketSpec,
    RecordedSource,
    market_spec,
    open_feed,
    open_market,
)
from tg_actors.market.feeds.recorded import RecordedFeed
from tg_actors.market.feeds.simulated import SimulatedFeed

SIMULATED = '{"timeframe": "1h", "source": {"kind": "simulated", "seed": 7}}'


def simulated(*symbols: str) -> MarketSpec:
    return market_spec(MarketConfig.model_validate_json(SIMULATED), symbols, practice())


def test_a_simulated_market_opens_the_same_here_and_in_another_process() -> None:
    spec = simulated("BTC/USDT", "XRP/BTC")
    here, there = open_market(spec), open_market(pickle.loads(pickle.dumps(spec)))  # noqa: S301 - our own bytes
    assert isinstance(open_feed(spec), SimulatedFeed)
    first, second = here.advance(3), there.advance(3)
    assert first is not None
    assert second is not None
    assert first.digest() == second.digest()


def test_a_recorded_market_opens_between_its_dates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bars(tmp_path, "KRAKEN_BTC-USDT_1h", hours(0, 1000))
    monkeypatch.chdir(tmp_path.parent)
    source = RecordedSource(
        data=tmp_path.name, venue="KRAKEN", from_utc="2024-01-02", to_utc="2024-01-03T12:00"
    )
    spec = market_spec(MarketConfig(source=source), ("BTC/USDT",), practice())
    monkeypatch.chdir("/")
    feed = open_feed(spec)
    assert isinstance(feed, RecordedFeed)
    assert (feed.start_ns, feed.cycles) == (int(hours(24, 25)[0]), 36)
    assert feed.bar_ns == BAR_NS
    rows = feed.rows(0, 0, 1)
    assert (rows.ask - rows.bid)[0] / rows.ohlcv[0, 3] == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("symbols", "sentence"),
    [
        ((), "none is given"),
        (("BTC/USDT", "BTC/USDT"), "BTC/USDT stands twice"),
        (("BTC/JPY",), "no instruments in JPY"),
    ],
)
def test_instruments_that_cannot_be_traded_are_explained(symbols: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        simulated(*symbols)


@pytest.mark.parametrize(
    "text",
    [
        '{"source": {"kind": "simulated"}}',
        '{"source": {"kind": "simulated", "seed": -1}}',
        '{"source": {"kind": "simulated", "seed": 7, "data": "x"}}',
        '{"source": {"kind": "imagined", "seed": 7}}',
        '{"timeframe": "2h", "source": {"kind": "simulated", "seed": 7}}',
    ],
)
def test_a_market_that_is_not_one_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MarketConfig.model_validate_json(text)
