"""The shell of ``tg models improve``: the desk's newest market, the home's registry, waking up in time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.screen import err, utc
from tg_actors.cli.training_manifest import code_version
from tg_actors.desk.models import home_registry
from tg_actors.desk.plan import Flags
from tg_actors.domain.errors import UserError
from tg_actors.rl.specialists import specialist
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.home import home, private_folder
from tg_actors.runtime.lock import sole_holder
from tg_actors.runtime.trials import count_trials, market_key, note_trials

if TYPE_CHECKING:
    from tg_actors.backtest.improving import Improver
    from tg_actors.backtest.model_gate import GateReport
    from tg_actors.backtest.schooling import Ground, Schooling

_UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}
_WAIT_S = 1.0
#: An attempt has fewer stages than this.
_STEPS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a command line asks for; ``every`` None is once. The numbers are those of a schooling."""

    model: str
    desk: str
    flags: Flags
    cycles: int | None
    every: str | None
    train_days: int
    test_days: int
    windows: int
    seeds: int
    steps: int


def folder_of() -> Path:
    """Return where attempts are recorded, below ``TG_HOME``."""
    return private_folder(home() / "improvement")


def report_of(model: str) -> "GateReport | None":
    """Return what the gate said of the newest challenger of a model, None before it has spoken."""
    return _improver(model).report()


def standing(model: str) -> dict[str, Any]:
    """Return where the newest attempt of a model stands, and all that has led there."""
    improver = _improver(model)
    attempt, report = improver.attempt(), improver.report()
    return {
        "model": model,
        "attempt": attempt.number,
        "stage": attempt.stage.value,
        "champion": attempt.champion,
        "challenger": attempt.challenger,
        "days_watched": attempt.paired.days if attempt.paired is not None else 0,
        "drawdown_frac": attempt.drawdown_frac,
        "why": attempt.why,
        "gate": None if report is None else report.model_dump(mode="json"),
        "moves": [
            {"at_ns": line.at_ns, "event": line.event.kind, "stage": line.stage.value, "why": line.why}
            for line in improver.entries()
            if line.event.kind != "watched"
        ],
    }


def keep_improving(asked: Asked) -> dict[str, Any]:
    """Take all steps that the newest days allow, once or again and again until somebody stops it.

    Raises:
        UserError: whatever a user can get wrong.
    """
    pause_s = None if asked.every is None else _seconds(asked.every)
    lock = folder_of() / f"{specialist(asked.model).model}.lock"
    # Two that improve one model would train the same challenger and record it twice.
    with (
        sole_holder(lock, f"improvement of {asked.model}", "let it end, or look with --status"),
        Interrupts() as interrupts,
    ):
        for round_ in count():
            try:
                _improve(asked)
            except UserError as error:
                # What was right in the first round may fail for a while, such as a venue that is down.
                if round_ == 0:
                    raise
                err.print(f"{asked.model}: {error}", highlight=False, markup=False)
            if pause_s is None:
                return standing(asked.model)
            err.print(f"next at {utc(wall_ns() + round(pause_s * 1e9))} UTC", highlight=False)
            due = time.monotonic() + pause_s
            while interrupts.count == 0 and time.monotonic() < due:
                time.sleep(min(_WAIT_S, max(due - time.monotonic(), 0.0)))
            if interrupts.count:
                break
    return standing(asked.model)


def _improve(asked: Asked) -> None:
    improver = _improver(asked.model, asked)
    before = improver.attempt()
    ground = _ground(asked, improver.terms.schooling)
    improver.begin(wall_ns())
    for _ in range(_STEPS_MAX):
        attempt = improver.step(ground, wall_ns())
        if attempt is None:
            break
        if attempt.stage is not before.stage:
            why = f": {attempt.why}" if attempt.why else ""
            err.print(f"{asked.model}: {attempt.stage.value}{why}", highlight=False, markup=False)
        before = attempt


def _improver(model: str, asked: Asked | None = None) -> "Improver":
    from tg_actors.backtest.improving import Improver
    from tg_actors.backtest.improving_work import Shop, Terms
    from tg_actors.backtest.schooling import Schooling
    from tg_actors.backtest.shelf import FolderShelf

    one = specialist(model)
    folder = folder_of()
    shop = Shop(
        registry=home_registry(),
        folder=folder,
        make=_make_late,
        count_trials=_counted,
        code_version=code_version(),
        shelf=FolderShelf(folder / "shelf"),
        tell=lambda done, of: err.print(f"{one.model}: training {done} of {of}", highlight=False),
    )
    schooling = Schooling(reward=one.reward, learner=one.name)
    if asked is not None:
        numbers = {name: getattr(asked, name) for name in ("train_days", "test_days", "windows", "seeds")}
        training = schooling.training.model_copy(update={"steps": asked.steps})
        schooling = schooling.model_copy(update={**numbers, "training": training})
    return Improver(one.model, Terms(schooling=schooling), shop)


def _make_late(ground: "Ground", schooling: "Schooling", begin: int, end: int, seed: int) -> dict[str, Any]:
    """Load what trains only when something is trained."""
    from tg_actors.backtest.apprentice import maker_of

    return maker_of(specialist(schooling.learner))(ground, schooling, begin, end, seed)


def _ground(asked: Asked, schooling: "Schooling") -> "Ground":
    """Record the market of a desk up to now."""
    from tg_actors.backtest.learning_market import record_lessons
    from tg_actors.backtest.lessons_ground import fitted, ground_of
    from tg_actors.cli.sweeping import SweepFlags, sweep_market
    from tg_actors.market.config import SimulatedSource

    err.print("recording the market …")
    wanted = SweepFlags(cycles=asked.cycles)
    market = sweep_market(asked.desk, asked.flags, wanted)
    if asked.cycles is None and isinstance(market.spec.source, SimulatedSource):
        raise UserError("a simulated market has no newest day: say with --cycles how much of it has passed")
    lessons = record_lessons([market.spec], market.config.meta.regime, market.costs, len(market.bars))
    identity = market.spec.model_dump(mode="json", include={"symbols", "timeframe", "source"})
    ground = ground_of(lessons, market_key(identity), shorts=market.rule.allow_short)
    return fitted(ground, schooling.train_days)


def _counted(market: str, tried: Mapping[str, Any]) -> int:
    note_trials(market, [tried])
    return count_trials(market)


def _seconds(text: str) -> float:
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS_S or not number.isdecimal() or int(number) < 1:
        raise UserError(f"--every {text} is no length of time: write such as 30m, 24h or 7d")
    return float(int(number) * _UNITS_S[unit])
