"""``tg backtest noise``: does our own validation believe random walks, and does it find a planted edge?"""

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.screen import AsJson, err, print_json, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tg_actors.backtest.market_bars import MarketBars
    from tg_actors.backtest.noise import NoiseReport

Markets = Annotated[int, typer.Option("--markets", min=10, help="Random walks to try.")]
Edges = Annotated[int, typer.Option("--edges", min=0, help="Simulated markets with a planted edge to try.")]
Bars = Annotated[int, typer.Option("--bars", min=2_000, help="Hours of each market.")]
Strategies = Annotated[int, typer.Option("--strategies", min=2, max=200, help="Strategies to choose among.")]
Strength = Annotated[
    float,
    typer.Option("--strength", min=0.0, max=1.0, help="Planted drift of a bar, in standard deviations."),
]
FeeFrac = Annotated[
    float,
    typer.Option("--fee-frac", min=0.0, max=0.5, help="Fee of every fill; without any, luck has it easiest."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of the first market.")]


def noise(
    markets: Markets = 200,
    edges: Edges = 20,
    bars: Bars = 17_520,
    strategies: Strategies = 20,
    strength: Strength = 0.06,
    fee_frac: FeeFrac = 0.0,
    seed: Seed = 0,
    json_: AsJson = False,
) -> None:
    """Put random walks and planted edges through the validation; exit 1 if noise passes too often."""
    from rich.progress import track

    from tg_actors.backtest.noise import candidates, noise_test, random_walk
    from tg_actors.backtest.population import TradingCosts

    began = time.monotonic()
    walks = (random_walk(number, bars) for number in range(seed, seed + markets))
    report = noise_test(
        track(walks, "random walks", markets, console=err, transient=True),
        track(_edges(edges, seed, bars, strength), "planted edges", edges, console=err, transient=True),
        candidates(strategies),
        TradingCosts(fee_frac, 0.0),
    )
    err.print(f"{markets + edges} markets in {time.monotonic() - began:.0f} s", style="dim")
    if json_:
        print_json({**report.model_dump(mode="json"), "honest": report.is_honest})
    else:
        _show(report)
    if not report.is_honest:
        sys.exit(1)


def _edges(count: int, seed: int, bars: int, strength: float) -> "Iterator[MarketBars]":
    """The simulated market, one seed after the other, with a drift that follows its own averages."""
    from tg_actors.backtest.market_bars import read_bars
    from tg_actors.backtest.noise import planted
    from tg_actors.market.feeds.simulated import SimulatedFeed
    from tg_actors.market.timeframes import Timeframe

    symbol = "BTC/USDT"
    for number in range(seed, seed + count):
        feed = SimulatedFeed(number, (symbol,), Timeframe("1h"), {symbol: 1.0})
        yield planted(read_bars(feed, bars), strength, number)


def _show(report: "NoiseReport") -> None:
    noise_, edge = report.noise, report.planted
    allowed = f"at most {report.passed_max} ({report.nominal_frac:.0%})"
    rows = [
        ("best in sample, taken at its word", noise_.naive, edge.naive, ""),
        ("best in sample, deflated by its trials", noise_.deflated, edge.deflated, allowed),
        ("best of the past, out of sample", noise_.out_of_sample, edge.out_of_sample, allowed),
    ]
    names = ("judged_by", f"noise_of_{noise_.markets}", f"edges_of_{edge.markets}", "allowed_of_noise")
    show(
        [dict(zip(names, row, strict=True)) for row in rows],
        names,
        f"What passes: {report.strategies} strategies, {report.bars} hours, {report.costs}",
        as_json=False,
    )
