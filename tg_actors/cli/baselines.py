"""``tg backtest baselines``: a thousand simple strategies on a market, and where a run stands among them."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, print_json, show
from tg_actors.cli.sweep_options import FeeFrac, Inline, SlippageBps, Workers

if TYPE_CHECKING:
    import numpy as np

    from tg_actors.backtest.population import Population
    from tg_actors.cli.sweeping import SweepMarket

Placed = Annotated[
    str | None, typer.Option("--run", help="Place this finished run, on its own market; brings all flags.")
]
Top = Annotated[int, typer.Option("--top", min=1, help="How many of the best to list.")]
Families = Annotated[
    str | None, typer.Option("--families", help="Only these, comma-separated, e.g. sma_cross,rsi.")
]
ListFamilies = Annotated[bool, typer.Option("--list-families", help="List the families and their sources.")]
#: How many test windows the days of a run are cut into; the first part, two more, is left out.
_WINDOWS = 8
_TOP = 20


def baselines(
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Cycles = None,
    run: Placed = None,
    families: Families = None,
    fee_frac: FeeFrac = None,
    slippage_bps: SlippageBps = None,
    top: Top = _TOP,
    inline: Inline = None,
    workers: Workers = None,
    list_families: ListFamilies = False,
    json_: AsJson = False,
) -> None:
    """Play over 1,200 simple strategies after costs: what the best is worth, and where a run stands."""
    if list_families:
        _list_families(as_json=json_)
        return
    with err.status("reading the market …"):
        from tg_actors.backtest.baselines.library import library
        from tg_actors.cli.sweeping import SweepFlags, populate, run_market, sweep_market
        from tg_actors.desk.plan import Flags

        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        costs = SweepFlags(cycles, fee_frac, slippage_bps)
        swept = sweep_market(desk, flags, costs) if run is None else run_market(run, desk, flags, costs)
    members = library(swept.bars.bar_ns, families.split(",") if families else ())
    began = time.monotonic()
    population = populate(swept, members, workers, inline=inline)
    seconds = time.monotonic() - began
    placed = None if run is None else _place(run, swept, population)
    content = _content(swept, population, len(members), seconds, top) | {"run": placed}
    if json_:
        print_json(content)
    else:
        _print(content)


def _content(
    swept: "SweepMarket", population: "Population", members: int, seconds: float, top: int
) -> dict[str, Any]:
    import numpy as np

    from tg_actors.backtest.choice_paths import choice_paths
    from tg_actors.backtest.population import sharpes_365
    from tg_actors.backtest.standing import BENCHMARK, overfitting, search
    from tg_actors.market.timeframes import instant_text

    sharpes = sharpes_365(population.returns)
    order = np.argsort(-sharpes, kind="stable")
    bars = swept.bars
    paths = choice_paths(population)
    benchmarks = (None, BENCHMARK) if BENCHMARK in population.names else (None,)
    return {
        "symbols": bars.symbols,
        "from_utc": instant_text(int(bars.close_ns[0]) - bars.bar_ns),
        "to_utc": instant_text(int(bars.close_ns[-1])),
        "bars": len(bars) * len(bars.symbols),
        "days": population.returns.shape[1],
        "costs": swept.costs.sentence,
        "baselines": members,
        "distinct": len(population),
        "seconds": round(seconds, 2),
        "bars_per_s": round(members * bars.close.size / seconds),
        "sharpe_daily_365_quantiles": {
            f"{part:g}": round(float(np.quantile(sharpes, part)), 4) for part in (0.05, 0.25, 0.5, 0.75, 0.95)
        },
        "profitable_frac": round(float((population.total_return_frac > 0).mean()), 4),
        "pbo_frac": overfitting(population),
        "choice_paths": None if paths is None else paths.model_dump(mode="json"),
        "searches": [search(population, 0, one).model_dump(mode="json") for one in benchmarks],
        "families": _families(population, sharpes),
        "top": [_row(population, int(k), sharpes) for k in order[:top]],
        "references": [
            _row(population, population.names.index(name), sharpes)
            for name in (BENCHMARK, "cash()")
            if name in population.names
        ],
    }


def _row(population: "Population", k: int, sharpes: "np.ndarray[Any, Any]") -> dict[str, Any]:
    return {
        "baseline": population.names[k],
        "sharpe_daily_365": round(float(sharpes[k]), 4),
        "total_return_frac": round(float(population.total_return_frac[k]), 6) + 0.0,
        "max_drawdown_frac": round(float(population.drawdown_frac[k]), 6),
        "turnover": round(float(population.turnover[k]), 2),
    }


def _families(population: "Population", sharpes: "np.ndarray[Any, Any]") -> list[dict[str, Any]]:
    import numpy as np

    members: dict[str, list[int]] = {}
    for k, name in enumerate(population.names):
        members.setdefault(name.partition("(")[0], []).append(k)
    return [
        {
            "family": family,
            "distinct": len(rows),
            "sharpe_median": round(float(np.median(sharpes[rows])), 4),
            "sharpe_best": round(float(sharpes[rows].max()), 4),
            "turnover_median": round(float(np.median(population.turnover[rows])), 2),
        }
        for family, rows in members.items()
    ]


def _place(run: str, swept: "SweepMarket", population: "Population") -> dict[str, Any]:
    """Place a run among the baselines, and leave the row in its folder for the report."""
    from tg_actors.backtest.standing import Judge, walk
    from tg_actors.cli.sweeping import run_returns
    from tg_actors.runtime.home import existing_run

    splits = walk(population.returns.shape[1], _WINDOWS)
    standing = Judge(population, splits, seed=0).place(run, run_returns(run, swept), len(population) + 1)
    (existing_run(run).path / "baselines.json").write_text(standing.model_dump_json(), encoding="utf-8")
    return standing.model_dump(mode="json")


def _print(content: dict[str, Any]) -> None:
    figures = (
        "from_utc",
        "to_utc",
        "days",
        "bars",
        "costs",
        "baselines",
        "distinct",
        "profitable_frac",
        "pbo_frac",
        "seconds",
    )
    rows = [{"figure": f, "value": "undefined" if content[f] is None else content[f]} for f in figures]
    if content["choice_paths"] is not None:
        rows.append({"figure": "best_out_of_sample", "value": _paths(content["choice_paths"])})
    show(rows, ("figure", "value"), "Baselines", as_json=False)
    columns = ("baseline", "sharpe_daily_365", "total_return_frac", "max_drawdown_frac", "turnover")
    show(content["top"], columns, "Best after costs", as_json=False)
    show(content["references"], columns, "Beside them", as_json=False)
    family = ("family", "distinct", "sharpe_median", "sharpe_best", "turnover_median")
    show(content["families"], family, "Families", as_json=False)
    tests = ("benchmark", "best", "reality_check", "spa", "strategies")
    show(content["searches"], tests, "Is the best of them luck? (p-values, small: no)", as_json=False)
    if content["run"] is not None:
        from tg_actors.cli.standings import print_standings

        print_standings([content["run"]], "The run, out of sample")


def _paths(found: dict[str, Any]) -> str:
    """What choosing the best does to its Sharpe ratio, over the paths of the cross-validation."""
    ratios = found["sharpe_daily_365"]
    return (
        f"sharpe_daily_365 {found['sharpe_median']:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f} on "
        f"{len(ratios)} paths), {found['sharpe_in_sample']:.2f} in sample"
    )


def _list_families(*, as_json: bool) -> None:
    from tg_actors.backtest.baselines.library import FAMILIES

    rows = [
        {"family": family.name, "members": len(family.grid), "source": family.source}
        for family in FAMILIES.values()
    ]
    show(rows, ("family", "members", "source"), "Families of baselines", as_json=as_json)
