"""Whether a decision that has the right shape makes sense on the market it was made for."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tg_actors.llm.contract.answer import (
    OPENING,
    SIGNAL_ACTIONS,
    Action,
    Comparison,
    EntryKind,
    Invalidation,
    Size,
    SizeKind,
    SymbolDecision,
)
from tg_actors.llm.contract.observation import InstrumentView, Limits, Mode, Observation, PositionView
from tg_actors.llm.grounding import Grounds

#: A limit price farther from the market than this part of it is a slip, not a plan.
_LIMIT_DISTANCE_FRAC_MAX = 0.2
_ADDING = (*OPENING, Action.INCREASE)
#: What an invalidation may compare besides indicators.
CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Scene:
    """One decision before its judge."""

    decision: SymbolDecision
    observation: Observation
    grounds: Grounds

    @property
    def instrument(self) -> InstrumentView:
        """What was shown of the instrument."""
        return self.observation.instruments[self.decision.symbol]

    @property
    def side(self) -> int:
        """1 for a long view, -1 for a short one, 0 where there is none to be wrong about."""
        if self.decision.action in OPENING:
            return 1 if self.decision.action is Action.OPEN_LONG else -1
        held = self.held
        return (held > 0) - (held < 0)

    @property
    def held(self) -> float:
        """Signed size that is held, in base units."""
        position = self._position
        return 0.0 if position is None else position.quantity

    @property
    def is_stuck(self) -> bool:
        """Whether an order is under way already."""
        position = self._position
        return position is not None and position.is_busy

    @property
    def is_reducing(self) -> bool:
        """Whether the account may only become smaller."""
        account = self.observation.account
        return account is not None and account.is_reduce_only

    @property
    def _position(self) -> PositionView | None:
        account = self.observation.account
        return None if account is None else account.positions.get(self.decision.symbol)


def series_of(observation: Observation) -> tuple[str, ...]:
    """Return what an invalidation may compare: the close and every indicator."""
    first = next(iter(observation.instruments.values()))
    return (CLOSE, *first.indicators)


def holds(invalidation: Invalidation, values: Mapping[str, float | None]) -> bool | None:
    """Whether a view is wrong by now, None where a number is not known."""
    left = values.get(invalidation.left)
    right = invalidation.level if invalidation.right is None else values.get(invalidation.right)
    if left is None or right is None:
        return None
    return left > right if invalidation.op is Comparison.ABOVE else left < right


def values_of(instrument: InstrumentView) -> dict[str, float | None]:
    """Return the numbers that invalidations compare."""
    return {CLOSE: instrument.last, **instrument.indicators}


def mistakes(scene: Scene) -> tuple[str, ...]:
    """Return what is wrong with a decision, one sentence each; empty when it makes sense."""
    return tuple(mistake for check in _CHECKS for mistake in check(scene))


def ungrounded(scene: Scene) -> tuple[str, ...]:
    """Return what is wrong with the numbers it cites, one sentence each."""
    decision = scene.decision
    if decision.action in OPENING and not decision.evidence:
        return ("an opening must cite at least one number of the observation as evidence",)
    found = (scene.grounds.mistake(decision.symbol, evidence) for evidence in decision.evidence)
    return tuple(mistake for mistake in found if mistake is not None)


def _action(scene: Scene) -> Iterator[str]:
    action, held = scene.decision.action, scene.held
    if scene.observation.mode is Mode.SIGNAL and action not in SIGNAL_ACTIONS:
        yield f"{action.value} needs an account, and there is none: use open_long, open_short or hold"
    elif scene.is_stuck and action is not Action.HOLD:
        yield f"{action.value} although an order is under way: hold it"
    elif scene.is_reducing and action in _ADDING:
        yield f"{action.value} although nothing may be opened or increased now"
    elif action in OPENING and held:
        yield f"{action.value} although {held} are held: use increase, reduce, close or set_exits"
    elif action not in {*OPENING, Action.HOLD} and not held and scene.observation.mode is Mode.TRADER:
        yield f"{action.value} although nothing is held"


def _price(scene: Scene) -> Iterator[str]:
    if scene.decision.action in OPENING and scene.instrument.last is None:
        yield "an opening although no price is known"


def _entry(scene: Scene) -> Iterator[str]:
    entry, last = scene.decision.entry, scene.instrument.last
    if entry is None:
        return
    if (entry.kind is EntryKind.LIMIT) != (entry.limit_price is not None):
        yield "entry.limit_price belongs to kind limit, and to no other"
    elif entry.limit_price is not None and _is_far(entry.limit_price, last):
        yield f"entry.limit_price {entry.limit_price} is too far from the last price {last}"


def _is_far(price: float, last: float | None) -> bool:
    return last is not None and abs(price / last - 1.0) > _LIMIT_DISTANCE_FRAC_MAX


def _sides(scene: Scene) -> Iterator[str]:
    decision, side = scene.decision, scene.side
    if decision.exits is None or not side:
        return
    entry = decision.entry.limit_price if decision.entry is not None else None
    reference = entry or scene.instrument.last
    if reference is None:
        return
    stop = decision.exits.stop_loss
    if stop is not None and (reference - stop) * side <= 0:
        yield f"exits.stop_loss {stop} is on the wrong side of {reference}"
    for target in decision.exits.take_profits:
        if (target - reference) * side <= 0:
            yield f"exits.take_profits {target} is on the wrong side of {reference}"


def _invalidations(scene: Scene) -> Iterator[str]:
    if scene.decision.exits is None:
        return
    values = values_of(scene.instrument)
    for one in scene.decision.exits.invalidations:
        if (one.right is None) == (one.level is None):
            yield "an invalidation compares with right or with level: give one of them"
        elif unknown := [name for name in (one.left, one.right) if name is not None and name not in values]:
            yield f"an invalidation compares {unknown[0]!r}, which nobody computes"
        elif scene.decision.action in OPENING and holds(one, values):
            yield f"the invalidation {one.left} {one.op.value} {one.right or one.level} is true already"


def _size(scene: Scene) -> Iterator[str]:
    size, limits = scene.decision.size, scene.observation.limits
    if size is not None and size.value > (most := _LARGEST[size.kind](limits)):
        yield f"size {_words(size)} is above the limit {most}"
    leverage = scene.decision.leverage
    if leverage is not None and leverage > limits.leverage_max:
        yield f"leverage {leverage} is above the limit {limits.leverage_max}"


_LARGEST: Mapping[SizeKind, Callable[[Limits], float]] = {
    SizeKind.RISK_FRAC: lambda limits: limits.risk_per_trade_frac,
    SizeKind.TARGET_FRAC: lambda limits: limits.position_frac_max,
    SizeKind.NOTIONAL: lambda limits: limits.order_notional_max,
}


def _words(size: Size) -> str:
    return f"{size.kind.value} {size.value}"


_CHECKS: tuple[Callable[[Scene], Iterator[str]], ...] = (
    _action,
    _price,
    _entry,
    _sides,
    _invalidations,
    _size,
)
