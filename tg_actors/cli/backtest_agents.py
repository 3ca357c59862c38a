"""``tg backtest agents``: every agent and the ensemble, out of sample, after costs, among the baselines."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json
from tg_actors.cli.sweep_options import FeeFrac, Inline, SlippageBps, Workers

if TYPE_CHECKING:
    from tg_actors.cli.sweeping import SweepMarket
    from tg_actors.domain.blocks import F64

Windows = Annotated[
    int, typer.Option("--windows", min=2, help="Test windows; the time of two more comes before the first.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the table as in docs/evidence.md.")]
Rotations = Annotated[
    int,
    typer.Option("--rotations", min=0, help="Random times at which the same positions are tried; 0: none."),
]
Confidence = Annotated[
    float | None,
    typer.Option("--confidence-min", min=0, max=1, help="What an entry needs; the desk's limit if left out."),
]
Band = Annotated[
    float | None,
    typer.Option("--band", min=0, max=0.99, help="Smallest change and position; the desk's if left out."),
]
_WINDOWS = 8
_ROTATIONS = 99


def agents(
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
    windows: Windows = _WINDOWS,
    rotated: Rotations = _ROTATIONS,
    confidence_min: Confidence = None,
    band: Band = None,
    inline: Inline = None,
    workers: Workers = None,
    markdown: Markdown = False,
    json_: AsJson = False,
) -> None:
    """Judge a desk's agents and their ensemble against buy-and-hold and over 1,200 baselines."""
    with err.status("reading the market …"):
        from tg_actors.backtest.baselines.library import library
        from tg_actors.backtest.evaluation import rotations, worth
        from tg_actors.backtest.standing import table, walk
        from tg_actors.cli.sweeping import SweepFlags, populate, sweep_market
        from tg_actors.desk.plan import Flags

        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        wanted = SweepFlags(cycles, fee_frac, slippage_bps, confidence_min, band)
        swept = sweep_market(desk, flags, wanted)
    members = library(swept.bars.bar_ns)
    began = time.monotonic()
    population = populate(swept, members, workers, inline=inline)
    walk(population.returns.shape[1], windows)  # too short a time is said before the agents are heard
    played = time.monotonic() - began
    targets = _heard(swept)
    outcomes = [worth(name, swept.bars, rows, swept.costs) for name, rows in targets.items()]
    chance = {name: rotations(swept.bars, rows, swept.costs, 0, rotated) for name, rows in targets.items()}
    with err.status("judging …"):
        rows = table(outcomes, population, windows, chance if rotated else {})
    standings = [row.model_dump(mode="json") for row in rows]
    content = _content(swept, len(members), len(population), windows) | {
        "seconds_baselines": round(played, 1),
        "seconds": round(time.monotonic() - began, 1),
        "turnover": {one.name: round(one.turnover, 1) for one in outcomes},
        "standings": standings,
    }
    seen = _seen(swept)
    content |= {"seen_in_training": seen} if seen else {}
    if json_:
        print_json(content)
    elif markdown:
        _print_markdown(content)
    else:
        _print(content)
    for one in [] if json_ else seen:
        err.print(one["sentence"], style="yellow", highlight=False, markup=False, soft_wrap=True)


def _heard(swept: "SweepMarket") -> "dict[str, F64]":
    """Hear all agents and the ensemble over the whole market; the targets of each."""
    from tg_actors.agents.kinds import open_agent
    from tg_actors.backtest.evaluation import Chorus, hear_market
    from tg_actors.cli.sweeping import progress
    from tg_actors.desk.config import load_agents
    from tg_actors.desk.models import champions_at_home

    bars = swept.bars
    specs = load_agents(swept.config)
    models = champions_at_home(specs, bars.bar_ns)
    cores = [open_agent(spec, bars.symbols, bars.bar_ns, models.get(spec.name)) for spec in specs]
    chorus = Chorus(cores, len(bars.symbols), swept.rule, swept.config.meta)
    with progress() as bar:
        task = bar.add_task("cycles", total=len(bars))
        return hear_market(chorus, swept.spec, len(bars), lambda cycle: bar.update(task, completed=cycle))


def _seen(swept: "SweepMarket") -> list[dict[str, Any]]:
    """What of the market the agents' models were trained on: nothing there is out of sample for them."""
    from tg_actors.desk.config import load_agents
    from tg_actors.desk.models import champions_at_home
    from tg_actors.desk.overlap import trained_on

    found = trained_on(champions_at_home(load_agents(swept.config)), swept.bars.close_ns.tolist())
    return [{**one.model_dump(mode="json"), "sentence": one.sentence} for one in found]


def _content(swept: "SweepMarket", members: int, distinct: int, windows: int) -> dict[str, Any]:
    from tg_actors.market.timeframes import instant_text

    bars = swept.bars
    return {
        "desk": swept.config.name,
        "rule": swept.rule.model_dump(),
        "symbols": bars.symbols,
        "timeframe": swept.config.market.timeframe.value,
        "from_utc": instant_text(int(bars.close_ns[0]) - bars.bar_ns),
        "to_utc": instant_text(int(bars.close_ns[-1])),
        "costs": swept.costs.sentence,
        "baselines": members,
        "distinct": distinct,
        "windows": windows,
    }


def _print(content: dict[str, Any]) -> None:
    from tg_actors.cli.standings import print_standings

    _say(content)
    print_standings(content["standings"], "Out of sample, after costs")


def _say(content: dict[str, Any]) -> None:
    line = (
        f"{content['desk']}: {len(content['symbols'])} instruments, {content['timeframe']}, "
        f"{content['from_utc']} to {content['to_utc']}; {content['costs']}; {content['distinct']} distinct "
        f"baselines of {content['baselines']}; {content['windows']} test windows"
    )
    out.print(line, highlight=False, markup=False, soft_wrap=True)


def _print_markdown(content: dict[str, Any]) -> None:
    from tg_actors.cli.standings import standing_row

    _say(content)
    rows = [standing_row(standing) for standing in content["standings"]]
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([str(row[name]) for name in names] for row in rows)]
    for cells in lines:
        text = "| " + " | ".join(cell.replace("_", " ") if cells is names else cell for cell in cells) + " |"
        out.print(text, highlight=False, markup=False, soft_wrap=True)
