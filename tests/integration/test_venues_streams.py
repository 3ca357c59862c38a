"""Private streams as an ear, the live feed, and keys that show nowhere, against an exchange that runs."""

import logging
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

from tests.exchange_server import RunningExchange, running_exchange
from tests.raw_venue import reply
from tests.venue_words import (
    INSTRUMENT,
    SENTINEL_KEY,
    SENTINEL_SECRET,
    SYMBOL,
    VENUES,
    error_body,
    intent,
    permit,
    remote,
)
from tg_actors.domain.errors import VenueError
from tg_actors.domain.keys import Key
from tg_actors.execution.venues.connection import CcxtConnection
from tg_actors.execution.venues.opening import RemoteAccount, open_remote
from tg_actors.execution.venues.remote import RemoteVenue
from tg_actors.market.feeds.venue import open_venue_feed
from tg_actors.market.timeframes import Timeframe

D = Decimal
#: Frames come within milliseconds; a busy machine gets all the time it wants.
_PATIENCE_S = 30.0


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    config = {
        "instruments": [SYMBOL],
        "accounts": {
            name: {"kind": "spot", "balances": {"USDT": "100000", "BTC": "1"}}
            for name in ("kraken", "binance")
        },
        "clock": {"kind": "paced", "speed": 1.0, "tick_ms": 50, "levels": 10},
    }
    folder = tmp_path_factory.mktemp("streams")
    with running_exchange(folder / "state", config=config) as running:
        yield running


def until(is_so: Callable[[], bool]) -> bool:
    """Wait for something that another thread brings about."""
    end_s = time.monotonic() + _PATIENCE_S
    while not is_so() and time.monotonic() < end_s:
        time.sleep(0.01)
    return is_so()


@pytest.fixture(params=["kraken", "binance"])
def listening(request: pytest.FixtureRequest, exchange: RunningExchange) -> Iterator[RemoteVenue]:
    key = exchange.key(request.param)
    connection = CcxtConnection(
        exchange=request.param, key="trade", url=exchange.dialect_url(request.param), streams=True
    )
    account = RemoteAccount("streams", (INSTRUMENT,), 1)
    venue = open_remote(connection, account, lambda name: Key(name, key.api_key, key.secret))
    try:
        yield venue
    finally:
        venue.close()


def test_a_fill_is_heard_and_then_read_from_the_books(listening: RemoteVenue) -> None:
    ear = listening._ear
    assert ear is not None
    assert until(lambda: not ear.deaf()), ear.deaf()
    listening._read_since_ns = 0
    # Whatever the subscription itself said is old news.
    until(ear.heard)
    listening.poll()
    while ear.heard():
        listening.poll()
    client_order_id = str(uuid.uuid4())

    listening.post(permit(client_order_id), intent(quantity=D("0.01")))

    told: list[str] = []

    def came() -> bool:
        told.extend(fill.client_order_id for fill in listening.poll().fills)
        return client_order_id in told

    assert until(came)
    assert told.count(client_order_id) == 1


def test_the_live_feed_reads_a_venue_through_ccxt(exchange: RunningExchange) -> None:
    start_ns = 1_704_067_200 * 10**9
    feed = open_venue_feed(
        "kraken", exchange.dialect_url("kraken"), (SYMBOL,), Timeframe.MIN_1, start_ns, {SYMBOL: 2.0}
    )
    rows = feed.history(0, 0, 30)
    opens = rows.open_ns.tolist()
    assert opens == [start_ns - k * feed.bar_ns for k in range(len(opens), 0, -1)]
    assert len(feed.rows(0, 0, 1)) <= 1


@pytest.mark.parametrize("venue", VENUES)
def test_no_error_log_or_traceback_shows_the_key(venue: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    word = {"kraken": "EOrder:New", "binance": "-9999 new", "alpaca": "49999999 new"}[venue]
    printed = []
    with remote(venue) as (adapter, server):
        for answer in (reply(401, error_body(venue, word)), reply(200, "<html>"), reply(502)):
            server.script = answer
            for call in (lambda: adapter.post(permit(), intent()), adapter.balances, adapter.open_orders):
                with pytest.raises(VenueError) as caught:
                    call()
                printed += [repr(caught.value), *traceback.format_exception(caught.value)]
        printed += [repr(adapter), repr(vars(adapter)), repr(vars(adapter._dialect))]
    text = "\n".join([*printed, caplog.text])
    assert SENTINEL_SECRET not in text
    assert SENTINEL_KEY not in text
