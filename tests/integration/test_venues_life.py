"""The adapters against the practice exchange as a process: the whole life of orders, with and without faults.

One server, stepped: its market moves when a venue reads a cycle, so the same orders must be filled as by
the exchange inside the process.
"""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.exchange_server import RunningExchange, running_exchange
from tests.venue_words import intent, permit
from tg_actors.desk.config import VenueConfig
from tg_actors.desk.files import find_named, load
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.keys import Key
from tg_actors.domain.orders import Fill, OrderState, OrderType, TimeInForce
from tg_actors.exchange.practice import PracticeExchange
from tg_actors.execution.venues.connection import AlpacaConnection, CcxtConnection, OperatorDoor
from tg_actors.execution.venues.opening import RemoteAccount, RemoteConnection, open_remote
from tg_actors.execution.venues.port import Acknowledged, Refused
from tg_actors.execution.venues.practice import PracticeVenue
from tg_actors.execution.venues.remote import RemoteVenue
from tg_actors.market.config import MarketConfig, SimulatedSource, market_spec, open_market
from tg_actors.market.filters import instrument
from tg_actors.market.timeframes import Timeframe

D = Decimal
VENUES = ("kraken", "binance", "alpaca")
SYMBOLS = ("BTC/USDT", "XRP/USDT")
BALANCES = {"USDT": "10000", "BTC": "1", "XRP": "5000"}
SEED = 7
ACCOUNTS = ("life", "parity", "faults", "pages", "restart")
FUNDED = {"kind": "spot", "balances": BALANCES}
LIMITS = {name: {"capacity": 100_000, "refill_per_s": 10_000.0} for name in VENUES}
_FILTERS = load(VenueConfig, find_named("venues", "practice"))
INSTRUMENTS: tuple[Instrument, ...] = tuple(instrument(symbol, _FILTERS.instruments) for symbol in SYMBOLS)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningExchange]:
    config = {
        "instruments": list(SYMBOLS),
        "market": {"timeframe": "1m", "source": {"kind": "simulated", "seed": SEED}},
        "accounts": {f"{venue}-{name}": FUNDED for venue in VENUES for name in ACCOUNTS},
        "limits": LIMITS,
        "clock": {"kind": "stepped"},
    }
    folder = tmp_path_factory.mktemp("venues")
    with running_exchange(folder / "state", clock="stepped", config=config) as running:
        yield running


class Market:
    """The market that the server runs, as a desk sees it; it only goes on, through all tests."""

    def __init__(self) -> None:
        config = MarketConfig(timeframe=Timeframe.MIN_1, source=SimulatedSource(seed=SEED))
        self._market = open_market(market_spec(config, SYMBOLS, _FILTERS.instruments))
        self._cycle = -1
        self.next()

    def next(self) -> MarketSnapshot:
        self._cycle += 1
        snapshot = self._market.advance(self._cycle)
        assert snapshot is not None
        self.snapshot = snapshot
        return snapshot

    @property
    def close(self) -> Decimal:
        return D(str(self.snapshot.ohlcv[SYMBOLS.index("BTC/USDT"), 3]))


@pytest.fixture(scope="module")
def market() -> Market:
    return Market()


@contextmanager
def opened(
    exchange: RunningExchange, venue: str, account: str, permission: str = "trade", **changes: Any
) -> Iterator[RemoteVenue]:
    """The adapter as a desk opens it."""

    def ring(name: str) -> Key:
        if name == "operator":
            return Key(name, "operator", exchange.keys.operator_token)
        key = exchange.key(f"{venue}-{account}", permission)
        return Key(name, key.api_key, key.secret)

    address: dict[str, Any] = {"key": "trade", "url": exchange.dialect_url(venue), **changes}
    address["operator"] = OperatorDoor(url=exchange.url, key="operator")
    address |= {} if venue == "alpaca" else {"exchange": venue}
    kind: RemoteConnection = (AlpacaConnection if venue == "alpaca" else CcxtConnection)(**address)
    adapter = open_remote(kind, RemoteAccount(account, INSTRUMENTS, 1), ring)
    try:
        yield adapter
    finally:
        adapter.close()


class Clerk:
    """Posts orders under new ids and keeps what the venue says."""

    def __init__(self, venue: Any) -> None:
        self.venue = venue
        self.fills: list[Fill] = []
        self.ended: dict[str, OrderState] = {}

    def post(self, **spec: Any) -> str:
        client_order_id = str(uuid.uuid4())
        answer = self.venue.post(permit(client_order_id), intent(**spec))
        assert isinstance(answer, Acknowledged), answer
        return client_order_id

    def refusal(self, **spec: Any) -> str:
        answer = self.venue.post(permit(str(uuid.uuid4())), intent(**spec))
        assert isinstance(answer, Refused), answer
        return answer.reason

    def read(self, snapshot: MarketSnapshot) -> None:
        news = self.venue.read(snapshot)
        assert (news.gap, news.blind) == ("", frozenset())
        self.fills += news.fills
        self.ended |= {client_order_id: state for client_order_id, state, _ in news.ended}


def orders_of(venue: str, price: Decimal) -> dict[str, dict[str, Any]]:
    """One order of every type that a venue takes; none fills at once."""
    far, near = (price / 2).quantize(D("0.01")), (price * 2).quantize(D("0.01"))
    sell = {"side": Side.SELL, "quantity": D("0.01")}
    every: dict[str, dict[str, Any]] = {
        "limit": {"order_type": OrderType.LIMIT, "limit_price": far},
        "post only": {"order_type": OrderType.LIMIT, "limit_price": far, "post_only": True},
        "stop": {"order_type": OrderType.STOP, "stop_price": far, **sell},
        "stop limit": {"order_type": OrderType.STOP_LIMIT, "stop_price": far, "limit_price": far - 1, **sell},
        "take profit": {"order_type": OrderType.TAKE_PROFIT, "stop_price": near, **sell},
        "trailing stop": {"order_type": OrderType.TRAILING_STOP, "trail_frac": D("0.15"), **sell},
        "reduce only": {"order_type": OrderType.LIMIT, "limit_price": near, "reduce_only": True, **sell},
    }
    taken = {"limit", "stop limit", "reduce only"} if venue == "alpaca" else set(every)
    return {name: spec for name, spec in every.items() if name in taken}


@pytest.mark.parametrize("venue", VENUES)
def test_the_ordinary_life_of_orders(venue: str, exchange: RunningExchange, market: Market) -> None:
    with opened(exchange, venue, "life") as adapter:
        clerk = Clerk(adapter)
        clerk.read(market.next())
        before = adapter.balances()
        resting = {name: clerk.post(**spec) for name, spec in orders_of(venue, market.close).items()}
        at_once = clerk.post(order_type=OrderType.MARKET)
        swift = clerk.post(
            order_type=OrderType.LIMIT, limit_price=D(1000), time_in_force=TimeInForce.IOC, quantity=D("0.02")
        )
        shown = adapter.look_up(at_once)
        assert shown is not None
        assert shown.state is OrderState.OPEN
        booked = {order.client_order_id: order for order in adapter.open_orders()}
        assert booked.keys() >= set(resting.values())
        assert booked[resting["limit"]].remaining == D("0.01")

        clerk.read(market.next())

        assert clerk.ended[at_once] is OrderState.FILLED
        assert clerk.ended[swift] in {OrderState.CANCELED, OrderState.EXPIRED}
        (fill,) = clerk.fills
        assert (fill.client_order_id, fill.symbol, fill.side, fill.quantity) == (
            at_once,
            "BTC/USDT",
            Side.BUY,
            D("0.01"),
        )
        spent = fill.price * fill.quantity + fill.fee
        after = adapter.balances()
        assert (fill.fee_currency, after["USDT"], after["BTC"]) == (
            "USDT",
            before["USDT"] - spent,
            before["BTC"] + fill.quantity,
        )
        adapter.cancel(resting["limit"], 0)
        adapter.cancel(resting["limit"], 0)
        adapter.cancel(str(uuid.uuid4()), 0)
        cancelled = adapter.look_up(resting["limit"])
        assert cancelled is not None
        assert cancelled.state is OrderState.CANCELED
        adapter.cancel_all(0)
        assert adapter.open_orders() == []
        assert list(adapter.trades()) == clerk.fills


@pytest.mark.parametrize("venue", VENUES)
def test_what_the_venue_cannot_do_is_refused_unsent(venue: str, exchange: RunningExchange) -> None:
    with opened(exchange, venue, "life") as adapter:
        clerk = Clerk(adapter)
        said = [
            clerk.refusal(order_type=OrderType.STOP, stop_price=D(5), side=Side.SELL, quantity=D("0.01"))
            if venue == "alpaca"
            else clerk.refusal(symbol="DOGE/USDT"),
            clerk.refusal(quantity=D(1000)),
        ]
        late = adapter.post(permit(str(uuid.uuid4()), seconds=-5), intent())
        assert isinstance(late, Refused)
        assert said[0].startswith("not sent: ")
        assert "nsufficient" in said[1]
        assert late.reason == "not sent: its deadline has passed or is too near"


def told(fills: list[Fill]) -> list[tuple[object, ...]]:
    """What two exchanges must agree on."""
    return sorted(
        (f.client_order_id, f.symbol, f.side, f.quantity, f.price, f.fee, f.fee_currency, f.at_ns)
        for f in fills
    )


def scripted(cycle: int, price: Decimal) -> Mapping[str, Any] | None:
    """Orders of a small strategy; their prices come from the market, not from what was filled."""
    tick = D("0.01")
    table: dict[int, dict[str, Any]] = {
        1: {"order_type": OrderType.MARKET},
        3: {"order_type": OrderType.LIMIT, "limit_price": (price * D("0.9995")).quantize(tick)},
        5: {
            "order_type": OrderType.STOP_LIMIT,
            "side": Side.SELL,
            "stop_price": (price * D("0.9995")).quantize(tick),
            "limit_price": (price * D("0.99")).quantize(tick),
        },
        8: {"order_type": OrderType.MARKET, "symbol": "XRP/USDT", "quantity": D(100)},
        9: {"order_type": OrderType.MARKET, "side": Side.SELL, "quantity": D("0.005")},
    }
    return table.get(cycle)


@pytest.mark.parametrize("venue", VENUES)
def test_fills_equal_those_of_the_exchange_inside(
    venue: str, exchange: RunningExchange, market: Market
) -> None:
    cash = {currency: D(amount) for currency, amount in BALANCES.items()}
    inside = PracticeVenue(PracticeExchange(INSTRUMENTS, _FILTERS.exchange, cash, "parity"), durable=False)
    with opened(exchange, venue, "parity") as adapter:
        clerks = Clerk(inside), Clerk(adapter)
        for step in range(20):
            snapshot = market.next()
            for clerk in clerks:
                clerk.read(snapshot)
            spec, client_order_id = scripted(step, market.close), str(uuid.uuid4())
            if spec is None:
                continue
            licence = permit(client_order_id).model_copy(update={"permitted_at_ns": snapshot.at_ns})
            for clerk in clerks:
                assert isinstance(clerk.venue.post(licence, intent(**spec)), Acknowledged)
        assert len(clerks[0].fills) >= 4
        assert told(clerks[1].fills) == told(clerks[0].fills)
        assert clerks[1].ended == clerks[0].ended
        held = inside.balances()
        assert {c: a for c, a in adapter.balances().items() if c in held} == dict(held)


LOST: dict[str, dict[str, Any]] = {
    "dropped": {"kind": "drop_after"},
    "504": {"kind": "status_after", "status": 504},
    "html": {"kind": "html"},
    "null": {"kind": "null"},
    "truncated": {"kind": "truncated"},
}
PLACES = {"kraken": "POST *AddOrder", "binance": "POST *order", "alpaca": "POST *orders"}


@pytest.mark.parametrize("how", LOST)
@pytest.mark.parametrize("venue", VENUES)
def test_a_lost_answer_is_found_by_looking(venue: str, how: str, exchange: RunningExchange) -> None:
    with opened(exchange, venue, "faults") as adapter:
        client_order_id = str(uuid.uuid4())
        exchange.faults({"requests": [{**LOST[how], "on": PLACES[venue], "times": 1}]})
        try:
            with pytest.raises(VenueError):
                adapter.post(permit(client_order_id), intent(order_type=OrderType.LIMIT, limit_price=D(1000)))
        finally:
            exchange.faults({})
        found = adapter.look_up(client_order_id)
        assert found is not None
        assert found.state is OrderState.OPEN
        mine = [o for o in adapter.open_orders() if o.client_order_id == client_order_id]
        assert len(mine) == 1
        adapter.cancel(client_order_id, 0)


@pytest.mark.parametrize("venue", VENUES)
def test_an_order_that_never_arrived_is_absent_from_all_books(venue: str, exchange: RunningExchange) -> None:
    with opened(exchange, venue, "faults") as adapter:
        client_order_id = str(uuid.uuid4())
        exchange.faults({"requests": [{"kind": "drop_before", "on": PLACES[venue], "times": 1}]})
        try:
            with pytest.raises(VenueError):
                adapter.post(permit(client_order_id), intent())
        finally:
            exchange.faults({})
        assert adapter.look_up(client_order_id) is None


def test_a_read_only_key_reads_and_cannot_trade(exchange: RunningExchange) -> None:
    for venue in VENUES:
        with opened(exchange, venue, "life", permission="read") as adapter:
            assert adapter.balances()["USDT"] > 0
            if venue == "alpaca":
                assert "40310000" in Clerk(adapter).refusal()
                continue
            with pytest.raises(AccountSuspect):
                adapter.post(permit(str(uuid.uuid4())), intent())


def test_an_older_executor_is_fenced_by_krakens_nonce(exchange: RunningExchange) -> None:
    with opened(exchange, "kraken", "faults") as old:
        old.balances()
        with opened(exchange, "kraken", "faults", nonce_fence=True) as new:
            new.balances()
            with pytest.raises(AccountSuspect, match="Invalid nonce"):
                old.balances()
            refused = old.post(permit(str(uuid.uuid4())), intent())
            assert isinstance(refused, Refused)
            assert refused.suspect
            assert new.open_orders() == []


@pytest.mark.parametrize("venue", VENUES)
def test_trades_are_paged_to_their_end(
    venue: str, exchange: RunningExchange, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tg_actors.execution.venues.ccxt.binance._PAGE", 20)
    monkeypatch.setattr("tg_actors.execution.venues.alpaca.dialect._PAGE", 20)
    with opened(exchange, venue, "pages") as adapter:
        clerk = Clerk(adapter)
        clerk.read(market.next())
        sent = [clerk.post(order_type=OrderType.MARKET, quantity=D("0.0003")) for _ in range(60)]
        clerk.read(market.next())
        assert {fill.client_order_id for fill in clerk.fills} == set(sent)
        assert len(clerk.fills) == 60
        assert clerk.ended == dict.fromkeys(sent, OrderState.FILLED)
        newest_ns = clerk.fills[-1].at_ns
    with opened(exchange, venue, "pages") as another:
        # The second one knows no order by its number and asks the books for every one.
        assert told(list(another.trades())) == told(clerk.fills)
        assert told(list(another.trades(newest_ns))) == told([f for f in clerk.fills if f.at_ns >= newest_ns])
        assert another.trades(newest_ns + 10**9) == []


@pytest.mark.parametrize("venue", VENUES)
def test_a_new_process_finds_what_the_old_one_left(
    venue: str, exchange: RunningExchange, market: Market
) -> None:
    with opened(exchange, venue, "restart") as old:
        clerk = Clerk(old)
        clerk.read(market.next())
        resting = clerk.post(order_type=OrderType.LIMIT, limit_price=D(1000))
        at_once = clerk.post(order_type=OrderType.MARKET)
    with opened(exchange, venue, "restart") as new:
        clerk = Clerk(new)
        for client_order_id in (resting, at_once):
            found = new.look_up(client_order_id)
            assert found is not None
            assert found.state is OrderState.OPEN
        clerk.read(market.next())
        assert [fill.client_order_id for fill in clerk.fills] == [at_once]
        assert clerk.ended == {at_once: OrderState.FILLED}
        new.cancel(resting, 0)
        clerk.read(market.next())
        assert clerk.ended == {at_once: OrderState.FILLED, resting: OrderState.CANCELED}
