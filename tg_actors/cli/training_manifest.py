"""What a trained policy's manifest says: data, seed, parameters, trunk, and what it showed out of sample."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from tg_actors.backtest.learned import Against, Judged
from tg_actors.backtest.learning_market import Lessons
from tg_actors.rl.classroom import Classroom, Finished
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.manifest import Manifest, OutOfSample
from tg_actors.rl.specialists import SPECIALISTS


def code_version() -> str:
    """The version of the code that trains."""
    return f"triplegain {version('triplegain')}"


def manifest_of(
    room: Classroom,
    lessons: Lessons,
    source: str,
    one: Judged,
    finished: Finished,
    trunk: str,
    registered: Mapping[str, str],
    at_ns: int,
) -> Manifest:
    """Return the manifest of a policy.

    ``trunk`` is the sha256 of what the generalist of its seed and fold ended with; ``registered`` are the
    versions that this training has kept so far, by their sha256. It is a child of the very weights that it
    began with: where another seed's generalist was kept it has no parent that anybody could load.
    """
    specialist, fold = SPECIALISTS[one.name], room.folds[finished.trial.fold]
    bar_ns = lessons.worlds[0].bar_ns
    is_cloned = (finished.trial.fold, one.name) in room.shown
    begun = "" if is_cloned else trunk
    return Manifest(
        name=one.model,
        features=(*lessons.market.names, *ACCOUNT),
        instruments=lessons.worlds[0].symbols,
        market=source,
        bar_ns=bar_ns,
        from_ns=int(lessons.close_ns[0]) - bar_ns,
        to_ns=int(lessons.close_ns[fold.choose_end - 1]),
        seed=finished.trial.seed,
        reward=specialist.reward,
        shorts=room.rules.shorts,
        trainer={**_trainer(room, one, finished), "is_cloned": is_cloned, "trunk_sha256": begun or None},
        code_version=code_version(),
        parents=(registered[begun],) if begun in registered else (),
        trials=one.evidence.trials,
        evidence=_out_of_sample(source, one),
        created_at_ns=at_ns,
    )


def _trainer(room: Classroom, one: Judged, finished: Finished) -> dict[str, int | float | str | bool | None]:
    """Every parameter, and what else was found of this training."""
    specialist = SPECIALISTS[one.name]
    told: dict[str, Any] = room.plan_of(finished.trial, specialist).model_dump()
    told |= {f"cloning_{name}": value for name, value in room.cloning.model_dump().items()}
    told |= {
        "home": ", ".join(specialist.home) or "every regime",
        "episode_bars": room.rules.bars,
        "folds": len(room.folds),
        "best_steps": finished.best_steps,
        "is_stopped_early": finished.is_stopped_early,
        "choosing_value": finished.value,
        "sharpe_worst_seed": one.sharpe_worst,
        "is_distinct": one.is_distinct,
        "disagreement_frac_min": min(one.disagreement.values(), default=None),
        "exposure_frac_mean": one.exposure_frac_mean,
        "turnover_daily": one.turnover_daily,
    }
    for other in (*one.against, *([] if one.home is None else [one.home])):
        told |= _beyond(other, at_home=other is one.home)
    return told


def _beyond(other: Against, *, at_home: bool) -> dict[str, float | None]:
    name = f"{'home_beyond' if at_home else 'beyond'}_{other.name.replace(' ', '_')}"
    low, high = (None, None) if other.interval is None else (other.interval.low, other.interval.high)
    scale = 1e4
    return {
        f"{name}_bps": other.mean_bps,
        f"{name}_low_bps": None if low is None else low * scale,
        f"{name}_high_bps": None if high is None else high * scale,
    }


def _out_of_sample(source: str, one: Judged) -> OutOfSample:
    found = one.evidence
    around = found.sharpe_interval
    return OutOfSample(
        market=source,
        first_day=one.first_day,
        returns_frac=tuple(round(value, 8) for value in one.returns_frac),
        costs=found.costs,
        trials=found.trials,
        seeds=len(one.sharpe_by_seed),
        total_return_frac=found.total_return_frac,
        sharpe_daily_365=found.sharpe_daily_365,
        sharpe_low=None if around is None else around.low,
        sharpe_high=None if around is None else around.high,
        level_frac=0.95 if around is None else around.level_frac,
        psr_frac=found.psr_frac,
        dsr_frac=found.dsr_frac,
        verdict=f"{found.verdict.value} ({source})",
    )
