"""A training as a person sees it, bars and a live curve, or as a program reads it, JSON lines."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tg_actors.cli.screen import err, out, print_json, show

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tg_actors.cli.training import Telling
    from tg_actors.rl.classroom import Finished
    from tg_actors.rl.plans import TrainingProgress
    from tg_actors.rl.trials import Schedule, Trial

_BLOCKS = "▁▂▃▄▅▆▇█"
_CURVE = 32


def curve(values: Sequence[float], width: int = _CURVE) -> str:
    """Values as a line of blocks, the newest ``width`` of them; equal ones lie at the bottom."""
    shown = list(values)[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(_BLOCKS[round((value - low) / span * (len(_BLOCKS) - 1))] for value in shown)


class Lines:
    """One JSON object a line for every event; the last line is the result."""

    def phase(self, text: str) -> None:
        """Something long begins."""
        print_json({"event": "phase", "phase": text.removesuffix(" …")})

    def begun(self, schedule: "Schedule", names: Mapping[str, int]) -> None:
        """Trials begin."""
        print_json({"event": "begun", "trials": dict(names), "done": schedule.done})

    def progressed(self, trial: "Trial", news: "Sequence[TrainingProgress]") -> None:
        """A trial is further: the newest of what came together."""
        print_json({"event": "progress", "trial": trial.key, **news[-1].model_dump(mode="json")})

    def ended(self, finished: "Finished") -> None:
        """A trial has ended."""
        content = finished.model_dump(mode="json", exclude={"curve", "trial"})
        print_json({"event": "ended", "trial": finished.trial.key, **content})

    def died(self, trial: "Trial") -> None:
        """A trainer died."""
        print_json({"event": "died", "trial": trial.key})


class Bars:
    """A bar for every trial that runs, with its curve of rewards, and one for all of them."""

    def __init__(self, progress: "Progress") -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._rewards: dict[str, list[float]] = {}
        self._steps: Mapping[str, int] = {}
        self._all: TaskID = progress.add_task("", total=None, curve="")

    def phase(self, text: str) -> None:
        """Something long begins."""
        self._progress.update(self._all, description=text.removesuffix(" …"), curve="")
        if not self._progress.console.is_terminal:
            err.print(text, highlight=False)

    def begun(self, schedule: "Schedule", names: Mapping[str, int]) -> None:
        """Trials begin."""
        self._steps = names
        self._progress.update(self._all, description="trials", total=len(names), completed=schedule.done)

    def progressed(self, trial: "Trial", news: "Sequence[TrainingProgress]") -> None:
        """A trial is further."""
        rewards = self._rewards.setdefault(trial.key, [])
        rewards.extend(one.reward for one in news)
        if trial.key not in self._tasks:
            total = self._steps.get(trial.key)
            self._tasks[trial.key] = self._progress.add_task(trial.key, total=total, curve="")
        self._progress.update(
            self._tasks[trial.key],
            completed=news[-1].steps,
            curve=f"{curve(rewards)} {rewards[-1]:+.4f}",
        )

    def ended(self, finished: "Finished") -> None:
        """A trial has ended."""
        key = finished.trial.key
        if key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))
        self._progress.advance(self._all)
        early = ", stopped early" if finished.is_stopped_early else ""
        rewards = curve([one.reward for one in finished.curve])
        err.print(f"{key}: {rewards} value {finished.value:+.5f} after {finished.best_steps:,} steps{early}")

    def died(self, trial: "Trial") -> None:
        """A trainer died."""
        err.print(f"the trainer of {trial.key} died; another one goes on from its checkpoint")


@contextmanager
def screen(*, as_json: bool) -> "Iterator[Telling]":
    """Show a training while the block runs."""
    if as_json:
        yield Lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[curve]}"),
    )
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as progress:
        yield Bars(progress)


def print_judged(content: Mapping[str, Any], *, as_json: bool) -> None:
    """Show what a training has found."""
    if as_json:
        print_json(content)
        return
    title = f"Out of sample on the {content['market']}: {content['days']} days, {content['costs']}"
    rows = [_row(one) for one in content["policies"]]
    show(rows, list(rows[0]), title, as_json=False)
    differences = [
        {"policy": one["name"], "beyond": other["name"], "bps_a_day": _interval(other)}
        for one in content["policies"]
        for other in one["against"]
    ]
    show(differences, ("policy", "beyond", "bps_a_day"), "Mean daily return beyond", as_json=False)
    for one in content["policies"]:
        if not one["is_distinct"]:
            out.print(f"  {one['name']} is not distinct from the others: see its manifest", highlight=False)


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    found = one["evidence"]
    around = found["sharpe_interval"]
    return {
        "policy": one["version"] or one["name"],
        "sharpe_daily_365": _figure(found["sharpe_daily_365"]),
        "interval": "" if around is None else f"{around['low']:.2f} to {around['high']:.2f}",
        "worst_seed": _figure(
            min((s for s in one["sharpe_by_seed"].values() if s is not None), default=None)
        ),
        "psr": _figure(found["psr_frac"]),
        "dsr": _figure(found["dsr_frac"]),
        "exposure": f"{one['exposure_frac_mean']:.2f}",
        "turnover_a_day": f"{one['turnover_daily']:.2f}",
        "distinct": "yes" if one["is_distinct"] else "no",
        "verdict": found["verdict"],
    }


def _figure(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def _interval(other: Mapping[str, Any]) -> str:
    around = other["interval"]
    ends = "" if around is None else f" ({around['low'] * 1e4:+.1f} to {around['high'] * 1e4:+.1f})"
    return f"{other['mean_bps']:+.1f}{ends}"
