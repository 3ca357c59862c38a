import itertools
import time

import numpy as np
import pytest

from tg_actors.domain.errors import UserError
from tg_actors.market.border import Border
from tg_actors.market.feed import RawRows
from tg_actors.market.feeds.simulated import START_NS, SimulatedFeed
from tg_actors.market.simulation.currencies import currency
from tg_actors.market.simulation.regimes import MEAN_SQUARE_VOL, PHASES, Regime
from tg_actors.market.simulation.seasons import season
from tg_actors.market.timeframes import Timeframe, instant_ns

HOUR = Timeframe.HOUR_1
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
BARS = 20_000


def feed(
    symbols: tuple[str, ...] = SYMBOLS, seed: int = 7, timeframe: Timeframe = HOUR, spread: float = 4.0
) -> SimulatedFeed:
    return SimulatedFeed(seed, symbols, timeframe, dict.fromkeys(symbols, spread))


def same(a: RawRows, b: RawRows) -> bool:
    pairs = ((a.open_ns, b.open_ns), (a.ohlcv, b.ohlcv), (a.bid, b.bid), (a.ask, b.ask))
    return all(x.tobytes() == y.tobytes() for x, y in pairs)


def test_one_seed_is_one_market_to_the_byte() -> None:
    assert same(feed().rows(2, 0, 900), feed().rows(2, 0, 900))
    assert not same(feed().rows(2, 0, 900), feed(seed=8).rows(2, 0, 900))


def test_a_cycle_is_the_same_whatever_was_asked_before() -> None:
    forward, jumping = feed(), feed()
    whole = forward.rows(1, 0, 12_000)
    for first, count in ((11_000, 700), (0, 1), (10_239, 2), (255, 2), (5_000, 300), (11_990, 10)):
        assert same(jumping.rows(1, first, count), whole.pick(slice(first, first + count)))
    assert same(jumping.rows(1, 0, 12_000), whole)


def test_an_instrument_does_not_depend_on_the_others() -> None:
    alone, among = feed(("XRP/USDT",)), feed(("DOGE/USDT", "XRP/BTC", "XRP/USDT"))
    assert same(alone.rows(0, 0, 600), among.rows(2, 0, 600))
    assert same(feed(("XRP/BTC",)).rows(0, 0, 600), among.rows(1, 0, 600))


def test_history_ends_where_the_cycles_begin() -> None:
    market = feed()
    history = market.history(0, 0, 700)
    assert len(history) == 700
    assert history.open_ns[-1] == START_NS - HOUR.bar_ns
    assert market.rows(0, 0, 1).ohlcv[0, 0] == history.ohlcv[-1, 3]
    assert len(market.history(0, 0, 10**6)) == 1024
    assert market.cycles is None


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_no_row_is_ever_refused(timeframe: Timeframe) -> None:
    market = feed(timeframe=timeframe, spread=0.2)
    for i in range(len(SYMBOLS)):
        rows = market.rows(i, 0, 2_000)
        admission = Border(1, market.start_ns, market.bar_ns).admit(0, rows, 0, 2_000)
        assert len(admission.accepted) == 2_000
        assert np.isfinite(rows.ohlcv).all()
        assert (rows.ohlcv[:, 4] > 0).all()


def test_prices_begin_near_the_table() -> None:
    first = feed().rows(0, 0, 1).ohlcv[0, 0]
    assert first == pytest.approx(currency("BTC").price_usd, rel=0.15)


def test_a_cross_is_the_quotient_of_its_legs() -> None:
    market = feed()
    btc, xrp, cross = (market.rows(i, 0, 3_000).ohlcv[:, 3] for i in range(3))
    error_bps = np.abs(np.log(cross * btc / xrp)) * 1e4
    assert 0.5 < np.median(error_bps) < 3.0
    assert error_bps.max() < 14.0


def test_unknown_coins_and_dollars_have_a_price_and_nonsense_has_none() -> None:
    market = feed(("NEWCOIN/USDT", "NEWCOIN/USD", "BTC/NEWCOIN"))
    closes = [market.rows(i, 0, 50).ohlcv[:, 3] for i in range(3)]
    np.testing.assert_array_equal(closes[0], closes[1])
    assert np.isfinite(closes[2]).all()
    for symbol in ("BTC/BTC", "USDC/USDT"):
        with pytest.raises(UserError, match=f"{symbol} cannot be simulated"):
            feed((symbol,))


def test_spreads_are_typical_in_calm_and_widen_in_turbulence() -> None:
    rows = feed(("BTC/USDT",)).rows(0, 0, BARS)
    spread_bps = (rows.ask - rows.bid) / rows.ohlcv[:, 3] * 1e4
    moves = np.abs(np.diff(np.log(rows.ohlcv[:, 3])))
    wild = moves > np.quantile(moves, 0.95)
    assert 2.5 < spread_bps.mean() < 5.5
    assert spread_bps[1:][wild].mean() > 1.5 * spread_bps[1:][~wild].mean()


def test_a_book_is_ordered_deep_at_the_best_level_and_the_same_again() -> None:
    market, k = feed(), 40
    prices, sizes = market.book(0, k, 20)
    rows = market.rows(0, k, 1)
    assert (prices[0, 0], prices[1, 0]) == (rows.bid[0], rows.ask[0])
    assert (np.diff(prices[0]) < 0).all()
    assert (np.diff(prices[1]) > 0).all()
    assert (sizes > 0).all()
    books = [market.book(0, cycle, 5)[1] for cycle in range(300)]
    depth = np.median(np.array(books), axis=0)
    assert 6 < depth[0, 0] / depth[0, 1] < 19
    assert prices.tobytes() == feed().book(0, k, 20)[0].tobytes()


def test_the_truth_is_known_and_every_regime_occurs() -> None:
    market = feed(("BTC/USDT",))
    truth = [market.truth(cycle) for cycle in range(BARS)]
    assert dict.fromkeys(truth).keys() == dict.fromkeys(Regime).keys()
    changes = sum(a is not b for a, b in itertools.pairwise(truth))
    assert 40 < BARS / changes < 130


def test_the_share_of_each_phase_gives_the_mean_square_of_volatility() -> None:
    moves = np.array([[one.successors.get(k, 0.0) for k in range(len(PHASES))] for one in PHASES])
    visits = np.linalg.matrix_power(moves / moves.sum(axis=1, keepdims=True), 200)[0]
    time_in = visits * [one.duration_h for one in PHASES]
    mean_square = time_in @ [one.vol**2 for one in PHASES] / time_in.sum()
    assert mean_square == pytest.approx(MEAN_SQUARE_VOL, abs=1e-3)


def test_seasons_average_out_over_a_week_for_every_bar_length() -> None:
    for timeframe in Timeframe:
        opens = np.arange(instant_ns("2024-01-01"), instant_ns("2024-01-08"), timeframe.bar_ns)
        assert (season(opens, timeframe.bar_ns) ** 2).mean() == pytest.approx(1.0)
    hours = np.arange(instant_ns("2024-01-03"), instant_ns("2024-01-04"), HOUR.bar_ns)
    assert season(hours, HOUR.bar_ns).argmax() == 14
    days = np.arange(instant_ns("2024-01-01"), instant_ns("2024-01-08"), Timeframe.DAY_1.bar_ns)
    assert season(days, Timeframe.DAY_1.bar_ns).argmin() == 5


def test_a_market_of_fifty_is_made_in_seconds() -> None:
    symbols = tuple(f"X{k}/USDT" for k in range(50))
    market, begun_s = feed(symbols), time.process_time()
    market.rows(0, 0, 10_000)
    assert time.process_time() - begun_s < 8.0
