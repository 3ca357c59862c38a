"""Facts of the simulated market against facts/data.md 5.4 and 5.5, and against the truth that it plants."""

import numpy as np
import pytest

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.facts import FACT_NAMES
from tg_actors.market.feeds.simulated import START_NS, SimulatedFeed
from tg_actors.market.simulation.episodes import EPISODE_BARS
from tg_actors.market.simulation.funding import PERIOD_NS
from tg_actors.market.simulation.world import BLOCK_BARS
from tg_actors.market.timeframes import Timeframe

HOUR = Timeframe.HOUR_1
SYMBOLS = ("BTC/USDT", "XRP/USDT", "XRP/BTC")
BARS = 80 * BLOCK_BARS


def feed(symbols: tuple[str, ...] = SYMBOLS, seed: int = 7, timeframe: Timeframe = HOUR) -> SimulatedFeed:
    return SimulatedFeed(seed, symbols, timeframe, dict.fromkeys(symbols, 4.0))


def facts(market: SimulatedFeed, first: int, count: int) -> tuple[F64, I64]:
    closes = market.start_ns + np.arange(first + 1, first + count + 1, dtype=np.int64) * market.bar_ns
    return market.facts(closes)


def named(values: F64) -> dict[str, F64]:
    return {name: values[:, :, k] for k, name in enumerate(FACT_NAMES)}


@pytest.fixture(scope="module")
def market() -> SimulatedFeed:
    return feed()


@pytest.fixture(scope="module")
def known(market: SimulatedFeed) -> dict[str, F64]:
    return named(facts(market, 0, BARS)[0])


def moves(market: SimulatedFeed, i: int) -> F64:
    """Log returns of the bars of :data:`BARS`."""
    return np.diff(np.log(np.append(market.rows(i, 0, 1).ohlcv[0, 0], market.rows(i, 0, BARS).ohlcv[:, 3])))


def imbalance(known: dict[str, F64], who: str, i: int) -> F64:
    bought, sold = known[f"{who}_buy_usd"][:, i], known[f"{who}_sell_usd"][:, i]
    return (bought - sold) / (bought + sold)


def test_facts_are_the_same_whatever_was_asked_before_and_beside() -> None:
    whole, as_of_ns = facts(feed(), 0, 900)
    jumping = feed()
    for first, count in ((700, 200), (0, 1), (255, 2), (511, 300)):
        values, known_ns = facts(jumping, first, count)
        assert values.tobytes() == whole[first : first + count].tobytes()
        assert known_ns.tobytes() == as_of_ns[first : first + count].tobytes()
    alone, _ = facts(feed(("XRP/USDT",)), 0, 900)
    assert alone[:, 0].tobytes() == np.ascontiguousarray(whole[:, 1]).tobytes()
    assert facts(feed(seed=8), 0, 900)[0].tobytes() != whole.tobytes()


def test_bars_do_not_know_that_facts_were_asked_for() -> None:
    asked, plain = feed(), feed()
    facts(asked, 0, 600)
    assert asked.rows(0, 0, 600).ohlcv.tobytes() == plain.rows(0, 0, 600).ohlcv.tobytes()


@pytest.mark.parametrize("timeframe", list(Timeframe))
def test_there_are_facts_from_the_first_bar_of_the_world_on(timeframe: Timeframe) -> None:
    values, as_of_ns = facts(feed(timeframe=timeframe), -1030, 1100)
    assert np.isnan(values[:6]).all()
    assert not as_of_ns[:6].any()
    assert np.isfinite(values[6:, :2]).all()


def test_a_cross_has_no_perpetual(known: dict[str, F64]) -> None:
    assert np.isnan(known["funding_rate_frac"][:, 2]).all()
    assert np.isnan(known["open_interest_usd"][:, 2]).all()
    assert np.isfinite(known["whale_buy_usd"][:, 2]).all()


def test_buyers_and_sellers_share_the_volume_of_the_bar(market: SimulatedFeed, known: dict[str, F64]) -> None:
    dollars = sum(known[f"{who}_{way}_usd"] for who in ("whale", "retail") for way in ("buy", "sell"))
    for i in range(2):
        bars = market.rows(i, 0, BARS).ohlcv
        volume = known["taker_buy_volume"][:, i] + known["taker_sell_volume"][:, i]
        np.testing.assert_allclose(volume, bars[:, 4])
        assert isinstance(dollars, np.ndarray)
        np.testing.assert_allclose(dollars[:, i], bars[:, 3] * bars[:, 4], rtol=1e-4)


def test_facts_are_known_at_the_close_and_funding_at_its_settlement(market: SimulatedFeed) -> None:
    _, as_of_ns = facts(market, 0, 600)
    closes = START_NS + np.arange(1, 601, dtype=np.int64) * HOUR.bar_ns
    k = FACT_NAMES.index("funding_rate_frac")
    np.testing.assert_array_equal(as_of_ns[:, 0, k], closes // PERIOD_NS * PERIOD_NS)
    np.testing.assert_array_equal(as_of_ns[:, 1, k + 1], closes)


def test_funding_looks_like_the_real_one_and_follows_the_past(
    market: SimulatedFeed, known: dict[str, F64]
) -> None:
    bp = known["funding_rate_frac"][7::8, 0] * 1e4
    assert np.array_equal(np.repeat(bp[:-1], 8), known["funding_rate_frac"][7:-1, 0] * 1e4)
    assert 1.0 < bp.mean() < 2.2
    assert 1.8 < bp.std() < 4.0
    assert 0.35 < np.isclose(bp, 1.0).mean() < 0.50
    assert 0.07 < (bp < 0).mean() < 0.20
    assert -4.0 < np.quantile(bp, 0.01) < -1.5
    assert 8.0 < np.quantile(bp, 0.99) < 20.0
    assert 0.6 < np.corrcoef(bp[1:], bp[:-1])[0, 1] < 0.9
    path = np.cumsum(moves(market, 0))
    past = path[79::8] - path[7:-72:8]
    assert np.corrcoef(past, bp[9:])[0, 1] > 0.25


def test_retail_runs_with_the_price_and_whales_hardly(market: SimulatedFeed, known: dict[str, F64]) -> None:
    change = moves(market, 0)
    retail = np.corrcoef(imbalance(known, "retail", 0), np.sign(change))[0, 1]
    whales = np.corrcoef(imbalance(known, "whale", 0), np.sign(change))[0, 1]
    assert retail > 0.35
    assert -0.05 < whales < 0.2
    whale_usd = known["whale_buy_usd"][:, 0] + known["whale_sell_usd"][:, 0]
    retail_usd = known["retail_buy_usd"][:, 0] + known["retail_sell_usd"][:, 0]
    assert 0.3 < (whale_usd / (whale_usd + retail_usd)).mean() < 0.5


def episodes(market: SimulatedFeed, i: int) -> tuple[I64, F64]:
    truth = [market.whales(i, cycle) for cycle in range(BARS)]
    return np.array([way for way, _ in truth]), np.array([float(decoy) for _, decoy in truth])


def test_whales_lead_as_the_truth_says(market: SimulatedFeed, known: dict[str, F64]) -> None:
    way, decoy = episodes(market, 0)
    busy = way != 0
    assert 0.08 < busy.mean() < 0.30
    assert 0.2 < decoy[busy].mean() < 0.6
    flow = imbalance(known, "whale", 0)
    assert 0.2 < (flow * way)[busy].mean() - flow[~busy].mean() < 0.3
    path = np.concatenate(([0.0], np.cumsum(moves(market, 0))))
    ends = np.flatnonzero((way != 0) & (np.append(way[1:], 0) != way)) + 1
    honest = [end for end in ends.tolist() if not decoy[end - 1]]
    after = np.array([path[end + EPISODE_BARS] - path[end] for end in honest]) * way[np.array(honest) - 1]
    before = np.array([path[end] - path[end - EPISODE_BARS] for end in honest]) * way[np.array(honest) - 1]
    assert (after > 0).all()
    assert before.mean() < 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_who_follows_whales_earns_a_little(seed: int) -> None:
    market = feed(("ETH/USDT",), seed)
    flow = imbalance(named(facts(market, 0, BARS)[0]), "whale", 0)
    path = np.cumsum(moves(market, 0))
    mean = np.convolve(flow, np.ones(EPISODE_BARS) / EPISODE_BARS, "valid")[:-EPISODE_BARS]
    after = path[2 * EPISODE_BARS - 1 :] - path[EPISODE_BARS - 1 : -EPISODE_BARS]
    assert 0.05 < np.corrcoef(mean, after)[0, 1] < 0.35


def test_coins_leave_exchanges_before_the_price_turns_up(
    market: SimulatedFeed, known: dict[str, F64]
) -> None:
    way, _ = episodes(market, 1)
    net = np.log(known["exchange_outflow_usd"][:, 1] / known["exchange_inflow_usd"][:, 1])
    assert net[way == 1].mean() > net[way == 0].mean() + 0.3 > net[way == -1].mean() + 0.6
