"""The work of each stage of an improvement: what there is to collect, train, judge and watch.

Everything takes what is known now and returns facts; nothing here writes the record or moves a role.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tg_actors.backtest.model_gate import GatePlan, GateReport, judge
from tg_actors.backtest.schooling import Ground, Maker, Schooled, Schooling, outcome, school
from tg_actors.backtest.shelf import Shelf
from tg_actors.backtest.validation.evidence import evidence
from tg_actors.domain.errors import UserError
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.improvement import (
    WATCHED,
    Attempt,
    Collected,
    Event,
    ImprovementPlan,
    Judged,
    Stage,
    Trained,
    Watched,
)
from tg_actors.rl.manifest import Manifest, OutOfSample
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.registry import ModelRegistry

_DAY_NS = 86_400 * 10**9
#: Draws for the chance that no skill meets a criterion, in the report a person reads.
_CHANCE_DRAWS = 100
#: What names an attempt in its manifest, so that a training is not registered twice.
_ATTEMPT = "attempt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The numbers of a loop: how it watches, what its gate asks, how challengers are made."""

    watching: ImprovementPlan = field(default_factory=ImprovementPlan)
    gate: GatePlan = field(default_factory=GatePlan)
    schooling: Schooling = field(default_factory=Schooling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What a loop works with.

    ``count_trials`` notes an attempt in the trial ledger of a market and says how many there are now;
    ``code_version`` goes into manifests.
    """

    registry: ModelRegistry
    folder: Path
    make: Maker
    count_trials: Callable[[str, Mapping[str, Any]], int]
    code_version: str
    shelf: Shelf = field(default_factory=Shelf)
    tell: Callable[[int, int], None] = lambda _done, _of: None


class Workshop:
    """Works for one model."""

    def __init__(self, model: str, terms: Terms, shop: Shop) -> None:
        self.model, self.terms, self._shop = model, terms, shop
        self._schooled: tuple[int, Schooled] | None = None

    def report_path(self, attempt: Attempt) -> Path:
        """Return where the gate's report on an attempt lies once there is one."""
        return self._shop.folder / f"{self.model}-gate-{attempt.number}.json"

    def report(self, attempt: Attempt) -> GateReport | None:
        """Return what the gate said of an attempt, None before it has spoken."""
        try:
            return GateReport.model_validate_json(self.report_path(attempt).read_bytes())
        except FileNotFoundError:
            return None

    def champion(self) -> int:
        """Return the version that decides now.

        Raises:
            UserError: there is none that could be improved on.
        """
        found = self._shop.registry.roles(self.model).champion
        if found is None:
            raise UserError(f"{self.model} has no champion to improve on: 'tg train' makes a first one")
        return found

    def collect(self, attempt: Attempt, ground: Ground, at_ns: int) -> list[Event]:
        """Wait until there are days enough."""
        del attempt, at_ns
        if ground.end_day - self.terms.schooling.days < ground.begin_day:
            return []
        self._check_columns(ground)
        return [Collected(market=ground.key, first_day=ground.first_day, end_day=ground.end_day)]

    def train(self, attempt: Attempt, ground: Ground, at_ns: int) -> list[Event]:
        """Train, keep what the gate will judge, register; done twice after a crash it is registered once."""
        ground = ground.until(attempt.end_day)
        schooled = self._school(attempt, ground)
        version = self._registered(attempt)
        if version is None:
            manifest = self._manifest(attempt, ground, schooled, at_ns)
            version = self._shop.registry.register(self.model, schooled.arrays, manifest)
        sha256 = self._shop.registry.manifest(self.model, version).sha256
        return [Trained(version=version, sha256=sha256, scale_frac=schooled.scale_frac)]

    def judge(self, attempt: Attempt, ground: Ground, at_ns: int) -> list[Event]:
        """Hold the challenger against the gate and keep the report."""
        del at_ns
        schooled = self._school(attempt, ground.until(attempt.end_day))
        name = f"{self.model}@{attempt.challenger}"
        report = judge(name, schooled.sample, self.terms.gate, seed=attempt.number, draws=_CHANCE_DRAWS)
        path = self.report_path(attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(report.model_dump_json(indent=1), encoding="utf-8")
        return [Judged(passed=report.passed, why=report.sentence)]

    def watch(self, attempt: Attempt, ground: Ground, at_ns: int) -> list[Event]:
        """Play both on every day since the attempt's end, each from flat on its first day."""
        del at_ns
        first = attempt.end_day if attempt.day is None else attempt.day + 1
        if ground.end_day <= first:
            return []
        reward = self.terms.schooling.reward
        both = [
            outcome(ground, self._policy(version), attempt.end_day, ground.end_day, reward).returns
            for version in (attempt.challenger, attempt.champion)
        ]
        return [
            Watched(
                day=day,
                challenger_frac=float(both[0][day - attempt.end_day]),
                champion_frac=float(both[1][day - attempt.end_day]),
            )
            for day in range(first, ground.end_day)
        ]

    def _school(self, attempt: Attempt, ground: Ground) -> Schooled:
        """School the challenger of an attempt; the gate needs again what training has found."""
        if self._schooled is None or self._schooled[0] != attempt.number:
            schooling = self.terms.schooling
            tried = {"model": self.model, "end_day": attempt.end_day, "how": schooling.model_dump_json()}
            schooled = school(
                ground,
                schooling,
                self._policy(attempt.champion),
                self._shop.count_trials(ground.key, tried),
                make=self._shop.make,
                shelf=self._shop.shelf,
                tell=self._shop.tell,
            )
            self._schooled = attempt.number, schooled
        return self._schooled[1]

    def _policy(self, version: int | None) -> NumpyPolicy:
        return self._shop.registry.load(self.model, self.champion() if version is None else version)[0]

    def _check_columns(self, ground: Ground) -> None:
        champion = self.champion()
        sees = self._shop.registry.manifest(self.model, champion).features
        shown = (*ground.market.names, *ACCOUNT)
        if sees != shown:
            raise UserError(
                f"{self.model}@{champion} sees {len(sees)} columns that are not the {len(shown)} of this "
                "market: train a first version for it with 'tg train'"
            )

    def _manifest(self, attempt: Attempt, ground: Ground, schooled: Schooled, at_ns: int) -> Manifest:
        schooling = self.terms.schooling
        return Manifest(
            name=self.model,
            features=(*ground.market.names, *ACCOUNT),
            instruments=ground.symbols,
            market=ground.key,
            bar_ns=ground.bar_ns,
            from_ns=schooled.train_from_day * _DAY_NS,
            to_ns=attempt.end_day * _DAY_NS,
            seed=schooled.seed,
            reward=schooling.reward,
            shorts=ground.rules.shorts,
            trainer={_ATTEMPT: attempt.number, **schooling.training.model_dump()},
            code_version=self._shop.code_version,
            trials=schooled.sample.trials,
            evidence=_evidence(ground, schooled),
            created_at_ns=at_ns,
        )

    def _registered(self, attempt: Attempt) -> int | None:
        """Return the version that this attempt has already registered."""
        registry = self._shop.registry
        newer = [v for v in registry.versions(self.model) if v > (attempt.champion or 0)]
        ours = [v for v in newer if registry.manifest(self.model, v).trainer.get(_ATTEMPT) == attempt.number]
        return max(ours, default=None)


Work = Callable[[Workshop, Attempt, Ground, int], list[Event]]
#: What there is to do in each stage; in the others there is nothing.
WORK: Mapping[Stage, Work] = MappingProxyType(
    {
        Stage.COLLECTING: Workshop.collect,
        Stage.TRAINING: Workshop.train,
        Stage.GATE: Workshop.judge,
        **dict.fromkeys(WATCHED, Workshop.watch),
    }
)


def _evidence(ground: Ground, schooled: Schooled) -> OutOfSample:
    """What the typical seed has shown out of sample, in the registry's words."""
    sample = schooled.sample
    found = evidence(sample.challenger, name="", costs=ground.costs, seed=schooled.seed, trials=sample.trials)
    around = found.sharpe_interval
    return OutOfSample(
        market=ground.key,
        first_day=schooled.first_day,
        returns_frac=tuple(sample.challenger.tolist()),
        costs=ground.costs,
        trials=sample.trials,
        seeds=len(sample.seeds),
        total_return_frac=found.total_return_frac,
        sharpe_daily_365=found.sharpe_daily_365,
        sharpe_low=None if around is None else around.low,
        sharpe_high=None if around is None else around.high,
        psr_frac=found.psr_frac,
        dsr_frac=found.dsr_frac,
        verdict=found.verdict.value,
    )
