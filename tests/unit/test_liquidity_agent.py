"""The liquidity agent: what it hears from bars, what from books, and when it keeps silent."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.liquidity_words import (
    BARS,
    END_NS,
    HOUR_NS,
    a_depth,
    a_snapshot,
    evidence,
    opine,
    spec,
    walk,
)
from tg_actors.agents.kinds import KINDS, open_agent
from tg_actors.domain.blocks import Abstention, Depth
from tg_actors.institutional.liquidity import BOOK_EVIDENCE, EVIDENCE, LiquidityAgent
from tg_actors.institutional.liquidity_depth import book_scores
from tg_actors.institutional.liquidity_spec import LiquiditySpec
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.timeframes import Timeframe

STILL = walk(seed=2)
NOTHING = dict.fromkeys(("sweep", "pools", "zone", "effort", *BOOK_EVIDENCE), 0.0)


def only(name: str) -> dict[str, object]:
    """A spec in which one kind of evidence counts."""
    return {"weights": NOTHING | {name: 1.0}, "enter_score": 0.05}


def with_wall(side: int, level: int, size: float, **flow: float) -> Depth:
    depth = a_depth(**flow)
    depth.size[0, side, level] = size
    return depth


def test_it_is_an_agent_like_any_other() -> None:
    agent = open_agent(spec(), ("BTC/USDT",), HOUR_NS)
    assert agent.name == "liquidity"
    assert KINDS["liquidity"].spec is LiquiditySpec
    assert (spec().needs().window_bars, spec().needs().depth_levels) == (168, 64)


def test_a_bid_wall_supports_and_an_ask_wall_weighs() -> None:
    for side, sign in ((0, 1.0), (1, -1.0)):
        opinions = opine(STILL, with_wall(side, 20, 40.0), **only("walls"))
        assert opinions.direction[0] * sign > 0.3
        assert evidence(opinions, "walls")[0] * sign > 0.3


def test_a_near_wall_says_more_than_a_far_one_and_the_best_level_nothing() -> None:
    near, far, best = (evidence(opine(STILL, with_wall(0, k, 40.0)), "walls")[0] for k in (8, 50, 0))
    assert near > far > 0.0
    assert best == 0.0


def test_a_wall_that_is_not_meant_loses_its_weight() -> None:
    meant = evidence(opine(STILL, with_wall(0, 20, 40.0)), "walls")[0]
    half = evidence(opine(STILL, with_wall(0, 20, 40.0, bid_spoof_frac=0.5)), "walls")[0]
    fake = evidence(opine(STILL, with_wall(0, 20, 40.0, bid_spoof_frac=1.0)), "walls")[0]
    assert half == pytest.approx(meant / 2.0)
    assert fake == 0.0


@pytest.mark.parametrize(
    ("name", "flow", "expected"),
    [
        ("spoofs", {"ask_spoof_frac": 0.8, "bid_spoof_frac": 0.1}, 0.7),
        ("flow", {"ofi_base": 0.25}, 1.0 / np.sqrt(2.0)),
        ("flow", {"ofi_base": -0.25}, -1.0 / np.sqrt(2.0)),
        ("imbalance", {"imbalance_frac": -0.6}, -0.6),
        ("absorption", {"bid_absorbed_base": 6.0, "taker_sell_base": 8.0, "taker_buy_base": 2.0}, 0.6),
        ("absorption", {}, 0.0),
    ],
)
def test_what_the_book_did_in_the_bar_is_heard(name: str, flow: dict[str, float], expected: float) -> None:
    assert evidence(opine(STILL, a_depth(**flow)), name)[0] == pytest.approx(expected)


def test_a_book_without_its_flow_is_heard_for_what_it_is() -> None:
    depth = a_depth()
    depth.flow[:] = np.nan
    depth.size[0, 0, 1:8] *= 3.0
    opinions = opine(STILL, depth)
    assert np.isnan([evidence(opinions, name)[0] for name in ("spoofs", "flow", "absorption")]).all()
    assert evidence(opinions, "imbalance")[0] > 0.2
    assert np.isfinite(evidence(opinions, "walls")[0])
    assert evidence(opinions, "book")[0] == 1.0


def test_without_a_book_it_says_so_and_speaks_with_less_confidence() -> None:
    swept = STILL.copy()
    changes = {"weights": NOTHING | {"pools": 3.0}, "enter_score": 0.05}
    bare, full = opine(swept, **changes), opine(swept, a_depth(), **changes)
    assert bare.direction[0] == full.direction[0] != 0.0
    assert bare.confidence[0] == pytest.approx(0.6 * full.confidence[0])
    assert (evidence(bare, "book")[0], evidence(full, "book")[0]) == (0.0, 1.0)
    assert np.isnan([evidence(bare, name)[0] for name in BOOK_EVIDENCE]).all()


@pytest.mark.parametrize("age_ns", [HOUR_NS + 1, END_NS])
def test_an_old_or_empty_book_is_none(age_ns: int) -> None:
    depth = with_wall(0, 20, 40.0)
    depth.as_of_ns[:] = END_NS - age_ns
    opinions = opine(STILL, depth)
    assert evidence(opinions, "book")[0] == 0.0
    assert np.isnan(evidence(opinions, "walls")[0])


def test_a_swept_low_is_a_reason_to_rise_and_a_swept_high_to_fall() -> None:
    """Bars of one point around 100, a swing at 110 (90) forty bars ago, taken by the newest one."""
    for sign in (1.0, -1.0):
        ohlcv = np.tile(np.array([100.0, 100.5, 99.5, 100.0, 1.0]), (BARS, 1, 1))
        edge = 1 if sign > 0 else 2
        ohlcv[-40, 0, edge] = ohlcv[-1, 0, edge] = 100.0 + 10.0 * sign
        ohlcv[-1, 0, edge] += 0.5 * sign
        opinions = opine(ohlcv, **only("sweep"))
        assert evidence(opinions, "sweep")[0] == pytest.approx(-0.5 * sign)
        assert opinions.direction[0] * sign < 0.0


def test_silence_has_its_reason() -> None:
    ohlcv = np.concatenate([walk(seed=k) for k in range(4)], axis=1)
    ohlcv[-1, 0] = np.nan
    ohlcv[:40, 1] = np.nan
    opinions = opine(ohlcv, enter_score=0.999)
    assert opinions.abstained == (
        Abstention.STALE_MARKET,
        Abstention.WARMING_UP,
        Abstention.NO_CONVICTION,
        Abstention.NO_CONVICTION,
    )
    assert np.isnan(opinions.direction).all()


def test_before_it_is_recalled_and_without_a_window_it_keeps_silent() -> None:
    snapshot = a_snapshot(STILL)
    agent = LiquidityAgent(spec(), snapshot.symbols, HOUR_NS)
    assert agent.opine(snapshot).abstained == (Abstention.RECALLING,)
    agent.recall(np.zeros((1, 0)))
    bare = type(snapshot)(**{**snapshot.__getstate__(), "window": None})
    silent = agent.opine(bare)
    assert silent.abstained == (Abstention.NO_SOURCE,)
    assert silent.incoherence(1) is None
    with pytest.raises(ValueError, match="no memory"):
        agent.recall(np.zeros((1, 1)))


def test_a_short_window_is_a_start_not_a_view() -> None:
    assert opine(STILL[-100:]).abstained == (Abstention.WARMING_UP,)


def test_evidence_is_named_and_within_its_bounds() -> None:
    ohlcv = np.concatenate([walk(seed=k) for k in range(30)], axis=1)
    opinions = opine(ohlcv, a_depth(30, ofi_base=0.3, ask_spoof_frac=1.0))
    assert opinions.evidence_names == EVIDENCE
    assert opinions.evidence.shape == (30, len(EVIDENCE))
    assert (np.abs(opinions.evidence) <= 1.0).all()
    assert opinions.memory.shape == (30, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window_bars": 10},
        {"zone_bars": 168},
        {"weights": {"sweep": -1.0}},
        {"enter_score": 0.0},
        {"wall_min": 1.0},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        spec(**wrong)


def test_an_instrument_without_a_book_stands_beside_one_with_a_wall() -> None:
    depth = a_depth(2)
    depth.size[0, 0, 20] = 40.0
    depth.price[1], depth.size[1], depth.flow[1], depth.as_of_ns[1] = np.nan, np.nan, np.nan, 0
    opinions = opine(np.concatenate((STILL, STILL), axis=1), depth)
    assert evidence(opinions, "book").tolist() == [1.0, 0.0]
    assert evidence(opinions, "walls")[0] > 0.3
    assert np.isnan(evidence(opinions, "walls")[1])
    assert evidence(opinions, "pools")[0] == evidence(opinions, "pools")[1]


def correlation(cycles: int, market_seed: int, book_seed: int) -> float:
    """Of walls and spoofs, as heard, with the next 12 bars, less the market's, over eight instruments."""
    symbols = tuple(f"{base}/USDT" for base in ["BTC", "ETH", "XRP", "SOL", "ADA", "DOGE", "LTC", "LINK"])
    market, books = (
        SimulatedFeed(seed, symbols, Timeframe.HOUR_1, dict.fromkeys(symbols, 5.0))
        for seed in (market_seed, book_seed)
    )
    close = np.stack([market.rows(i, 0, cycles + 12).ohlcv[:, 3] for i in range(len(symbols))], axis=1)
    after = np.log(close[12:] / close[:-12])
    after -= after.mean(axis=1, keepdims=True)
    heard = []
    for cycle in range(cycles):
        found = book_scores(books.depth(cycle, 32), END_NS, np.inf, 6.0, len(symbols))
        heard.append(found.walls + found.spoofs)
    return float(np.corrcoef(np.ravel(heard), after.ravel())[0, 1])


def test_planted_walls_and_spoofs_are_worth_hearing_and_those_of_another_market_are_not() -> None:
    """8,000 pairs a seed, but episodes last and returns overlap: noise alone stays within 0.05."""
    own = [correlation(1_000, seed, seed) for seed in (12, 15)]
    others = [correlation(1_000, seed, seed + 50) for seed in (12, 15)]
    assert min(own) > 0.05
    assert max(abs(one) for one in others) < 0.05
