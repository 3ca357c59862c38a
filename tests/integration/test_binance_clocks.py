"""Both dialects over a kill and a restart, and on a market that moves only when the operator says so."""

import itertools
from pathlib import Path

import ccxt
import pytest
from alpaca.common.exceptions import APIError

from tests.dialect_words import ACCOUNTS, CLOCK, LIMITS, alpaca_config, binance_config, trading_client
from tests.exchange_server import running_exchange

COIN, DOLLAR = "BTC/USDT", "BTC/USD"


def test_nothing_that_was_answered_is_lost_in_a_kill(tmp_path: Path) -> None:
    config = {"clock": CLOCK, "accounts": ACCOUNTS, "limits": LIMITS}
    with running_exchange(tmp_path / "state", config=config) as exchange:
        binance = ccxt.binance(binance_config(exchange))
        alpaca = ccxt.alpaca(alpaca_config(exchange))
        filled = binance.create_order(COIN, "market", "buy", 0.01, params={"clientOrderId": "once"})
        resting = binance.create_order(COIN, "limit", "buy", 0.01, 1000.0, {"clientOrderId": "twice"})
        bought = alpaca.create_order(DOLLAR, "market", "buy", 0.5, params={"clientOrderId": "for-ever"})
        moved = alpaca.create_order(DOLLAR, "limit", "buy", 0.01, 1000.0)
        edited = alpaca.edit_order(moved["id"], DOLLAR, "limit", "buy", 0.01, 900.0)
        before = trading_client(exchange).get_open_position("BTCUSD").avg_entry_price
        balance = binance.fetch_balance()["USDT"]
        exchange.kill()
        exchange.restart()
        assert binance.fetch_balance()["USDT"] == balance
        assert binance.fetch_order(None, COIN, {"clientOrderId": "once"})["id"] == filled["id"]
        assert binance.fetch_open_orders(COIN)[0]["id"] == resting["id"]
        assert binance.fetch_my_trades(COIN)[0]["order"] == filled["id"]
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            binance.create_order(COIN, "limit", "buy", 0.01, 1000.0, {"clientOrderId": "twice"})
        # The order of that id has ended, so that the id may come back: Binance's own trap.
        again = binance.create_order(COIN, "market", "buy", 0.01, params={"clientOrderId": "once"})
        assert again["id"] != filled["id"]
        with pytest.raises(ccxt.BadRequest, match="must be unique"):
            alpaca.create_order(DOLLAR, "market", "buy", 0.5, params={"clientOrderId": "for-ever"})
        assert alpaca.fetch_order(bought["id"])["filled"] == 0.5
        old = alpaca.fetch_order(moved["id"])["info"]
        assert (old["status"], old["replaced_by"]) == ("replaced", edited["id"])
        assert trading_client(exchange).get_open_position("BTCUSD").avg_entry_price == before


def test_a_stepped_market_trades_with_the_next_bar(tmp_path: Path) -> None:
    config = {"clock": {"kind": "stepped"}, "accounts": ACCOUNTS, "limits": LIMITS}
    with running_exchange(tmp_path / "state", clock="stepped", config=config) as exchange:
        exchange.advance(0)
        binance = ccxt.binance(binance_config(exchange))
        client = trading_client(exchange)
        order = binance.create_order(COIN, "market", "buy", 0.01)
        spent = binance.create_market_buy_order_with_cost(COIN, 500)
        alpaca = ccxt.alpaca(alpaca_config(exchange))
        bought = alpaca.create_order(DOLLAR, "market", "buy", 0.01)
        assert [order["status"], spent["status"], bought["status"]] == ["open"] * 3
        exchange.advance(1)
        assert binance.fetch_order(order["id"], COIN)["status"] == "closed"
        assert binance.fetch_order(spent["id"], COIN)["status"] == "closed"
        assert client.get_order_by_id(bought["id"]).status.value == "filled"
        with pytest.raises(APIError):
            client.get_order_by_client_id("nobody")
        candles = binance.fetch_ohlcv(COIN, "1m", limit=2)
        exchange.advance(2)
        later = binance.fetch_ohlcv(COIN, "1m", limit=3)
        assert later[:2] == candles
        assert [b[0] - a[0] for a, b in itertools.pairwise(later)] == [60_000, 60_000]
