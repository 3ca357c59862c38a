"""``tg bandit``: whom the meta agent trusts and why, a person's word about it, and its algorithms."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Timeframe, To
from tg_actors.cli.reading import desk_folder, reading
from tg_actors.cli.screen import AsJson, Run, err, out, print_json, show, utc
from tg_actors.cli.sweep_options import FeeFrac, SlippageBps

if TYPE_CHECKING:
    from tg_actors.backtest.bandit_trial import Compared, Trial
    from tg_actors.desk.plan import Flags
    from tg_actors.meta.bandits.study import Regret

app = typer.Typer(help="Whom the meta agent trusts: standing, arms, history; studies.", no_args_is_help=True)

_STATUS = ("policy", "algorithm", "cycles_rewarded", "regime", "earned_frac", "best_arm", "regret_frac")
_ARMS = ("arm", "weight", "given", "pulls", "mean_bps", "low_bps", "high_bps", "earned_frac", "disabled")
_SWITCHES = ("cycle", "arm", "enabled", "actor", "reason")
_STUDY = ("name", "regret", "error", "of_textbook", "regret_wrong", "error_wrong")
_TRIAL = (
    "name",
    "mean_bps",
    "mean_interval",
    "won",
    "gain_bps",
    "gain_interval",
    "over_equal",
    "equal_interval",
    "verdict",
)

Worlds = Annotated[int, typer.Option("--worlds", min=2, max=1000, help="Worlds, seeds 0, 1, 2 ...")]
Steps = Annotated[int, typer.Option("--steps", min=10, max=100_000, help="Steps of each world.")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Simulated markets, one seed each.")]
FirstSeed = Annotated[int, typer.Option("--first-seed", min=0, help="Seed of the first market.")]
Prior = Annotated[
    float, typer.Option("--prior", min=0.1, max=0.9, help="Part of the days on which the agent is picked.")
]
Arm = Annotated[str, typer.Argument(help="Name of an agent of the desk.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the journal.")]
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
def history(newest: Newest = 12, run: Run = None, json_: AsJson = False) -> None:
    """Show the weights of all agents over time, of a desk with or without a bandit."""
    from collections import deque

    from tg_actors.desk.bandit_view import weights_over_time

    with reading(run) as (folder, journal):
        kept = deque(weights_over_time(journal), maxlen=newest)
    if json_:
        print_json(list(kept))
        return
    title = f"Weights of {folder.name} by cycle"
    if kept:
        title += f", {utc(kept[0]['at_ns'])} to {utc(kept[-1]['at_ns'])}"
    # Agents downwards: a desk has more of them than a screen has columns.
    agents = dict.fromkeys(name for row in kept for name in row["weights"])
    rows = [
        {"agent": name, **{str(r["cycle"]): _weight(r["weights"].get(name)) for r in kept}} for name in agents
    ]
    show(rows, ("agent", *(str(row["cycle"]) for row in kept)), title, as_json=False)


def _weight(weight: float | None) -> str | None:
    return None if weight is None else f"{weight:.3f}"


@app.command("disable")
def disable(arm: Arm, reason: Reason = "disabled by hand", run: Run = None, json_: AsJson = False) -> None:
    """Take an arm's weight from the next cycle on; it goes on being asked and judged."""
    _switch(run, arm, reason, enabled=False, as_json=json_)


@app.command("enable")
def enable(arm: Arm, reason: Reason = "enabled by hand", run: Run = None, json_: AsJson = False) -> None:
    """Let an arm count again from the next cycle on, also one that the desk file disables."""
    _switch(run, arm, reason, enabled=True, as_json=json_)


@app.command("switches")
def list_switches(run: Run = None, json_: AsJson = False) -> None:
    """Show which arms people have enabled and disabled, from which cycle on, and what still waits."""
    from tg_actors.desk.arms import pending_orders, switches

    with reading(run) as (folder, journal):
        rows = [{"cycle": one.cycle, **one.said.model_dump()} for one in switches(journal)]
        rows += [{"cycle": None, **order.model_dump()} for order in pending_orders(journal)]
    show(rows, _SWITCHES, f"Arms of {folder.name}, switched by people", as_json=json_)


def _switch(run: str | None, arm: str, reason: str, *, enabled: bool, as_json: bool) -> None:
    from tg_actors.desk.arms import ArmOrder, disabled_arms, leave_order, pending_orders, switched_now
    from tg_actors.desk.replay import plan_of
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.lock import holder

    folder = desk_folder(run)
    # As `tg agents list` names it (RlActor:rl_aggressive), or as the desk file does.
    arm = arm.rpartition(":")[2]
    order = ArmOrder(arm=arm, enabled=enabled, actor=f"{getpass.getuser()} (cli)", reason=reason)
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        meta = plan_of(journal).meta
        leave_order(journal, order, meta.agents)
        wanted = {**switched_now(journal), **{one.arm: one.enabled for one in pending_orders(journal)}}
    finally:
        journal.close()
    off, pid = disabled_arms(meta, wanted), holder(folder.lock)
    if as_json:
        print_json({"run": folder.name, **order.model_dump(), "disabled": list(off), "desk_pid": pid})
        return
    when = "after the running cycle" if pid else "when the desk starts again (none is running)"
    err.print(f"{folder.name}: {arm} is {'enabled' if enabled else 'disabled'} {when}", highlight=False)
    if len(off) == len(meta.agents):
        err.print("no arm is left that counts: positions stay as they are (tg flatten closes them)")


@app.command("study")
def study(worlds: Worlds = 60, steps: Steps = 3_000, json_: AsJson = False) -> None:
    """Rank all algorithms by their regret where the best arm changes with a hidden regime."""
    from rich.progress import track

    from tg_actors.meta.bandits.study import GOAL, reached
    from tg_actors.meta.bandits.study import study as play

    rows = play(track(range(worlds), "worlds", worlds, console=err, transient=True), steps)
    if json_:
        print_json([row.model_dump(mode="json") for row in rows])
        return
    show(
        [_regret_row(row) for row in rows],
        _STUDY,
        f"Regret in {worlds} worlds of {steps} steps",
        as_json=False,
    )
    said = ", ".join(reached(rows)) or "nobody"
    out.print(f"at most {GOAL} of textbook UCB1: {said}", highlight=False)


def _regret_row(row: "Regret") -> dict[str, str]:
    from tg_actors.cli.standings import number

    figures = row.model_dump(exclude={"name", "of_textbook"})
    said = {name: f"{figure:.1f}" for name, figure in figures.items()}
    return {"name": row.name, "of_textbook": number(row.of_textbook), **said}


@app.command("trial")
def trial(
    seeds: Seeds = 8,
    first_seed: FirstSeed = 0,
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
        several = range(first_seed, first_seed + seeds)
        flags = [Flags("simulated", None, instruments, timeframe, from_, to, seed) for seed in several]
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
    from tg_actors.desk.models import champions_at_home
    from tg_actors.meta.policies import EqualWeightPolicy, ShadowConfig

    swept = sweep_market(desk, flags, wanted)
    bars, costs = swept.bars, swept.costs
    shadow = ShadowConfig(rule=swept.rule, cost_bps=costs.fee_frac * 1e4 + costs.slippage_bps)
    meta = swept.config.meta.model_copy(update={"policy": EqualWeightPolicy()})
    others = {name: meta.model_copy(update={"policy": with_shadow(p, shadow)}) for name, p in TRIED.items()}
    specs = load_agents(swept.config)
    models = champions_at_home(specs, bars.bar_ns)
    cores = [open_agent(spec, bars.symbols, bars.bar_ns, models.get(spec.name)) for spec in specs]
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
        "mean_interval": around(said["mean_interval"], number),
        "won": f"{row.won} of {row.markets}",
        "gain_bps": number(row.gain_bps),
        "gain_interval": around(said["gain_interval"], number),
        "over_equal": number(row.gain_over_equal_bps),
        "equal_interval": around(said["equal_interval"], number),
        "verdict": row.verdict,
    }
