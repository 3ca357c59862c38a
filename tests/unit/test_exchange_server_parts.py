"""The pure parts of the exchange process: ids, prices inside a bar, buckets, faults, Kraken's names."""

from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.instruments import Instrument
from tg_actors.exchange.server.config import RequestLimit
from tg_actors.exchange.server.dialects.kraken.ids import number_of, txid
from tg_actors.exchange.server.dialects.kraken.names import Pairs, asset_id, code_of
from tg_actors.exchange.server.dialects.kraken.signing import is_signed, signature
from tg_actors.exchange.server.faults import FaultPlan, Faults, RequestFault, RequestFaultKind
from tg_actors.exchange.server.limits import RequestLimits
from tg_actors.exchange.server.tape import Bar, book_around, draw, prints_of

BTC = Instrument(
    symbol="BTC/USDT",
    tick=Decimal("0.01"),
    lot=Decimal("0.00001"),
    quantity_min=Decimal("0.00001"),
    notional_min=Decimal(5),
)
HOUR_NS = 3600 * 10**9
prices = st.floats(min_value=1.0, max_value=1e5, allow_nan=False).map(lambda p: round(p, 2))
parts = st.floats(min_value=0, max_value=1, allow_nan=False)


@st.composite
def bars(pick: st.DrawFn) -> Bar:
    open_, close, one, two = (pick(prices) for _ in range(4))
    low, high = min(open_, close, one, two), max(open_, close, one, two)
    return Bar(open_, high, low, close, pick(st.floats(0, 1e4)), pick(st.floats(0, 1e-3)))


@given(number=st.integers(1, 2**48 - 1), other=st.integers(1, 2**48 - 1))
def test_an_order_id_holds_its_number_and_nothing_else_is_one(number: int, other: int) -> None:
    text = txid("O", number)
    assert len(text) == len("OUF4EM-FRGI2-MQMWZD")
    assert number_of("O", text) == number
    assert number_of("T", text) is None
    assert (txid("O", other) == text) == (number == other)


@pytest.mark.parametrize("text", ["", "OUF4EM-FRGI2-MQMWZD", "oaaaaa-aaaaa-aaaaaa", "O12345-12345-123456"])
def test_what_is_no_id_of_ours_has_no_number(text: str) -> None:
    assert number_of("O", text) is None


@given(bar=bars(), cuts=st.lists(parts, max_size=6))
def test_the_pieces_of_a_bar_make_the_bar(bar: Bar, cuts: list[float]) -> None:
    edges = [0.0, *sorted(cuts), 1.0]
    pieces = [bar.between(a, b) for a, b in pairwise(edges)]
    assert (pieces[0][0], pieces[-1][3]) == (bar.open, bar.close)
    assert max(piece[1] for piece in pieces) == pytest.approx(bar.high, rel=1e-12)
    assert min(piece[2] for piece in pieces) == pytest.approx(bar.low, rel=1e-12)


@given(bar=bars(), part=parts, seed=st.integers(0, 2**31))
def test_a_book_is_ordered_on_the_tick_and_never_crossed(bar: Bar, part: float, seed: int) -> None:
    bids, asks = book_around(np.random.default_rng(seed), BTC, bar, part, HOUR_NS, 15)
    assert [price for price, _ in bids] == sorted({price for price, _ in bids}, reverse=True)
    assert [price for price, _ in asks] == sorted({price for price, _ in asks})
    assert all(price % BTC.tick == 0 and size % BTC.lot == 0 and size > 0 for price, size in (*bids, *asks))
    assert bids[0][0] < asks[0][0]


@given(bar=bars(), seed=st.integers(0, 2**31))
def test_prints_stay_inside_the_bar_and_print_its_volume(bar: Bar, seed: int) -> None:
    made = [one for k in range(8) for one in prints_of(draw(seed, "X", 0, k), BTC, bar, k / 8, (k + 1) / 8)]
    assert all(Decimal(repr(bar.low)) <= one.price <= Decimal(repr(bar.high)) for one in made)
    total = sum((one.quantity for one in made), Decimal(0))
    assert Decimal(repr(bar.volume)) - 25 * BTC.lot <= total <= Decimal(repr(bar.volume))


def test_draws_are_the_same_everywhere_and_differ_between_moments() -> None:
    assert draw(1, "BTC/USDT", 3, 4).random() == draw(1, "BTC/USDT", 3, 4).random()
    several = {
        draw(1, symbol, cycle, step).random() for symbol in "AB" for cycle in (0, 1) for step in (0, 1)
    }
    assert len(several) == 8


def test_a_bucket_empties_with_time_and_a_refusal_costs_nothing() -> None:
    limits = RequestLimits({"kraken": RequestLimit(capacity=3, refill_per_s=1.0)})
    assert [limits.admit("kraken", "key", 1, 0) for _ in range(5)] == [True, True, True, False, False]
    assert limits.usage("kraken", "key", 0) == 3
    assert limits.admit("kraken", "other", 3, 0)
    assert limits.admit("kraken", "key", 2, 2 * 10**9)
    assert not limits.admit("kraken", "key", 2, 2 * 10**9)
    assert limits.admit("binance", "key", 10**6, 0)


def test_faults_hit_what_they_are_for_as_often_as_planned_and_are_counted() -> None:
    fault = RequestFault(kind=RequestFaultKind.HTML, on="POST */AddOrder", times=2)
    faults = Faults(FaultPlan(requests=(fault,)), lambda: 0)
    asked = ["GET /kraken/0/public/Time", *["POST /kraken/0/private/AddOrder"] * 3]
    struck = [faults.strike(request) is not None for request in asked]
    assert struck == [False, True, True, False]
    assert faults.counts == {"html": 2}


def test_a_ban_lasts_its_time() -> None:
    now = [0]
    ban = RequestFault(kind=RequestFaultKind.BAN, times=1, seconds=5)
    faults = Faults(FaultPlan(requests=(ban,)), lambda: now[0])
    faults.strike("GET /")
    assert faults.is_banned
    now[0] = 6 * 10**9
    assert not faults.is_banned


@pytest.mark.parametrize(
    ("symbol", "names"),
    [
        ("BTC/USD", ("XXBTZUSD", "XBTUSD", "XBT/USD")),
        ("BTC/USDT", ("XBTUSDT", "XBTUSDT", "XBT/USDT")),
        ("XRP/BTC", ("XXRPXXBT", "XRPXBT", "XRP/XBT")),
        ("DOGE/USDT", ("XDGUSDT", "XDGUSDT", "XDG/USDT")),
        ("SOL/USDT", ("SOLUSDT", "SOLUSDT", "SOL/USDT")),
    ],
)
def test_krakens_names_of_a_pair(symbol: str, names: tuple[str, str, str]) -> None:
    pairs = Pairs([BTC.model_copy(update={"symbol": symbol})])
    pair = pairs.of_symbol(symbol)
    assert (pair.id, pair.altname, pair.wsname) == names
    assert all(pairs.find(name) is pair for name in (*names, symbol))
    assert code_of(asset_id(pair.instrument.base)) == pair.instrument.base


def test_the_signature_is_krakens() -> None:
    # The example of Kraken's documentation of REST authentication.
    secret = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # noqa: S105
    nonce = "1616492376594"
    body = f"nonce={nonce}&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25".encode()
    path = "/0/private/AddOrder"
    right = "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
    assert signature(secret, path, nonce, body) == right
    assert is_signed(right, secret, path, nonce, body)
    assert not is_signed(right, secret, path, nonce, body + b"0")
