"""Examples of every message, drawn from the types and limits of its fields, by hand where that fails."""

import functools
import importlib
import pkgutil
import types
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.fields import FieldInfo

import tg_actors
from tests.stage_words import PLAN
from tg_actors.chaos.faults import FaultMix
from tg_actors.client.words import Bar, ComputeRequest
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.message import Message
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.config import ExchangeConfig, FillRule, Funds, MarginRules
from tg_actors.exchange.server.config import AccountConfig, PacedClock, ServerConfig, SteppedClock
from tg_actors.institutional.correlation_spec import CorrelationConditions, CorrelationSpec
from tg_actors.institutional.rebalancing_spec import RebalancingSpec
from tg_actors.institutional.smart_money_sources import SOURCES
from tg_actors.institutional.smart_money_spec import HeardSource, SmartMoneySpec
from tg_actors.institutional.volume_profile_signs import SIGNS
from tg_actors.institutional.volume_profile_spec import WeighedSign
from tg_actors.llm.catalogue import ModelSpec
from tg_actors.market.config import MarketConfig
from tg_actors.meta.regimes import RegimeConfig
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.stages_plan import StageSpec
from tg_actors.rl.acts import Act, Role, Verb
from tg_actors.rl.manifest import Manifest, OutOfSample
from tg_actors.rl.plans import TrainingPlan
from tg_actors.rl.spec import RlSpec
from tg_actors.technical.conditions import CONDITIONS
from tg_actors.technical.spec import WeighedCondition

#: Started by their own tools only: Alembic's scripts and the command line's entry.
_NOT_IMPORTED = ("migrations", "__main__")

Examples = st.SearchStrategy[Any]
#: The constraints of a field, by pydantic's names: ``{"gt": 0}``.
Limits = dict[str, Any]


def message_types() -> list[type[Message]]:
    """All concrete messages of all rooms: those that nothing derives from, sorted by their full name."""
    _import_every_room()
    return sorted(_leaves(Message), key=lambda message: f"{message.__module__}.{message.__qualname__}")


@functools.cache
def examples_of(message: type[Message]) -> Examples:
    """Instances of a message type. What its own validators refuse is drawn again.

    Raises:
        LookupError: a field's type is unknown here; teach this module.
    """
    if message in _BY_HAND:
        return _BY_HAND[message]
    fields = {name: _of_field(field) for name, field in message.model_fields.items()}
    drawn = st.fixed_dictionaries(fields).map(lambda values: _built(message, values))
    return drawn.filter(lambda built: built is not None)


def _built(message: type[Message], values: dict[str, Any]) -> Message | None:
    try:
        return message(**values)
    except ValidationError:
        return None


def _import_every_room() -> None:
    for module in pkgutil.walk_packages(tg_actors.__path__, "tg_actors.", onerror=_reraise):
        if not any(word in module.name for word in _NOT_IMPORTED):
            importlib.import_module(module.name)


def _reraise(_name: str) -> None:
    raise  # noqa: PLE0704 - walk_packages calls this inside its except clause


def _leaves(message: type[Message]) -> Iterator[type[Message]]:
    for child in message.__subclasses__():
        if child.__subclasses__():
            yield from _leaves(child)
        elif child.__module__.startswith("tg_actors."):
            yield child


def _of_field(field: FieldInfo) -> Examples:
    return _of_type(field.annotation, field.metadata)


def _of_type(kind: Any, rules: Iterable[Any] = ()) -> Examples:
    """Look a type up: itself, what it is generic over, what it derives from; ``rules`` narrow it."""
    limits = {name: getattr(rule, name) for rule in rules for name in _LIMITS if hasattr(rule, name)}
    if kind in _EXACT:
        return _EXACT[kind](limits)
    if get_origin(kind) in _GENERIC:
        return _GENERIC[get_origin(kind)](get_args(kind), limits)
    for base, examples in _DERIVED.items():
        if isinstance(kind, type) and issubclass(kind, base):
            return examples(kind)
    raise LookupError(f"no examples for a field of type {kind}: teach tests/message_examples.py")


_LIMITS = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")


def _texts(limits: Limits) -> Examples:
    if "pattern" in limits:
        return st.from_regex(limits["pattern"], fullmatch=True)
    return st.text(**_sizes(limits))


def _within(strategy: Callable[[Any, Any], Examples], limits: Limits) -> Examples:
    """Draw from the closed range, then drop the ends that an open limit excludes."""
    low: Any = limits.get("gt", limits.get("ge", -1_000_000))
    high: Any = limits.get("lt", limits.get("le", max(1_000_000, low)))
    excluded = [limits[name] for name in ("gt", "lt") if name in limits]
    return strategy(low, high).filter(lambda number: number not in excluded)


def _decimals(low: Any, high: Any) -> Examples:
    """Millionths, far faster than ``st.decimals``, which goes through fractions."""
    millionths = st.integers(int(Decimal(str(low)) * 10**6), int(Decimal(str(high)) * 10**6))
    return millionths.map(lambda count: Decimal(count).scaleb(-6))


def _sizes(limits: Limits) -> dict[str, Any]:
    least = int(limits.get("min_length", 0))
    return {"min_size": least, "max_size": min(int(limits.get("max_length", least + 2)), least + 2)}


def _tuples(inner: tuple[Any, ...], limits: Limits) -> Examples:
    if inner[-1] is Ellipsis:
        return st.lists(_of_type(inner[0]), **_sizes(limits)).map(tuple)
    return st.tuples(*(_of_type(one) for one in inner))


def _choices(inner: tuple[Any, ...], limits: Limits) -> Examples:
    rules = [types.SimpleNamespace(**limits)]
    return st.one_of([_of_type(option, rules) for option in inner])


_EXACT: dict[Any, Callable[[Limits], Examples]] = {
    str: _texts,
    bool: lambda _: st.booleans(),
    int: lambda limits: _within(lambda low, high: st.integers(int(low), int(high)), limits),
    float: lambda limits: _within(lambda low, high: st.floats(float(low), float(high)), limits),
    Decimal: lambda limits: _within(_decimals, limits),
    type(None): lambda _: st.none(),
    Any: lambda _: st.text(max_size=2),
}
_GENERIC: dict[Any, Callable[[tuple[Any, ...], Limits], Examples]] = {
    Annotated: lambda inner, _: _of_type(inner[0], inner[1:]),
    Literal: lambda inner, _: st.sampled_from(inner),
    Union: _choices,
    types.UnionType: _choices,
    tuple: _tuples,
    frozenset: lambda inner, _: st.frozensets(_of_type(inner[0])),
    list: lambda inner, limits: st.lists(_of_type(inner[0]), **_sizes(limits)),
    dict: lambda inner, limits: st.dictionaries(_of_type(inner[0]), _of_type(inner[1]), **_sizes(limits)),
}
_DERIVED: dict[type, Callable[[Any], Examples]] = {
    Enum: st.sampled_from,
    Message: lambda kind: st.deferred(lambda: examples_of(kind)),
}

_positive = _decimals("0.01", "100000")
_PRICES: dict[OrderType, dict[str, st.SearchStrategy[Decimal]]] = {
    OrderType.MARKET: {},
    OrderType.LIMIT: {"limit_price": _positive},
    OrderType.STOP: {"stop_price": _positive},
    OrderType.STOP_LIMIT: {"stop_price": _positive, "limit_price": _positive},
    OrderType.TAKE_PROFIT: {"stop_price": _positive},
    OrderType.TRAILING_STOP: {"trail_frac": _decimals("0.001", "0.5")},
}


def _specs(order_type: OrderType) -> st.SearchStrategy[OrderSpec]:
    return st.builds(
        OrderSpec,
        symbol=st.sampled_from(["BTC/USDT", "XRP/BTC"]),
        side=st.sampled_from(Side),
        order_type=st.just(order_type),
        quantity=_positive,
        post_only=st.booleans(),
        reduce_only=st.booleans(),
        oco_group=st.none() | st.text(max_size=8),
        **_PRICES[order_type],
    )


def _heard(name: Examples) -> st.SearchStrategy[HeardSource]:
    return st.builds(
        HeardSource,
        name=name,
        weight=st.floats(0.125, 8),
        fast=st.floats(1, 9),
        slow=st.floats(10, 99),
        history_min=st.integers(2, 99),
        age_s_max=st.integers(1, 10**6),
    )


def _apart_from(message: type[Message], **given: Examples) -> Examples:
    """Draw every field but those that are given: such as must fit each other."""
    others = {name: _of_field(field) for name, field in message.model_fields.items() if name not in given}
    return st.builds(message, **others, **given)


#: Messages that a random draw would hardly ever get right.
_MODELS = st.sampled_from(["rl-generalist", "rl-aggressive"])
_PROOFS = st.builds(
    OutOfSample,
    market=st.just("simulated"),
    first_day=st.integers(0, 30_000),
    returns_frac=st.lists(st.floats(-1, 1), min_size=1, max_size=5).map(tuple),
    costs=st.just("fee 10 bps"),
    sharpe_low=st.just(-1.0),
    sharpe_high=st.just(2.5),
)

_BY_HAND: dict[type[Message], Examples] = {
    TrainingPlan: st.builds(
        TrainingPlan,
        steps=st.integers(1, 10**7),
        seed=st.integers(0, 2**31),
        gamma=st.floats(0.5, 0.99),
        anchor=st.floats(0, 1),
        device=st.sampled_from(["auto", "cpu", "cuda"]),
        patience_chunks=st.integers(0, 9),
    ),
    OutOfSample: _PROOFS,
    Manifest: st.builds(
        Manifest,
        name=_MODELS,
        features=st.just(("move_1", "exposure")),
        instruments=st.just(("BTC/USDT",)),
        market=st.just("simulated"),
        bar_ns=st.integers(1, 10**15),
        from_ns=st.integers(0, 10),
        to_ns=st.integers(10, 10**18),
        seed=st.integers(0, 99),
        reward=st.sampled_from(["v2", "conservative"]),
        trainer=st.just({"steps": 10, "lr": 0.1, "note": "x", "is_cloned": True, "none": None}),
        code_version=st.just("1"),
        parents=st.sampled_from([(), ("rl-generalist@1",)]),
        evidence=st.none() | _PROOFS,
        created_at_ns=st.integers(0, 10**18),
    ),
    Act: st.builds(
        Act,
        at_ns=st.integers(0, 10**18),
        actor=st.just("ops"),
        verb=st.sampled_from(Verb),
        model=_MODELS,
        role=st.just(Role.CANARY),
        version=st.integers(1, 9),
        share_frac=st.floats(0.01, 0.99),
        reason=st.text(max_size=20),
        override=st.none() | st.just("why"),
    ),
    RlSpec: st.builds(RlSpec, name=st.just("rl_aggressive"), horizon_bars=st.integers(1, 48), model=_MODELS),
    ComputeRequest: st.builds(
        ComputeRequest,
        timeframe=st.sampled_from(["1h", "4h"]),
        bars=st.dictionaries(
            st.sampled_from(["BTC/USDT", "ETH/USDT"]),
            st.lists(st.deferred(lambda: examples_of(Bar)), min_size=2, max_size=3).map(tuple),
            min_size=1,
        ),
        agents=st.sampled_from([(), ("trend",)]),
    ),
    StageSpec: st.builds(
        StageSpec, plan=st.just(PLAN), home=st.sampled_from(PLAN.names), rehearsal=st.booleans()
    ),
    OrderSpec: st.sampled_from(OrderType).flatmap(_specs),
    FaultMix: st.builds(FaultMix, delay=st.floats(0, 0.5), cut=st.floats(0, 0.5), late_s_max=st.floats(1, 9)),
    ServerConfig: st.builds(
        ServerConfig,
        venue=st.just("practice"),
        instruments=st.just(("BTC/USDT",)),
        market=st.deferred(lambda: examples_of(MarketConfig)),
        clock=st.one_of(st.just(SteppedClock()), st.builds(PacedClock, speed=st.floats(0.125, 64))),
        accounts=st.just({"main": AccountConfig(balances={"USDT": Decimal("10.50")})}),
        seed=st.integers(0, 9),
    ),
    RegimeConfig: st.deferred(lambda: _apart_from(RegimeConfig, known_bars_min=st.integers(2, 32))),
    ModelSpec: st.builds(
        ModelSpec,
        provider=st.sampled_from(["anthropic", "ollama"]),
        id=st.text(min_size=1, max_size=8),
        stands_for=st.none() | st.text(max_size=8),
        retires_on=st.sampled_from([None, "2027-01-14"]),
        context_tokens=st.integers(1000, 10**6),
        answer_tokens_max=st.integers(1, 999),
    ),
    MarginRules: st.deferred(
        lambda: _apart_from(
            MarginRules, call_level=_decimals("1.5", "2"), liquidation_level=_decimals("0.125", "1")
        )
    ),
    ExchangeConfig: st.deferred(
        lambda: st.one_of(
            _apart_from(ExchangeConfig, margin=st.none(), funding=st.none(), latency_ms=st.just(0)),
            _apart_from(
                ExchangeConfig,
                margin=examples_of(MarginRules),
                fill_rule=st.just(FillRule.NEXT_OPEN),
                funds=st.just(Funds.HELD),
            ),
        )
    ),
    RiskLimits: st.deferred(
        lambda: _apart_from(
            RiskLimits,
            cluster_correlation_min=_decimals("0", "0.5"),
            cluster_correlation_max=_decimals("0.5", "1"),
        )
    ),
    CorrelationSpec: st.deferred(
        lambda: _apart_from(
            CorrelationSpec,
            name=st.just("correlation"),
            conditions=st.just(CorrelationConditions(stress=0.5)),
            lags_days=st.just((1, 3)),
        )
    ),
    RebalancingSpec: st.deferred(
        lambda: _apart_from(
            RebalancingSpec,
            name=st.just("rebalancing"),
            target=st.just("fixed"),
            weights=st.just({"BTC/USDT": 0.25}),
            cap_frac=st.floats(0.125, 0.5),
            position_frac=st.floats(0.5, 1),
        )
    ),
    WeighedSign: st.builds(WeighedSign, name=st.sampled_from(list(SIGNS)), weight=st.floats(0.125, 8)),
    HeardSource: _heard(st.sampled_from(list(SOURCES))),
    SmartMoneySpec: st.builds(
        SmartMoneySpec,
        name=st.just("smart_money"),
        horizon_bars=st.integers(1, 99),
        sources=st.tuples(_heard(st.just("funding")), _heard(st.just("whale_flow"))),
        trend_bars=st.integers(2, 99),
        crowd_sigma=st.floats(0, 9),
        enter_score=st.floats(0.125, 0.875),
        sources_min=st.integers(1, 2),
    ),
    WeighedCondition: st.builds(
        WeighedCondition, name=st.sampled_from(list(CONDITIONS)), weight=st.floats(0.125, 8)
    ),
    Instrument: st.builds(
        lambda symbol, lots: Instrument(
            symbol=symbol,
            tick=Decimal("0.01"),
            lot=Decimal("0.001"),
            quantity_min=lots * Decimal("0.001"),
            notional_min=Decimal(5),
        ),
        st.from_regex(r"[A-Z0-9]+/[A-Z0-9]+", fullmatch=True),
        st.integers(1, 1000),
    ),
}
