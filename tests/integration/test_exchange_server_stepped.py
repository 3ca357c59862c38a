"""The stepped clock: bars on demand, and the very fills of the exchange inside a backtest."""

import uuid
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.exchange_server import RunningExchange, running_exchange
from tg_actors.desk.config import VenueConfig
from tg_actors.desk.files import find_named, load
from tg_actors.domain.instruments import Side
from tg_actors.domain.orders import Fill, OrderSpec, OrderType
from tg_actors.exchange.path import MarketStep
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.market.config import MarketConfig, SimulatedSource, market_spec, open_market
from tg_actors.market.filters import instrument
from tg_actors.market.timeframes import Timeframe

SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
#: So much that no hold decides: Kraken holds nothing for a stop that waits, a backtest does.
OPENING = {"USDT": Decimal(10_000_000), "BTC": Decimal(100), "XRP": Decimal(1_000_000)}
CYCLES = 12


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    config = {
        "instruments": list(SYMBOLS),
        "market": {"timeframe": "1h", "source": {"kind": "simulated", "seed": 11}},
        "accounts": {"main": {"balances": {code: str(amount) for code, amount in OPENING.items()}}},
        "limits": {},
    }
    folder: Path = tmp_path_factory.mktemp("stepped")
    with running_exchange(folder / "state", clock="stepped", config=config) as running:
        yield running


class Inline:
    """The same market and the exchange of a backtest."""

    def __init__(self) -> None:
        venue = load(VenueConfig, find_named("venues", "practice"))
        instruments = [instrument(symbol, venue.instruments) for symbol in SYMBOLS]
        market = MarketConfig(timeframe=Timeframe.HOUR_1, source=SimulatedSource(seed=11))
        self.market = open_market(market_spec(market, SYMBOLS, venue.instruments))
        self.exchange = PracticeExchange(instruments, venue.exchange, OPENING, account="main")
        self.fills: list[Fill] = []

    def advance(self, cycle: int) -> dict[str, float]:
        snapshot = self.market.advance(cycle)
        assert snapshot is not None
        self.fills += self.exchange.advance(MarketStep.from_snapshot(snapshot)).fills
        return dict(zip(snapshot.symbols, snapshot.mid.tolist(), strict=True))


def wishes(cycle: int, mid: dict[str, float], rules: dict[str, Any]) -> list[OrderSpec]:
    """Orders of every type, told from the market alone."""
    made = []
    for k, symbol in enumerate(SYMBOLS):
        side = Side.BUY if (cycle + k) % 2 else Side.SELL
        one = rules[symbol]
        near = one.quantise_price(Decimal(repr(mid[symbol])) * Decimal("0.998"), Side.BUY)
        far = one.quantise_price(Decimal(repr(mid[symbol])) * Decimal("0.995"), Side.BUY)
        quantity = one.quantise_quantity(Decimal(600) / Decimal(repr(mid[symbol])))
        if symbol == "XRP/BTC":
            quantity = Decimal(500)
        kinds: list[dict[str, Any]] = [
            {"order_type": OrderType.MARKET},
            {"order_type": OrderType.LIMIT, "limit_price": near},
            {"order_type": OrderType.STOP, "stop_price": far, "side": Side.SELL},
            {"order_type": OrderType.TRAILING_STOP, "trail_frac": Decimal("0.01"), "side": Side.SELL},
        ]
        made.append(
            OrderSpec.model_validate(
                {"symbol": symbol, "side": side, "quantity": quantity, **kinds[(cycle + k) % len(kinds)]}
            )
        )
    return made


def post(client: Any, mine: str, spec: OrderSpec) -> None:
    fields = {
        "pair": client.market(spec.symbol)["id"],
        "type": spec.side.value,
        "volume": str(spec.quantity),
        "cl_ord_id": mine,
    }
    match spec.order_type:
        case OrderType.LIMIT:
            fields |= {"ordertype": "limit", "price": str(spec.limit_price)}
        case OrderType.STOP:
            fields |= {"ordertype": "stop-loss", "price": str(spec.stop_price)}
        case OrderType.TRAILING_STOP:
            fields |= {"ordertype": "trailing-stop", "price": "+1%"}
        case _:
            fields |= {"ordertype": "market"}
    client.privatePostAddOrder(fields)


def shown(fill: Fill) -> tuple[str, ...]:
    numbers = (fill.quantity, fill.price, fill.fee)
    return (
        fill.client_order_id,
        fill.symbol,
        fill.side,
        *map(str, map(Decimal.normalize, numbers)),
        fill.liquidity,
    )


def test_fills_are_those_of_the_exchange_inside_a_backtest(exchange: RunningExchange) -> None:
    inline, client = Inline(), ccxt.kraken(exchange.ccxt_config("kraken"))
    client.load_markets()
    rules = {one.symbol: one for one in inline.exchange._instruments.values()}
    for cycle in range(CYCLES):
        mid = inline.advance(cycle)
        exchange.advance(cycle)
        for spec in wishes(cycle, mid, rules):
            mine = str(uuid.uuid4())
            refused = "code" in dir(inline.exchange.submit(mine, spec, at_ns=cycle))
            if refused:
                with pytest.raises(ccxt.ExchangeError):
                    post(client, mine, spec)
            else:
                post(client, mine, spec)
        if cycle == CYCLES // 2:
            exchange.kill()
            exchange.restart()
            client = ccxt.kraken(exchange.ccxt_config("kraken"))
            client.load_markets()
    fills = [Fill.model_validate(_fill(row), strict=False) for row in exchange.ledger()["fills"]]
    assert len(inline.fills) > CYCLES
    assert list(map(shown, fills)) == list(map(shown, inline.fills))
    assert [fill.at_ns for fill in fills] == [fill.at_ns for fill in inline.fills]
    totals = exchange.operator("GET", "truth")["main"]["balances"]
    assert {code: Decimal(one["total"]) for code, one in totals.items()} == inline.exchange.balances()


def _fill(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Fill.model_fields}


def test_a_repeated_step_changes_nothing(exchange: RunningExchange) -> None:
    exchange.advance(CYCLES)
    again = exchange.advance(CYCLES)
    assert again["traded"] == 0
    assert exchange.advance(3)["traded"] == 0
    status = exchange.operator("GET", "status")
    assert (status["cycle"], status["part"], status["clock"]) == (CYCLES + 1, 0.0, "stepped")


def test_the_market_can_be_looked_at_between_two_steps(exchange: RunningExchange) -> None:
    client = ccxt.kraken(exchange.ccxt_config("kraken"))
    exchange.advance(CYCLES + 1)
    ticker, book = client.fetch_ticker("BTC/USDT"), client.fetch_order_book("BTC/USDT")
    assert book["bids"][0][0] <= ticker["last"] <= book["asks"][0][0]
    candles = client.fetch_ohlcv("BTC/USDT", "1h")
    assert candles[-1][4] == ticker["last"]
    assert client.fetch_ohlcv("BTC/USDT", "4h")[-1][4] == ticker["last"]


def test_only_the_operator_moves_the_market(exchange: RunningExchange) -> None:
    keys = exchange.keys
    exchange.keys = keys.model_copy(update={"operator_token": "x" * 32})
    try:
        with pytest.raises(AssertionError, match="401"):
            exchange.advance(CYCLES + 5)
    finally:
        exchange.keys = keys
    with pytest.raises(AssertionError, match="422"):
        exchange.operator("POST", "advance", {"cycle": -1})
