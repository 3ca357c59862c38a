"""Our answers have the shape and the types of Kraken's own, recorded ones."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.exchange_server import RunningExchange, running_exchange

pytestmark = pytest.mark.data
KRAKEN = Path(__file__).parents[3] / "shared" / "data" / "api" / "kraken"


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    if not KRAKEN.is_dir():
        pytest.skip(f"no recorded answers in {KRAKEN}")
    with running_exchange(tmp_path_factory.mktemp("recorded") / "state", config={"limits": {}}) as running:
        yield running


def recorded(name: str) -> Any:
    return json.loads((KRAKEN / f"{name}.json").read_text())["result"]


def ask(exchange: RunningExchange, method: str) -> Any:
    with urllib.request.urlopen(f"{exchange.dialect_url('kraken')}/0/public/{method}", timeout=20) as answer:
        content = json.loads(answer.read())
    assert content["error"] == []
    return content["result"]


def shape(value: Any) -> Any:
    """Types only; of a list its distinct shapes, of a table by pairs or ids one row."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def row_of(result: dict[str, Any]) -> Any:
    return next(value for name, value in result.items() if name != "last")


#: What we ask, and where Kraken's answer lies.
TABLES = {
    "Ticker?pair=XBTUSDT": "nautilus/http_ticker",
    "Assets": "xchange/marketdata__example-assets-data",
}
ROWS = {
    "OHLC?pair=XBTUSDT": "nautilus/http_ohlc",
    "Trades?pair=XBTUSDT": "nautilus/http_trades",
    "Spread?pair=XBTUSDT": "xchange/marketdata__example-spreads-data",
}


@pytest.mark.parametrize("method", TABLES)
def test_a_row_of_a_table_has_krakens_fields(exchange: RunningExchange, method: str) -> None:
    ours, theirs = shape(row_of(ask(exchange, method))), shape(row_of(recorded(TABLES[method])))
    assert {name: ours[name] for name in theirs} == theirs


@pytest.mark.parametrize("method", ROWS)
def test_a_row_of_a_list_has_krakens_columns(exchange: RunningExchange, method: str) -> None:
    ours, theirs = ask(exchange, method), recorded(ROWS[method])
    assert shape(row_of(ours)[-1]) == shape(row_of(theirs)[-1])
    assert type(ours["last"]) is type(theirs.get("last", ours["last"]))


def test_pairs_depth_time_and_status(exchange: RunningExchange) -> None:
    ours = ask(exchange, "AssetPairs")["XBTUSDT"]
    theirs = recorded("nautilus/http_asset_pairs")["XBTUSDT"]
    without = {"long_position_limit", "short_position_limit", "execution_venue"}
    assert set(theirs) - without <= set(ours)
    assert (ours["base"], ours["quote"], ours["wsname"]) == (
        theirs["base"],
        theirs["quote"],
        theirs["wsname"],
    )
    assert {name: type(ours[name]) for name in ours if name in theirs} == {
        name: type(theirs[name]) for name in ours if name in theirs
    }
    book, real = ask(exchange, "Depth?pair=XBTUSDT&count=3")["XBTUSDT"], recorded("nautilus/http_order_book")
    for side in ("asks", "bids"):
        assert shape(book[side][0]) == shape(real["XBTUSDT"][side][0])
        assert len(book[side]) == 3
    assert shape(ask(exchange, "Time")) == shape(recorded("nautilus/http_server_time"))
    assert shape(ask(exchange, "SystemStatus")) == shape(recorded("nautilus/http_system_status"))


def test_private_answers(exchange: RunningExchange) -> None:
    client = ccxt.kraken(exchange.ccxt_config("kraken", "margin"))
    balance = client.privatePostTradeBalance()["result"]
    assert set(balance) == set(recorded("nautilus/http_spot_trade_balance")) - {"ml"}
    added = client.privatePostAddOrder(
        {
            "pair": "XBTUSDT",
            "type": "buy",
            "ordertype": "market",
            "volume": "0.01",
            "leverage": "2",
        }
    )["result"]
    assert added["descr"]["order"] == "buy 0.01000000 XBTUSDT @ market with 2:1 leverage"
    assert shape(added["txid"]) == shape(recorded("nautilus/http_add_order_spot")["txid"])
    (position,) = client.privatePostOpenPositions()["result"].values()
    real = row_of(recorded("nautilus/http_spot_open_positions"))
    assert set(real) - set(position) == {"ordertxid", "rollovertm"}
    texts = client.privatePostBalance()["result"]
    assert {type(amount) for amount in texts.values()} == {str}
    client.privatePostCancelAll()
