import json
import pickle

import numpy as np
import pytest
from pydantic import ValidationError

from tests.flow_words import HOUR_NS, MONDAY_NS, bars, shipped, snapshot
from tg_actors.domain.blocks import F64, Abstention, Window
from tg_actors.domain.errors import UserError
from tg_actors.institutional.volume_profile import LEVEL_NAMES, VolumeProfileAgent
from tg_actors.institutional.volume_profile_levels import Levels, Shelf
from tg_actors.institutional.volume_profile_signs import SIGNS
from tg_actors.institutional.volume_profile_spec import VolumeProfileSpec
from tg_actors.institutional.volume_profile_view import Cut, Grid, ProfileView, Shelves, session_ns_of
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe

DAY_NS = 24 * HOUR_NS
W = 240
SPEC = VolumeProfileSpec.model_validate_json(
    json.dumps(shipped(VolumeProfileSpec, "volume_profile").model_dump(mode="json") | {"window_bars": W})
)
GRID = Grid(DAY_NS, 64, 0.7, 5, 10, 1.3, 0.5)


def agent(n: int = 1, spec: VolumeProfileSpec = SPEC) -> VolumeProfileAgent:
    return VolumeProfileAgent(spec, tuple(f"A{i}/USDT" for i in range(n)), HOUR_NS)


def balance(rng: np.random.Generator, w: int = W, n: int = 1) -> F64:
    """A market that swings around 100: a bell of volume."""
    return bars(100.0 + 2.0 * rng.standard_normal((w, n)), rng, np.ones((w, n)))


def evidence(ohlcv: F64) -> dict[str, float]:
    opinions = agent().opine(snapshot(ohlcv, end_ns=MONDAY_NS + 1_010 * HOUR_NS))
    return dict(zip(opinions.evidence_names, opinions.evidence[0].tolist(), strict=True))


def test_sessions_are_days_where_they_can_be() -> None:
    assert session_ns_of(HOUR_NS, 500) == DAY_NS
    assert session_ns_of(4 * HOUR_NS, 500) == DAY_NS
    assert session_ns_of(DAY_NS, 500) == 7 * DAY_NS
    assert session_ns_of(HOUR_NS // 12, 500) == 8 * HOUR_NS
    assert session_ns_of(HOUR_NS // 60, 500) == HOUR_NS
    with pytest.raises(UserError, match="raise window_bars"):
        session_ns_of(HOUR_NS // 60, 200)


def window(end_ns: int, slots: int = W, bar_ns: int = HOUR_NS) -> Window:
    return Window(bar_ns, end_ns, ("A",), np.ones((slots, 1, 5)))


def test_sessions_are_cut_at_midnight() -> None:
    cut = Cut.of(window(MONDAY_NS + 10 * HOUR_NS), GRID)
    assert (cut.per, cut.present) == (24, W - 10)
    assert cut.session == slice(W - 10, W)
    assert cut.composite == slice(W - 10 - 120, W - 10)
    assert cut.earlier == slice(W - 10 - 9 * 24, W - 10)


def test_early_in_a_session_the_one_before_speaks_for_it() -> None:
    assert Cut.of(window(MONDAY_NS + 5 * HOUR_NS), GRID).session == slice(W - 5 - 24, W - 5)
    assert Cut.of(window(MONDAY_NS + 6 * HOUR_NS), GRID).session == slice(W - 6, W)


def test_the_bar_that_closes_at_midnight_belongs_to_the_day_that_ends() -> None:
    assert Cut.of(window(MONDAY_NS), GRID).present == W - 24


def test_weeks_begin_on_monday() -> None:
    weekly = Grid(7 * DAY_NS, 64, 0.7, 5, 10, 1.3, 0.5)
    assert Cut.of(window(MONDAY_NS, bar_ns=DAY_NS), weekly).present == W - 7
    assert Cut.of(window(MONDAY_NS + DAY_NS, bar_ns=DAY_NS), weekly).present == W - 1


def view(**changes: object) -> ProfileView:
    """One instrument at 100, value area 95 to 105 around 101, nothing else near; units of 1."""
    none = Shelf(np.array([np.nan]), np.zeros(1))
    level = Levels(np.array([101.0]), np.array([95.0]), np.array([105.0]))
    newest = np.full((1, 3), 100.0)
    fields = {
        "close": newest,
        "high": newest,
        "low": newest,
        "unit": np.ones(1),
        "surge": np.full(1, 1.5),
        "composite": level,
        "session": level,
        "whole": level,
        "shelves": Shelves(none, none, none, none, none, none),
        "is_known": np.ones(1, dtype=np.bool_),
    }
    return ProfileView(**(fields | changes))  # type: ignore[arg-type]


def row(*numbers: float) -> F64:
    return np.array([numbers])


def shelves(**known: float) -> Shelves:
    names = ("resistance", "support", "thin_above", "thin_below", "naked_above", "naked_below")
    prices = {name: np.array([known.get(name, np.nan)]) for name in names}
    return Shelves(**{name: Shelf(price, 2.0 * np.isfinite(price)) for name, price in prices.items()})


#: Sign, what the market did, the side that the sign takes.
@pytest.mark.parametrize(
    ("sign", "changes", "side"),
    [
        ("acceptance", {"close": row(104, 107, 108)}, 1),
        ("acceptance", {"close": row(96, 93, 92)}, -1),
        ("acceptance", {"close": row(104, 104, 108)}, 0),
        ("acceptance", {"close": row(104, 107, 108), "surge": np.full(1, 0.4)}, 0),
        ("acceptance", {}, 0),
        ("rejection", {"low": row(96, 93, 97), "close": row(96, 95, 98)}, 1),
        ("rejection", {"high": row(104, 108, 103), "close": row(104, 104, 102)}, -1),
        ("rejection", {"low": row(96, 93, 92), "close": row(96, 94, 93)}, 0),
        ("rotation", {}, 1),
        ("rotation", {"close": row(104, 104, 104)}, -1),
        ("rotation", {"close": row(107, 107, 107)}, 0),
        ("migration", {"session": Levels(row(108)[0], row(106)[0], row(110)[0])}, 1),
        ("migration", {"session": Levels(row(93)[0], row(90)[0], row(94)[0])}, -1),
        ("migration", {}, 0),
        ("naked_poc", {"shelves": shelves(naked_above=102.0)}, 1),
        ("naked_poc", {"shelves": shelves(naked_above=110.0, naked_below=99.0)}, -1),
        ("naked_poc", {}, 0),
        ("nodes", {"shelves": shelves(support=99.0, resistance=104.0)}, 1),
        ("nodes", {"shelves": shelves(support=90.0, resistance=100.5)}, -1),
        ("nodes", {}, 0),
    ],
)
def test_each_sign_takes_its_side(sign: str, changes: dict[str, object], side: int) -> None:
    score = SIGNS[sign](view(**changes))
    assert score.shape == (1,)
    assert -1.0 <= score[0] <= 1.0
    assert np.sign(score[0]) == side


def test_a_break_is_louder_on_volume_and_farther_out() -> None:
    loud, quiet = (
        SIGNS["acceptance"](view(close=row(104, 107, 108), surge=np.full(1, surge))) for surge in (1.5, 0.8)
    )
    near = SIGNS["acceptance"](view(close=row(104, 105.5, 105.6)))
    assert loud[0] > quiet[0] > 0.0
    assert loud[0] > near[0] > 0.0


def test_the_levels_of_a_balanced_market_lie_where_its_volume_does() -> None:
    ohlcv = balance(np.random.default_rng(8))
    found = evidence(ohlcv)
    unit = (ohlcv[-24:, 0, 1] - ohlcv[-24:, 0, 2]).mean()
    price = ohlcv[-1, 0, 3]
    at = {name: price + 10 * unit * found[name] / np.sqrt(1 - found[name] ** 2) for name in LEVEL_NAMES[:3]}
    assert 98.5 < at["poc"] < 101.5
    assert 96.0 < at["val"] < 99.0
    assert 101.0 < at["vah"] < 104.0


def test_a_break_out_of_balance_is_bought_and_one_down_is_sold() -> None:
    rng = np.random.default_rng(8)
    market = balance(rng, n=2)
    market[-2:, 0, :4] = [[107.0, 110.0, 107.0, 109.5], [109.5, 113.0, 109.0, 112.0]]
    market[-2:, 1, :4] = [[93.0, 93.5, 90.0, 90.5], [90.5, 91.0, 87.0, 88.0]]
    market[-2:, :, 4] = 3.0
    opinions = agent(2).opine(snapshot(market, end_ns=MONDAY_NS + 1_008 * HOUR_NS + 2 * HOUR_NS))
    by_name = dict(zip(opinions.evidence_names, opinions.evidence.T, strict=True))
    assert np.sign(by_name["acceptance"]).tolist() == [1.0, -1.0]
    assert by_name["rotation"].tolist() == [0.0, 0.0]


def test_it_speaks_where_the_score_and_the_agreement_are_high_enough() -> None:
    rng = np.random.default_rng(8)
    market = balance(rng)
    market[-10:, 0, :4] += np.linspace(5, 25, 10)[:, np.newaxis]
    market[-10:, 0, 4] = 3.0
    opinions = agent().opine(snapshot(market, end_ns=MONDAY_NS + 10 * HOUR_NS))
    assert opinions.abstained == (None,)
    signs = opinions.evidence[0, : len(SPEC.signs)]
    weights = np.array([sign.weight for sign in SPEC.signs])
    score = (weights * signs).sum() / weights.sum()
    agreement = abs((weights * signs).sum()) / (weights * abs(signs)).sum()
    assert score > SPEC.enter_score
    np.testing.assert_allclose(
        [opinions.direction[0], opinions.confidence[0]], [score, (score * agreement) ** 0.5]
    )
    assert opinions.incoherence(1) is None


def test_it_says_why_it_is_silent() -> None:
    market = balance(np.random.default_rng(8), n=2)
    holes = market.copy()
    holes[:-10, 1] = np.nan
    scenes = {
        "stale": (snapshot(market, late_bars=1), (Abstention.STALE_MARKET,) * 2),
        "no window": (snapshot(None, n=2), (Abstention.NO_SOURCE,) * 2),
        "short": (snapshot(market[1:]), (Abstention.WARMING_UP,) * 2),
        "holes": (snapshot(holes), (Abstention.NO_CONVICTION, Abstention.WARMING_UP)),
    }
    for name, (scene, expected) in scenes.items():
        opinions = agent(2).opine(scene)
        assert opinions.abstained == expected, name
        assert opinions.incoherence(2) is None


def test_a_market_that_stands_still_is_no_error() -> None:
    flat = np.full((W, 1, 5), 7.0)
    opinions = agent().opine(snapshot(flat))
    assert opinions.abstained == (Abstention.NO_CONVICTION,)
    assert np.isfinite(opinions.evidence[0, : len(SPEC.signs)]).all()


def test_it_depends_on_its_own_window_only() -> None:
    rng = np.random.default_rng(8)
    longer = balance(rng, W + 60)
    own = agent().opine(snapshot(longer[-W:].copy()))
    assert pickle.dumps(agent().opine(snapshot(longer))) == pickle.dumps(own)


@pytest.mark.parametrize("timeframe", [one for one in Timeframe if one.bar_ns <= DAY_NS])
def test_the_shipped_agent_is_sound_at_every_timeframe(timeframe: Timeframe) -> None:
    which = shipped(VolumeProfileSpec, "volume_profile")
    one = VolumeProfileAgent(which, ("A0/USDT", "A1/USDT"), timeframe.bar_ns)
    rng = np.random.default_rng(9)
    walk = bars(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (530, 2)), axis=0)), rng)
    for end in range(500, 530, 5):
        end_ns = MONDAY_NS + end * timeframe.bar_ns
        opinions = one.opine(snapshot(walk[end - 500 : end], end_ns=end_ns, bar_ns=timeframe.bar_ns))
        assert opinions.incoherence(2) is None
        assert np.isfinite(opinions.evidence[:, : len(which.signs)]).all()


def test_it_remembers_nothing() -> None:
    one = agent(2)
    one.recall(None)
    one.recall(np.empty((2, 0)))
    with pytest.raises(ValueError, match="remembers nothing"):
        one.recall(np.zeros((2, 1)))


def test_the_shipped_agent_weighs_all_signs_and_says_what_it_needs() -> None:
    which = shipped(VolumeProfileSpec, "volume_profile")
    assert {sign.name for sign in which.signs} == set(SIGNS)
    assert which.needs() == MarketNeeds(window_bars=500)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"signs": [{"name": "acceptanc", "weight": 1.0}]}, "did you mean 'acceptance'"),
        ({"signs": [{"name": "astrology", "weight": 1.0}]}, "known are acceptance"),
        ({"signs": [{"name": "nodes", "weight": 1.0}] * 2}, "named once"),
        ({"signs": []}, "at least 1"),
        ({"value_frac": 1.0}, "less than 1"),
        ({"bins": 4}, "greater than or equal to 16"),
        ({"leverage": 3}, "Extra inputs"),
    ],
)
def test_a_bad_spec_is_refused_with_its_reason(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        VolumeProfileSpec.model_validate_json(json.dumps(SPEC.model_dump(mode="json") | change))
