"""The whole improvement on a market whose meaning changes on a known day: what it does, day by day.

A champion is trained before the change and decides. The loop that improves desks then runs as it always does,
with the real training, gate, tests and registry in a folder of its own; only the market is made up. Without a
change nothing should be promoted.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from tg_actors.backtest.improving import Entry, Improver
from tg_actors.backtest.improving_work import Shop, Terms
from tg_actors.backtest.model_gate import GatePlan
from tg_actors.backtest.schooling import Ground, Maker, Schooling, best_rule, outcome
from tg_actors.backtest.shelf import FolderShelf
from tg_actors.backtest.validation.bootstrap import Interval, interval, mean, sharpe_yearly_365
from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.rl.accounts import EpisodeRules
from tg_actors.rl.acts import Role
from tg_actors.rl.changing_market import ChangingMarket, rules_of_hand
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.improvement import ImprovementPlan, Stage, Watched
from tg_actors.rl.manifest import Manifest
from tg_actors.rl.plans import CloningPlan, TrainingPlan
from tg_actors.rl.registry import ModelRegistry

MODEL = "rl-rehearsal"
#: Some day to begin on: 2024-01-01.
_FIRST_DAY = 19_723
_DAY_NS = 86_400 * 10**9
_HOURS = 24
_COSTS = "fee 5 bps, slippage 2 bps"
_FEE_FRAC = 0.0005
#: Steps to take at most when nothing new is known: an attempt has fewer stages.
_STEPS_MAX = 20


def small_schooling(**changed: Any) -> Schooling:
    """Return schooling that fits a market of few columns: seconds, not minutes."""
    training = TrainingPlan(
        steps=32_768,
        rows=128,
        n_steps=32,
        batch=1_024,
        learning_rate=1e-3,
        gamma=0.9,
        anchor=0.1,
        hidden=32,
    )
    schooling = Schooling(
        train_days=28,
        test_days=14,
        windows=9,
        demonstrations=8_000,
        cloning=CloningPlan(epochs=20, hidden=32),
        training=training,
    )
    return schooling.model_copy(update=changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalPlan:
    """How long it goes on: ``days`` in all, the change on ``change_day`` or never.

    The loop wakes every ``tick_days``; an attempt begins ``every_days``, the first one as soon as there are
    days enough.
    """

    days: int = 385
    change_day: int | None = 197
    tick_days: int = 7
    every_days: int = 28
    assets: int = 8
    edge_frac: float = 0.0003
    terms: Terms = field(default_factory=lambda: Terms(schooling=small_schooling()))


def small_plan(*, change: bool) -> RehearsalPlan:
    """Return a rehearsal for tests: two seeds, short windows, a short canary, an early change.

    The change falls among the first attempt's test days, and most of them come after it. So the rigid rule
    was chosen before it, as in the whole rehearsal, and challengers have time to learn of it.
    """
    schooling = small_schooling(train_days=14, test_days=7, windows=12, seeds=2)
    training = schooling.training.model_copy(update={"steps": 8_192})
    return RehearsalPlan(
        days=190 if change else 128,
        change_day=50 if change else None,
        terms=Terms(
            watching=ImprovementPlan(canary_days=7),
            gate=GatePlan(seeds_min=2, windows_min=12, days_min=84, samples=500, pbo_blocks=8),
            schooling=schooling.model_copy(update={"training": training}),
        ),
    )


class Phase(Message):
    """What the desk earned a day, in the mean, on the days from ``first_day`` to before ``end_day``."""

    name: str
    first_day: int
    end_day: int
    mean_daily_frac: float
    interval: Interval | None
    sharpe_daily_365: float | None


class Move(Message):
    """A change of stage: the day on which it was decided, and why."""

    day: int
    attempt: int
    stage: Stage
    version: int | None
    why: str


class Rehearsed(Message):
    """What came of it. Days are counted from the market's first.

    ``desk_frac``: daily returns of the desk that follows the registry, from ``desk_day`` on; ``kept_frac``:
    of one that keeps the first champion.
    """

    seed: int
    change_day: int | None
    desk_day: int
    desk_frac: tuple[float, ...]
    kept_frac: tuple[float, ...]
    moves: tuple[Move, ...]
    phases: tuple[Phase, ...]
    attempts: int = Field(ge=0)
    promoted_day: int | None
    rolled_back: int = Field(ge=0)

    @property
    def recovered(self) -> bool:
        """Whether the desk earns again after the promotion, and more than it lost after the change."""
        named = {phase.name: phase for phase in self.phases}
        after, worse = named.get("promoted"), named.get("degraded")
        if after is None or worse is None or after.interval is None:
            return False
        return after.interval.low > max(worse.mean_daily_frac, 0.0)


def ground_of(market: ChangingMarket) -> Ground:
    """Return a made-up market as a ground, its rigid rules with it."""
    learned, signals = market.open_()
    ground = Ground(
        key=market.key,
        costs=_COSTS,
        symbols=tuple(f"MADE{k}/UP" for k in range(market.assets)),
        market=learned,
        rules=EpisodeRules(fee_frac=_FEE_FRAC, shorts=True, bars=2 * _HOURS),
        bars_per_day=market.bars_per_day,
        bar_ns=_DAY_NS // market.bars_per_day,
        first_day=_FIRST_DAY,
        rigid=_nobody,
    )
    return replace(ground, rigid=best_rule(rules_of_hand(signals), ground))


def rehearse(
    plan: RehearsalPlan,
    folder: Path,
    make: Maker,
    *,
    seed: int,
    tell: Callable[[int, str], None] = lambda _day, _what: None,
) -> Rehearsed:
    """Play it; ``tell`` hears the day and what is done. The folder is new; the same seed gives the same."""
    market = ChangingMarket(
        seed=seed,
        days=plan.days,
        change_day=plan.change_day,
        assets=plan.assets,
        edge_frac=plan.edge_frac,
    )
    ground = ground_of(market)
    registry = ModelRegistry(folder / "models")
    tried: set[str] = set()
    shop = Shop(
        registry=registry,
        folder=folder / "improvement",
        make=make,
        count_trials=lambda _market, what: _count(tried, what),
        code_version="rehearsal",
        shelf=FolderShelf(folder / "shelf"),
    )
    _first_champion(ground, plan.terms.schooling, registry, make)
    improver = Improver(MODEL, plan.terms, shop)
    first = ground.begin_day + plan.terms.schooling.days
    for end in range(first, ground.end_day + 1, plan.tick_days):
        now, at_ns = ground.until(end), end * _DAY_NS
        if (end - first) % plan.every_days == 0:
            improver.begin(at_ns)
        tell(end - _FIRST_DAY, improver.attempt().stage.value)
        for _ in range(_STEPS_MAX):
            if improver.step(now, at_ns) is None:
                break
    return _rehearsed(plan, seed, ground, improver, registry)


def _first_champion(ground: Ground, schooling: Schooling, registry: ModelRegistry, make: Maker) -> None:
    begin, end = ground.begin_day, ground.begin_day + schooling.train_days
    version = registry.register(
        MODEL,
        make(ground, schooling, begin, end, 0),
        Manifest(
            name=MODEL,
            features=(*ground.market.names, *ACCOUNT),
            instruments=ground.symbols,
            market=ground.key,
            bar_ns=ground.bar_ns,
            from_ns=begin * _DAY_NS,
            to_ns=end * _DAY_NS,
            seed=0,
            reward=schooling.reward,
            shorts=True,
            code_version="rehearsal",
            created_at_ns=end * _DAY_NS,
        ),
    )
    registry.promote(
        MODEL,
        version,
        Role.CHAMPION,
        reason="the first one",
        actor="rehearsal",
        at_ns=end * _DAY_NS,
        override="a rehearsal begins with somebody",
    )


def _rehearsed(
    plan: RehearsalPlan, seed: int, ground: Ground, improver: Improver, registry: ModelRegistry
) -> Rehearsed:
    entries, schooling = improver.entries(), plan.terms.schooling
    begin = ground.begin_day + schooling.train_days
    earned = {
        version: outcome(
            ground, registry.load(MODEL, version)[0], begin, ground.end_day, schooling.reward
        ).returns
        for version in registry.versions(MODEL)
    }
    moves = _timeline(entries)
    desk = _desk(entries, earned, begin, ground.end_day, plan)
    promoted = next((m.day for m in moves if m.stage is Stage.CHAMPION), None)
    first = begin - _FIRST_DAY
    return Rehearsed(
        seed=seed,
        change_day=plan.change_day,
        desk_day=first,
        desk_frac=tuple(desk.tolist()),
        kept_frac=tuple(earned[1].tolist()),
        moves=moves,
        phases=_phases(desk, first, plan.change_day, promoted, seed),
        attempts=improver.attempt().number,
        promoted_day=promoted,
        rolled_back=sum(move.stage is Stage.ROLLED_BACK for move in moves),
    )


def _timeline(entries: tuple[Entry, ...]) -> tuple[Move, ...]:
    """Return the entries on which the stage changed."""
    moves: list[Move] = []
    stage, number, version = Stage.SETTLED, 0, None
    for entry in entries:
        event = entry.event
        number += event.kind == "began"
        version = None if event.kind == "began" else getattr(event, "version", version)
        day = event.day if isinstance(event, Watched) else entry.at_ns // _DAY_NS - 1
        if entry.stage is not stage:
            moves.append(
                Move(
                    day=day - _FIRST_DAY,
                    attempt=number,
                    stage=entry.stage,
                    version=version,
                    why=entry.why,
                )
            )
        stage = entry.stage
    return tuple(moves)


def _desk(
    entries: tuple[Entry, ...], earned: Mapping[int, F64], begin: int, end: int, plan: RehearsalPlan
) -> F64:
    """Daily returns of a desk that follows the roles; what a day decides holds from the next one on."""
    champion, canary, version, share = 1, None, None, plan.terms.watching.canary_share_frac
    by_day = {entry.event.day: entry for entry in entries if isinstance(entry.event, Watched)}
    trained = {entry.at_ns // _DAY_NS: entry.event for entry in entries if entry.event.kind == "trained"}
    before: int | None = None
    returns = np.zeros(end - begin)
    for day in range(begin, end):
        version = trained[day].version if day in trained else version
        mine = earned[champion][day - begin]
        returns[day - begin] = (
            mine if canary is None else (1 - share) * mine + share * earned[canary][day - begin]
        )
        if day not in by_day or version is None:
            continue
        stage = by_day[day].stage
        canary = version if stage is Stage.CANARY else None
        if stage is Stage.CHAMPION and champion != version:
            before, champion = champion, version
        if stage is Stage.ROLLED_BACK and champion == version and before is not None:
            champion = before
    return returns


def _phases(desk: F64, first: int, change: int | None, promoted: int | None, seed: int) -> tuple[Phase, ...]:
    end = first + desk.size
    cuts = [("before", first, end if change is None else change)]
    if change is not None:
        cuts.append(("degraded", change, end if promoted is None else promoted + 1))
    if promoted is not None:
        cuts.append(("promoted", promoted + 1, end))
    return tuple(_phase(name, desk[a - first : b - first], a, b, seed) for name, a, b in cuts if b > a)


def _phase(name: str, returns: F64, first: int, end: int, seed: int) -> Phase:
    sharpe = float(np.nan_to_num(sharpe_yearly_365(returns[np.newaxis]))[0]) if returns.size > 1 else None
    return Phase(
        name=name,
        first_day=first,
        end_day=end,
        mean_daily_frac=float(returns.mean()),
        interval=interval(returns, mean, seed=seed),
        sharpe_daily_365=sharpe,
    )


def _count(tried: set[str], what: Mapping[str, Any]) -> int:
    tried.add(repr(sorted(what.items())))
    return len(tried)


def _nobody(_begin: int, _end: int) -> Any:
    raise ValueError("a ground without rules was asked for one")
