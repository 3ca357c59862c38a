"""``tg bandit``: whom the meta agent trusts and why, and how its algorithms compare."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Timeframe, To
from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, err, out, print_json, show, utc
from tg_actors.cli.sweep_options import FeeFrac, SlippageBps

if TYPE_CHECKING:
    from tg_actors.backtest.bandit_trial import Compared, Trial
    from tg_actors.desk.plan import Flags

app = typer.Typer(help="Whom the meta agent trusts: standing, arms, history; studies.", no_args_is_help=True)

_STATUS = ("policy", "algorithm", "cycles_rewarded", "regime", "earned_frac", "best_arm", "regret_frac")
_ARMS = ("arm", "weight", "given", "pulls", "mean_bps", "low_bps", "high_bps", "earned_frac", "disabled")
_STUDY = ("name", "regret", "error", "regret_wrong", "error_wrong")
_TRIAL = ("name", "mean_bps", "won", "gain_bps", "gain_interval", "over_equal", "equal_interval", "verdict")

Worlds = Annotated[int, typer.Option("--worlds", min=2, max=1000, help="Worlds, seeds 0, 1, 2 ...")]
Steps = Annotated[int, typer.Option("--steps", min=10, max=100_000, help="Steps of each world.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Simulated markets, seeds 0, 1, 2 ...")]
Prior = Annotated[
    float, typer.Option("--prior", min=0.1, max=0.9, help="Part of the days on which the agent is picked.")
]
Newest = Annotated[int, typer.Option("--newest", min=1, help="Cycles to show, the newest ones.")]


@app.command("status")
def status(run: Run = None, json_: AsJson = False) -> None:
    """Show policy, algorithm and what the ensemble earned against the best arm in hindsight."""
    from tg_actors.desk.bandit_view import standing

    with reading(run) as (folder, journal):
        found = standing(journal)
    summary = found.summary()
    if json_:
        print_json({**summary, "weights": {row["arm"]: row["weight"] for row in found.arms()}})
        return
    show([summary], _STATUS, f"Bandit of {folder.name}", as_json=False)
    show(found.arms(), ("arm", "weight", "disabled"), "Weights", as_json=False)


@app.command("arms")
def arms(run: Run = None, json_: AsJson = False) -> None:
    """Show every arm: weight, rewards seen, expected return a cycle with its interval, and by regime."""
    from tg_actors.desk.bandit_view import standing

    with reading(run) as (folder, journal):
        rows = standing(journal).arms()
    show(rows, _ARMS, f"Arms of {folder.name}, returns a cycle in bps", as_json=json_)
    if not json_:
        by_regime = [{"arm": row["arm"], **row["by_regime_bps"]} for row in rows]
        show(by_regime, tuple(by_regime[0]), "Return a cycle in bps, by regime", as_json=False)


@app.command("history")
def history(newest: Newest = 20, run: Run = None, json_: AsJson = False) -> None:
    """Show the weights of all agents over time, of a desk with or without a bandit."""
    from collections import deque

    from tg_actors.desk.bandit_view import weights_over_time

    with reading(run) as (folder, journal):
        kept = deque(weights_over_time(journal), maxlen=newest)
    if json_:
        print_json(list(kept))
        return
    rows = [{"cycle": r["cycle"], "at": utc(r["at_ns"]), "regime": r["regime"], **r["weights"]} for r in kept]
    columns = tuple(rows[-1]) if rows else ("cycle",)
    show(rows, columns, f"Weights of {folder.name}", as_json=False)


@app.command("study")
def study(worlds: Worlds = 60, steps: Steps = 3_000, json_: AsJson = False) -> None:
    """Rank all algorithms by their regret where the best arm changes with a hidden regime."""
    from rich.progress import track

    from tg_actors.meta.bandits.study import study as play

    rows = play(track(range(worlds), "worlds", worlds, console=err, transient=True), steps)
    if json_:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    shown = [{k: v if k == "name" else f"{v:.1f}" for k, v in row.model_dump().items()} for row in rows]
    show(shown, _STUDY, f"Regret in {worlds} worlds of {steps} steps", as_json=False)


@app.command("trial")
def trial(
    seeds: Seeds = 8,
    cycles: Cycles = None,
    desk: Desk = DEFAULT_DESK,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    prior: Prior = 0.5,
    fee_frac: FeeFrac = None,
    slippage_bps: SlippageBps = None,
    json_: AsJson = False,
) -> None:
    """Hold learnt ensembles against the agent one would have picked beforehand, and against equal weights."""
    from tg_actors.cli.sweeping import SweepFlags
    from tg_actors.desk.plan import Flags

    if data is not None:
        flags = [Flags("recorded", data, instruments, timeframe, from_, to)]
    else:
        flags = [Flags("simulated", None, instruments, timeframe, from_, to, seed) for seed in range(seeds)]
    wanted = SweepFlags(cycles, fee_frac, slippage_bps)
    trials = []
    with err.status("") as telling:
        for k, one in enumerate(flags):
            telling.update(f"market {k + 1} of {len(flags)} …")
            trials.append(_tried(desk, one, wanted, prior))
    rows = _compared(trials)
    if json_:
        picked = [one.picked for one in trials]
        told = [{**row.model_dump(mode="json"), "verdict": row.verdict} for row in rows]
        print_json({"picked": picked, "rows": told})
        return
    title = f"{len(trials)} markets, {rows[0].days} days after the choice, in bps a day"
    show([_row(row) for row in rows], _TRIAL, title, as_json=False)
    out.print("picked beforehand: " + ", ".join(one.picked for one in trials), highlight=False)


def _tried(desk: str, flags: "Flags", wanted: Any, prior: float) -> "Trial":
    from tg_actors.agents.kinds import open_agent
    from tg_actors.backtest.bandit_trial import TRIED, on_market, with_shadow
    from tg_actors.backtest.evaluation import Chorus, hear_market
    from tg_actors.cli.sweeping import sweep_market
    from tg_actors.desk.config import load_agents
    from tg_actors.meta.policies import EqualWeightPolicy, ShadowConfig

    swept = sweep_market(desk, flags, wanted)
    bars, costs = swept.bars, swept.costs
    shadow = ShadowConfig(rule=swept.rule, cost_bps=costs.fee_frac * 1e4 + costs.slippage_bps)
    meta = swept.config.meta.model_copy(update={"policy": EqualWeightPolicy()})
    others = {name: meta.model_copy(update={"policy": with_shadow(p, shadow)}) for name, p in TRIED.items()}
    specs = load_agents(swept.config)
    cores = [open_agent(spec, bars.symbols, bars.bar_ns) for spec in specs]
    targets = hear_market(Chorus(cores, len(bars.symbols), swept.rule, meta, others), swept.spec, len(bars))
    return on_market(bars, targets, costs, [spec.name for spec in specs], prior)


def _compared(trials: "list[Trial]") -> "list[Compared]":
    from tg_actors.backtest.bandit_trial import TRIED, compare

    return compare(trials, TRIED, seed=0)


def _row(row: "Compared") -> dict[str, Any]:
    from tg_actors.cli.standings import around, number

    said = row.model_dump()
    return {
        **said,
        "mean_bps": number(row.mean_bps),
        "won": f"{row.won} of {row.markets}",
        "gain_bps": number(row.gain_bps),
        "gain_interval": around(said["gain_interval"], number),
        "over_equal": number(row.gain_over_equal_bps),
        "equal_interval": around(said["equal_interval"], number),
        "verdict": row.verdict,
    }
