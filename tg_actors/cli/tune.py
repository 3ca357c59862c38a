"""``tg tune``: search an agent's parameters inside training windows, and say what is left outside them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show
from tg_actors.cli.sweep_options import FeeFrac, SlippageBps

if TYPE_CHECKING:
    from tg_actors.agents.kinds import AgentSpec
    from tg_actors.backtest.tuning import Scorer, TuningReport, TuningSpec

Agent = Annotated[str, typer.Argument(help="Name of a file in configs/agents, e.g. trend.")]
Trials = Annotated[int, typer.Option("--trials", min=1, help="Trials of each search, one search a window.")]
Windows = Annotated[int, typer.Option("--windows", min=1, help="Test windows of the walk.")]
Workers = Annotated[
    int,
    typer.Option("--workers", min=1, help="Trials at a time, on Ray; each knows less of the others' scores."),
]
SearchSeed = Annotated[int, typer.Option("--search-seed", min=0, help="Seed of the search.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write the proposed agent into this YAML file.")]
Storage = Annotated[
    Path | None,
    typer.Option("--storage", help="SQLite file of the trials; tuning.sqlite in TG_HOME if left out."),
]
_TRIALS, _WINDOWS = 40, 4


def tune(
    agent: Agent,
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Cycles = None,
    fee_frac: FeeFrac = None,
    slippage_bps: SlippageBps = None,
    trials: Trials = _TRIALS,
    windows: Windows = _WINDOWS,
    workers: Workers = 1,
    search_seed: SearchSeed = 0,
    storage: Storage = None,
    out_: Out = None,
    json_: AsJson = False,
) -> None:
    """Tune an agent by nested walk-forward; Ctrl-C stops, and the same command goes on where it was."""
    with err.status("reading the market …"):
        from tg_actors.backtest.tuning import TuningSpec
        from tg_actors.backtest.tuning_space import knobs_of, needs_within
        from tg_actors.backtest.tuning_study import Studies
        from tg_actors.cli.sweeping import SweepFlags, sweep_market
        from tg_actors.desk.config import load_agent
        from tg_actors.desk.plan import Flags
        from tg_actors.runtime.home import home

        _check_out(out_)
        spec = load_agent(agent)
        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        swept = sweep_market(desk, flags, SweepFlags(cycles, fee_frac, slippage_bps))
        tuning = TuningSpec(
            agent=spec,
            market=swept.spec.model_copy(update={"needs": needs_within(spec, knobs_of(spec))}),
            cycles=len(swept.bars),
            rule=swept.rule,
            costs=swept.costs,
            windows=windows,
            trials=trials,
            batch=workers,
            seed=search_seed,
        )
        studies = Studies(storage or home() / "tuning.sqlite")
    began = time.monotonic()
    try:
        with _scorer(workers) as score:
            report = _search(tuning, swept.bars, studies, score)
    finally:
        studies.close()
    _count_trials(tuning, report)
    content = report.model_dump(mode="json") | {"seconds": round(time.monotonic() - began, 1)}
    if out_ is not None:
        _write(out_, spec, report)
    print_json(content) if json_ else _print(content, report)


@contextmanager
def _scorer(workers: int) -> "Iterator[Scorer]":
    from tg_actors.backtest.tuning import score_inline
    from tg_actors.cli.sweeping import ray_tasks

    if workers == 1:
        yield score_inline
        return
    with ray_tasks(workers):
        from tg_actors.backtest.actor import score_on_ray

        yield score_on_ray


def _search(tuning: "TuningSpec", bars: Any, studies: Any, score: "Scorer") -> "TuningReport":
    from tg_actors.backtest.tuning import Tuner
    from tg_actors.cli.sweeping import progress

    with Interrupts() as interrupts, progress() as bar:
        task = bar.add_task("trials")

        def tell(done: int) -> None:
            bar.update(task, completed=done)
            if interrupts.count:
                err.print(f"stopped after {done} trials: the same command goes on from there")
                raise typer.Abort

        tuner = Tuner(tuning, bars, studies, score, tell)
        bar.update(task, total=tuner.trials_total)
        return tuner.run()


def _count_trials(tuning: "TuningSpec", report: "TuningReport") -> None:
    """Enter every trial into the trial ledger: a desk with the proposed values was chosen among them."""
    from tg_actors.runtime.trials import market_key, note_trials

    market = tuning.market.model_dump(mode="json", include={"symbols", "timeframe", "source"})
    agent = tuning.agent.model_dump(mode="json")
    search = {"agent": agent, "windows": tuning.windows, "trials": tuning.trials, "seed": tuning.seed}
    note_trials(market_key(market), ({"tuning": search, "trial": trial} for trial in range(report.trials)))


def _check_out(path: Path | None) -> None:
    from tg_actors.domain.errors import UserError

    if path is not None and path.exists():
        raise UserError(f"--out {path} is there already and is not overwritten: give another name")


def _write(path: Path, spec: "AgentSpec", report: "TuningReport") -> None:
    import yaml

    from tg_actors.backtest.tuning_space import with_values

    tuned = with_values(spec, report.proposed)
    found = report.tuned.sentence
    text = yaml.safe_dump(tuned.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(
        f"# Proposed by 'tg tune {spec.name}', {report.trials} trials. Out of sample:\n# {found}\n{text}"
    )
    err.print(f"written to {path}", highlight=False, soft_wrap=True)


def _print(content: dict[str, Any], report: "TuningReport") -> None:
    rows = [
        {
            "train_days": window["train_days"],
            "test_days": window["test_days"],
            **{f: f"{window[f]:.2f}" for f in ("train_default", "train_tuned", "test_default", "test_tuned")},
        }
        for window in content["windows"]
    ]
    show(rows, tuple(rows[0]), f"{report.agent}: sharpe_daily_365 inside and outside", as_json=False)
    values = [
        {
            "parameter": name,
            "proposed": f"{value:.4g}",
            "by_window": ", ".join(f"{window.values[name]:.3g}" for window in report.windows),
            "spread": f"{report.stability[name]:.2f}",
        }
        for name, value in report.proposed.items()
    ]
    title = "Proposed, and what won in each window (spread 0: always the same, 0.29: chance)"
    show(values, ("parameter", "proposed", "by_window", "spread"), title, as_json=False)
    for sentence in (
        f"in sample {report.train_mean:.2f}, out of sample {report.test_mean:.2f}, means of the windows",
        report.default.sentence,
        report.tuned.sentence,
    ):
        out.print(sentence, highlight=False, markup=False, soft_wrap=True)
