from dataclasses import replace
from decimal import Decimal
from math import inf, nan
from typing import Any

import pytest
from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from tests.correlation_words import walks
from tests.portfolio_words import INSTRUMENTS, SYMBOLS
from tests.risk_words import NOW_NS, Numbers, Scene, an_account
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import Account, Judgement, RiskState
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import Intent, Leg, TradingState

#: Three months of closes by how they cluster; None where nothing is known.
CLOSES: dict[str, F64 | None] = {
    "unknown": None,
    "apart": walks([[0.0], [0.0], [0.0]]),
    "two together": walks([[0.95], [0.95], [0.0]]),
    "all one": walks([[0.95], [0.95], [0.95]]),
}
GROUPS = {
    "unknown": [{*SYMBOLS}],
    "apart": [{symbol} for symbol in SYMBOLS],
    "two together": [{*SYMBOLS[:2]}, {SYMBOLS[2]}],
    "all one": [{*SYMBOLS}],
}
FOUND = settings(phases=[Phase.generate], max_examples=500, database=None)
QUOTE_OF = {instrument.symbol: instrument.quote for instrument in INSTRUMENTS}


def triples(values: st.SearchStrategy[float]) -> st.SearchStrategy[Numbers]:
    return st.tuples(values, values, values)


def money(low: str, high: str) -> st.SearchStrategy[Decimal]:
    return st.decimals(low, high, places=4)


exposures = st.one_of(st.just(nan), st.floats(-1.5, 1.5), st.floats(0.5, 1))
fracs = money("0.01", "0.5")


def mostly(usual: st.SearchStrategy[Any], rare: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Most accounts are in order: one that is not hides every other rule."""
    return st.integers(0, 9).flatmap(lambda die: rare if die == 0 else usual)


accounts = st.builds(
    lambda positions, **facts: an_account(
        positions={s: q for s, q in positions.items() if q != ZERO}, **facts
    ),
    cash=st.fixed_dictionaries(
        {
            "USDT": mostly(money("1e4", "1e6"), money("-100", "1e4")),
            "BTC": mostly(money("1e2", "1e3"), money("-1", "1e2")),
        }
    ),
    positions=st.dictionaries(st.sampled_from(SYMBOLS), money("-20", "100"), max_size=2),
    rates=st.fixed_dictionaries({"USDT": st.just(Decimal(1)), "BTC": money("0.1", "1e3")}),
    equity=mostly(money("1e4", "1e6"), money("-1000", "1000")),
    gross_exposure=mostly(money("0", "1e3"), money("0", "1e6")),
    open_notional=mostly(st.just({}), st.dictionaries(st.sampled_from(SYMBOLS), money("0", "1e5"))),
    busy=mostly(st.just(()), st.sampled_from(SYMBOLS).map(lambda symbol: (symbol,))),
    blocked=mostly(st.just(()), st.sampled_from(SYMBOLS).map(lambda symbol: (symbol,))),
    trading_state=mostly(st.just(TradingState.ACTIVE), st.just(TradingState.REDUCE_ONLY)),
)
limits: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "risk_per_trade_frac": money("0.001", "0.1"),
        "position_frac_max": fracs,
        "leverage_max": money("0.5", "3"),
        "order_notional_max": money("1", "1e5"),
        "trades_per_day_max": st.integers(1, 3),
        "cash_buffer_frac": money("0", "0.5"),
        "rebalance_band_frac": money("0", "0.4"),
        "cluster_exposure_frac_max": st.one_of(st.none(), money("0.01", "0.6")),
        "allow_short": st.booleans(),
    }
)
prices = st.floats(0.01, 1e3)
scenes = st.builds(
    lambda bid, spreads, **facts: Scene(
        bid=bid, ask=tuple(b * (1 + s) for b, s in zip(bid, spreads, strict=True)), **facts
    ),
    bid=triples(prices),
    spreads=triples(st.floats(0, 0.05)),
    exposure=triples(exposures),
    confidence=triples(mostly(st.floats(0.55, 1), st.floats(0, 1))),
    atr=triples(st.floats(1e-3, 100)),
    shares=st.tuples(*[st.tuples(st.floats(0, 1), st.floats(0, 1))] * 3),
    account=accounts,
    limits=limits,
    state=st.builds(
        RiskState,
        trades_today=mostly(st.just(0), st.integers(0, 2)),
        day=st.just(NOW_NS // (24 * 3600 * 10**9)),
    ),
)


@pytest.mark.parametrize("leg", [Leg.ENTRY, Leg.EXIT])
def test_scenes_reach_every_leg_or_the_laws_below_would_say_nothing(leg: Leg) -> None:
    # Found is enough: the smallest one is of no interest.
    find(scenes, lambda scene: any(intent.leg is leg for intent in scene.judge().approved), settings=FOUND)


def notional(intent: Intent, account: Account) -> Decimal:
    return intent.spec.quantity * intent.reference_price * account.rates[QUOTE_OF[intent.spec.symbol]]


def entries(judged: Judgement) -> list[Intent]:
    return [intent for intent in judged.approved if intent.leg is Leg.ENTRY]


@given(scene=scenes)
def test_no_limit_is_ever_exceeded(scene: Scene) -> None:
    core, account = scene.core(), scene.account
    judged, limit = core.judge(scene.request()), core._limits
    new = entries(judged)
    sizes = {intent.spec.symbol: notional(intent, account) for intent in new}
    for symbol, size in sizes.items():
        held = abs(account.positions.get(symbol, ZERO)) * from_float(_mid(scene, symbol))
        worst = held * account.rates[QUOTE_OF[symbol]] + account.open_notional.get(symbol, ZERO) + size
        assert worst <= account.equity * limit.position_frac_max
        assert size <= limit.order_notional_max
    if new:
        exposed = account.gross_exposure + sum(account.open_notional.values()) + sum(sizes.values())
        assert exposed <= account.equity * limit.leverage_max
        assert core.state.trades_today <= limit.trades_per_day_max
    for quote, cash in account.cash.items():
        bought = [i for i in new if i.spec.side == "buy" and QUOTE_OF[i.spec.symbol] == quote]
        spent = sum(sizes[intent.spec.symbol] for intent in bought)
        assert not bought or spent <= cash * account.rates[quote] * (1 - limit.cash_buffer_frac)


@given(scene=scenes, market=st.sampled_from([*CLOSES]))
def test_no_cluster_is_ever_filled_beyond_its_limit(scene: Scene, market: str) -> None:
    frac = scene.limits["cluster_exposure_frac_max"]
    assume(frac is not None)
    there, account = replace(scene, closes=CLOSES[market]), scene.account
    new = entries(there.judge())
    for group in GROUPS[market]:
        added = [notional(intent, account) for intent in new if intent.spec.symbol in group]
        held = sum(
            abs(quantity) * account.marks[symbol] * account.rates[QUOTE_OF[symbol]]
            for symbol, quantity in account.positions.items()
            if symbol in group
        )
        ordered = sum(worst for symbol, worst in account.open_notional.items() if symbol in group)
        # What is over its limit already is left alone, and gets no more.
        assert not added or held + ordered + sum(added) <= account.equity * frac


@given(scene=scenes)
def test_a_limit_of_clusters_denies_no_exit(scene: Scene) -> None:
    free = replace(scene, limits=scene.limits | {"cluster_exposure_frac_max": None})
    tight = replace(scene, limits=scene.limits | {"cluster_exposure_frac_max": Decimal("0.0001")})
    exits = [[i for i in one.judge().approved if i.leg is Leg.EXIT] for one in (free, tight)]
    assert exits[0] == exits[1]


@given(scene=scenes)
def test_risk_at_the_stop_is_bounded_for_the_whole_position(scene: Scene) -> None:
    core, account = scene.core(), scene.account
    for intent in entries(core.judge(scene.request())):
        assert intent.protection is not None
        symbol = intent.spec.symbol
        held = (
            abs(account.positions.get(symbol, ZERO))
            * intent.reference_price
            * account.rates[QUOTE_OF[symbol]]
        )
        lost = (held + notional(intent, account)) * intent.protection.stop_frac
        # The last places of a division.
        assert lost <= account.equity * core._limits.risk_per_trade_frac * (1 + Decimal("1e-30"))


@given(scene=scenes)
def test_every_approved_intent_is_sound(scene: Scene) -> None:
    account, core = scene.account, scene.core()
    judged = core.judge(scene.request())
    for intent in judged.approved:
        spec = intent.spec
        instrument = INSTRUMENTS[SYMBOLS.index(spec.symbol)]
        held = account.positions.get(spec.symbol, ZERO)
        assert spec.quantity % instrument.lot == 0
        assert instrument.is_sendable(spec.quantity, intent.reference_price)
        assert spec.symbol not in account.busy + account.blocked
        assert sum(share.frac for share in intent.shares) in {0, 1}
        if intent.leg is Leg.EXIT:
            assert spec.quantity <= abs(held)
            assert spec.side.sign * held < 0
            assert spec.reduce_only
        else:
            assert spec.side.sign * held >= 0
            assert spec.side == "buy" or core._limits.allow_short
            assert account.trading_state is TradingState.ACTIVE
    # At most one answer an instrument, and none without a view.
    answered = [i.spec.symbol for i in judged.approved] + [d.symbol for d in judged.denied]
    assert len(set(answered)) == len(answered)
    assert all(scene.exposure[SYMBOLS.index(s)] == scene.exposure[SYMBOLS.index(s)] for s in answered)


@given(
    scene=scenes,
    field=st.sampled_from(["bid", "ask", "fresh"]),
    value=st.sampled_from([nan, inf, -inf, 0.0, -1.0]),
)
def test_nothing_is_approved_on_a_market_that_is_not_known(scene: Scene, field: str, value: float) -> None:
    changes: dict[str, Any] = {field: (value, value, value)}
    broken = replace(scene, **changes)
    assert broken.judge().approved == ()


@given(scene=scenes, missing=st.sampled_from(["marks", "rates", "old", "early", "halted"]))
def test_nothing_is_approved_on_books_that_are_not_known(scene: Scene, missing: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "marks": {"marks": {}, "positions": {SYMBOLS[0]: Decimal(1)}},
        "rates": {"rates": {}},
        "old": {"at_ns": NOW_NS - 10**15},
        "early": {"at_ns": NOW_NS + 1},
        "halted": {"trading_state": TradingState.HALTED},
    }
    broken = replace(scene, account=scene.account.model_copy(update=changes[missing]))
    assert broken.judge().approved == ()


@given(
    scene=scenes,
    field=st.sampled_from(["atr", "confidence", "exposure"]),
    value=st.sampled_from([nan, inf, -inf]),
)
def test_nothing_is_entered_on_numbers_that_are_not_finite(scene: Scene, field: str, value: float) -> None:
    assume((field, value) != ("confidence", inf))
    changes: dict[str, Any] = {field: (value, value, value)}
    broken = replace(scene, **changes)
    assert entries(broken.judge()) == []


@given(scene=scenes, thresholds=st.tuples(money("0", "1"), money("0", "1")))
def test_asking_for_more_confidence_never_approves_more(
    scene: Scene, thresholds: tuple[Decimal, Decimal]
) -> None:
    low, high = sorted(thresholds)
    # One instrument: with several, a denied entry leaves its cash and its trade to the next one.
    alone = replace(scene, exposure=(scene.exposure[0], nan, nan))
    symbols = [
        {
            i.spec.symbol
            for i in replace(alone, limits=alone.limits | {"confidence_frac_min": least}).judge().approved
        }
        for least in (high, low)
    ]
    assert symbols[0] <= symbols[1]


@given(scene=scenes)
def test_judging_twice_changes_nothing_and_a_new_process_agrees(scene: Scene) -> None:
    core = scene.core()
    first = core.judge(scene.request())
    state = core.state
    assert core.judge(scene.request()) == first
    assert core.state == state
    assert scene.judge().model_dump_json() == first.model_dump_json()


def _mid(scene: Scene, symbol: str) -> float:
    row = SYMBOLS.index(symbol)
    return (scene.bid[row] + scene.ask[row]) / 2
