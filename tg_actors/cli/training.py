"""From the flags of ``tg train`` to trained, judged and registered policies."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tg_actors.backtest.learned import Examination, Judged, folds_of
from tg_actors.backtest.learning_market import Lessons, record_lessons
from tg_actors.backtest.teachers import Faculty, faculty, teachers
from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.sweeping import SweepFlags, SweepMarket, sweep_market
from tg_actors.cli.training_manifest import code_version, manifest_of
from tg_actors.desk.models import home_registry
from tg_actors.desk.plan import Flags
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketSpec, SimulatedSource
from tg_actors.rl.classroom import Classroom, Finished, load_finished
from tg_actors.rl.demonstrations import Shown, blend, demonstrate
from tg_actors.rl.manifest import Manifest, model_id
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.plans import CloningPlan, TrainingPlan, TrainingProgress
from tg_actors.rl.policy import ARRAYS, NumpyPolicy
from tg_actors.rl.registry import ModelRegistry
from tg_actors.rl.specialists import GENERALIST, SPECIALISTS
from tg_actors.rl.trials import Schedule, Step, Trial, trials_of
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import home, private_folder
from tg_actors.runtime.trials import count_trials, market_key, note_trials

#: The first simulated market to train on; the default desk trades another one.
TRAINING_SEED = 4_000
_WORLDS, _CYCLES = 4, 6_000
_EPISODE_BARS = 512
_HIDDEN = 32
_SAMPLES = 60_000
#: Chunks without a better value after which a training ends.
_PATIENCE = 4
#: Parts of the costs at which the generalist learns before it meets all of them.
_EASE = (0.1, 0.4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a command line asks for; None leaves it to the desk, the venue or the machine."""

    names: tuple[str, ...]
    desk: str
    flags: Flags
    worlds: int | None
    cycles: int | None
    fee_frac: float | None
    slippage_bps: float | None
    seeds: int
    folds: int
    steps: int
    workers: int | None
    inline: bool
    register: bool


class Telling(Protocol):
    """Whoever shows a training to a person or a program."""

    def phase(self, text: str) -> None:
        """Something long begins."""

    def begun(self, schedule: Schedule, names: Mapping[str, int]) -> None:
        """Trials begin; ``names`` are the steps of each."""

    def progressed(self, trial: Trial, news: Sequence[TrainingProgress]) -> None:
        """A trial is further."""

    def ended(self, finished: Finished) -> None:
        """A trial has ended."""

    def died(self, trial: Trial) -> None:
        """A trainer died; another one goes on."""


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A training ready to begin: the room, the folder of its trials, the baselines of each fold."""

    room: Classroom
    lessons: Lessons
    faculties: tuple[Faculty, ...]
    markets: tuple[str, ...]
    source: str
    trials: tuple[Trial, ...]
    folder: Path
    identity: dict[str, Any] = field(default_factory=dict)

    def done(self) -> dict[Trial, tuple[Finished, dict[str, F32]]]:
        """The trials that have ended, in this start or an earlier one."""
        found = ((trial, load_finished(self.folder, trial)) for trial in self.trials)
        return {trial: end for trial, end in found if end is not None}


def train_all(wish: Wish, told: Telling) -> dict[str, Any]:
    """Train, judge and register what is wished for; returns what there is to say.

    Raises:
        UserError: whatever a user can get wrong, or a trial that failed.
    """
    study = prepare(wish, told)
    for market in study.markets:
        note_trials(market, (study.identity | {"trial": trial.key} for trial in study.trials))
    with Interrupts() as interrupts:
        _train(study, wish, told, interrupts)
    told.phase("judging out of sample …")
    judged = examine(study, wish)
    versions = _register(study, wish, judged) if wish.register else {}
    return {
        "market": study.source,
        "costs": study.lessons.costs.sentence,
        "days": len(judged[0].returns_frac),
        "trials": len(study.trials),
        "folder": str(study.folder),
        "policies": [
            one.model_dump(mode="json", exclude={"returns_frac"}) | {"version": versions.get(one.name)}
            for one in judged
        ],
    }


def prepare(wish: Wish, told: Telling) -> Study:
    """Record the market, cut it into folds and find the teachers of each.

    Raises:
        UserError: whatever a user can get wrong.
    """
    told.phase("recording the market …")
    markets = _markets(wish)
    first = markets[0]
    lessons = record_lessons(
        [one.spec for one in markets], first.config.meta.regime, first.costs, len(first.bars)
    )
    folds = folds_of(lessons, wish.folds)
    shorts = first.rule.allow_short
    told.phase("finding teachers among the baselines …")
    faculties = tuple(faculty(lessons, fold.train_end, shorts=shorts) for fold in folds)
    # A short market still holds episodes.
    bars = min(_EPISODE_BARS, folds[0].train_end // 3)
    room = Classroom(
        market=lessons.market,
        rules=lessons.rules(shorts=shorts, bars=bars),
        folds=folds,
        plan=TrainingPlan(
            steps=wish.steps,
            hidden=_HIDDEN,
            gamma=0.99,
            n_steps=128,
            chunk_rollouts=4,
            patience_chunks=_PATIENCE,
        ),
        cloning=CloningPlan(hidden=_HIDDEN, soften=0.3),
        shown={},
        ease=_EASE,
    )
    room = replace(room, shown=_shown(room, lessons, faculties))
    identities = [
        one.spec.model_dump(mode="json", include={"symbols", "timeframe", "source"}) for one in markets
    ]
    identity = _identity(room, lessons, identities)
    trials = trials_of(wish.names, range(1, wish.seeds + 1), wish.folds)
    folder = private_folder(home() / "training") / _hash(identity)
    return Study(
        room=room,
        lessons=lessons,
        faculties=faculties,
        markets=tuple(market_key(one) for one in identities),
        source=_source([one.spec for one in markets]),
        trials=trials,
        folder=private_folder(folder),
        identity=identity,
    )


def _markets(wish: Wish) -> list[SweepMarket]:
    """The desk's market; of a simulated one several, from the seed on."""
    flags = wish.flags
    costs = SweepFlags(wish.cycles, wish.fee_frac, wish.slippage_bps)
    is_simulated = (flags.market or ("recorded" if flags.data else "simulated")) == "simulated"
    if not is_simulated:
        if wish.worlds is not None:
            raise UserError("--worlds is of simulated markets: a recorded one is there once, leave it out")
        return [sweep_market(wish.desk, flags, costs)]
    seed = TRAINING_SEED if flags.seed is None else flags.seed
    costs = replace(costs, cycles=wish.cycles or _CYCLES)
    return [
        sweep_market(wish.desk, replace(flags, market="simulated", seed=seed + k), costs)
        for k in range(wish.worlds or _WORLDS)
    ]


def _source(specs: Sequence[MarketSpec]) -> str:
    source = specs[0].source
    if isinstance(source, SimulatedSource):
        last = f" to {source.seed + len(specs) - 1}" if len(specs) > 1 else ""
        return f"simulated market, seed {source.seed}{last}"
    return f"recorded bars of {', '.join(specs[0].symbols)}"


def _shown(room: Classroom, lessons: Lessons, faculties: Sequence[Faculty]) -> dict[tuple[int, str], Shown]:
    """Demonstrations of every fold for those who clone; nobody teaches where nothing was worth it."""
    shown = {}
    for fold, found in enumerate(faculties):
        market = room.learned_on(fold)
        for one in SPECIALISTS.values():
            teacher = blend(teachers(lessons, found, one)) if one.clones else None
            if teacher is not None and (teacher.worth[market.first : len(market.close)] > 0.0).any():
                shown[fold, one.name] = demonstrate(
                    market, room.rules, teacher, reward=one.reward, samples=_SAMPLES, seed=fold
                )
    return shown


def _identity(room: Classroom, lessons: Lessons, markets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What makes a training the same one, so that the same command goes on with it."""
    return {
        "markets": list(markets),
        "bars": len(lessons.close_ns),
        "seen": _seen(lessons.market),
        "costs": lessons.costs.sentence,
        "shorts": room.rules.shorts,
        "episode_bars": room.rules.bars,
        "folds": [fold.model_dump() for fold in room.folds],
        "plan": room.plan.model_dump(),
        "cloning": room.cloning.model_dump(),
        "ease": room.ease,
        "features": lessons.market.names,
        "code": code_version(),
    }


def _seen(market: LearningMarket) -> str:
    """Tell one recording from another: bars that were corrected under the same name are another training."""
    sha = hashlib.sha256()
    for array in (market.open_, market.close, market.funding, market.observed):
        sha.update(array.tobytes())
    return sha.hexdigest()[:16]


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _train(study: Study, wish: Wish, told: Telling, interrupts: Interrupts) -> None:
    """Train what has not been trained yet, here or on Ray.

    Raises:
        UserError: a trial failed.
    """
    from tg_actors.cli.training_loop import train_inline, train_on_ray

    done = study.done()
    count = 1 if wish.inline else wish.workers or os.cpu_count() or 1
    schedule = Schedule(study.trials, [f"trainer-{k}" for k in range(count)], done)
    steps = {one.key: study.room.plan_of(one, SPECIALISTS[one.specialist]).steps for one in study.trials}
    told.begun(schedule, steps)
    if not schedule.is_over:
        loop = train_inline if wish.inline else train_on_ray
        loop(study.room, study.folder, schedule, told, lambda: interrupts.count > 0)
    if schedule.count(Step.FAILED):
        trial, reason = next(iter(schedule.reasons.items()))
        raise UserError(f"{schedule.count(Step.FAILED)} trials failed, {trial.key} the first: {reason}")


def examine(study: Study, wish: Wish) -> list[Judged]:
    """Judge what was trained on the days that nothing was learned from."""
    done = study.done()
    policies = {
        (trial.specialist, trial.seed, trial.fold): NumpyPolicy({name: arrays[name] for name in ARRAYS})
        for trial, (_, arrays) in done.items()
    }
    values = {
        (trial.specialist, trial.seed, trial.fold): finished.value for trial, (finished, _) in done.items()
    }
    seeds = tuple(range(1, wish.seeds + 1))
    examination = Examination(study.room, study.lessons, study.faculties, policies, values, seeds)
    return list(examination.judge(wish.names, count_trials(study.markets[0])))


def _register(study: Study, wish: Wish, judged: Sequence[Judged]) -> dict[str, str]:
    """Keep the last fold's best as versions, the generalist first: it is the parent of the others."""
    registry = home_registry()
    done, versions, registered = study.done(), dict[str, str](), dict[str, str]()
    order = sorted(judged, key=lambda one: one.name != GENERALIST)
    for one in order:
        trial = Trial(specialist=one.name, seed=one.seed_last, fold=wish.folds - 1)
        finished, arrays = done[trial]
        policy = {name: arrays[name] for name in ARRAYS}
        trunk = "" if trial.trunk is None else done[trial.trunk][0].sha256
        manifest = manifest_of(
            study.room, study.lessons, study.source, one, finished, trunk, registered, at_ns=wall_ns()
        )
        versions[one.name] = registered[finished.sha256] = _kept(registry, one, finished, policy, manifest)
    return versions


def _kept(
    registry: ModelRegistry, one: Judged, finished: Finished, policy: Mapping[str, F32], manifest: Manifest
) -> str:
    """Register a version, unless the newest one has these very weights."""
    known = registry.versions(one.model)
    if known and registry.manifest(one.model, known[-1]).sha256 == finished.sha256:
        return model_id(one.model, known[-1])
    return model_id(one.model, registry.register(one.model, policy, manifest))
