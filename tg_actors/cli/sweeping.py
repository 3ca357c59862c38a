"""What ``tg backtest baselines``, ``tg backtest agents`` and ``tg tune`` share: market, costs, workers."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tg_actors.backtest.baselines.family import Baseline
from tg_actors.backtest.market_bars import MarketBars, read_bars
from tg_actors.backtest.population import DayGrid, Population, TradingCosts, gather, run_baselines
from tg_actors.cli.reading import reading
from tg_actors.cli.screen import err
from tg_actors.desk.config import DeskConfig, VenueConfig, load_desk, load_venue
from tg_actors.desk.plan import Flags, flagged, plan_market
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketConfig, MarketSpec, VenueSource
from tg_actors.portfolio.stances import TargetRule

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tg_actors.backtest.population import Outcome

#: Starting Ray takes as long as one process takes for so many bars of strategies.
_RAY_BARS = 200_000_000
#: Fewer bars show nothing.
_BARS_MIN = 100


@dataclass(frozen=True, slots=True)
class SweepFlags:
    """What a command line may say about length, costs and entries; None leaves it to market, venue, desk."""

    cycles: int | None = None
    fee_frac: float | None = None
    slippage_bps: float | None = None
    confidence_frac_min: float | None = None
    band_frac: float | None = None


@dataclass(frozen=True, slots=True)
class SweepMarket:
    """A desk's market as bars, what trading on it costs, and when an opinion becomes a target."""

    config: DeskConfig
    spec: MarketSpec
    bars: MarketBars
    costs: TradingCosts
    rule: TargetRule


def sweep_market(desk: str, flags: Flags, wanted: SweepFlags) -> SweepMarket:
    """Read a desk and the bars of its market.

    Raises:
        UserError: whatever a user can get wrong.
    """
    return _market_of(flagged(load_desk(desk), flags), wanted)


def run_market(run: str, desk: str, flags: Flags, wanted: SweepFlags) -> SweepMarket:
    """Read the bars of the market that a run has seen, as long as it has seen them.

    Raises:
        UserError: there is no such run, its market is gone, or a flag speaks of another market.
    """
    if flags != Flags() or wanted.cycles is not None:
        raise UserError("--run brings its own market: leave out the flags that choose another")
    with reading(run) as (folder, journal):
        known, cycles = journal.identity(), journal.cycles_count()
    if known is None or not cycles:
        raise UserError(f"{folder.name} has no cycles yet: nothing to place")
    market = json.loads(known["market"])
    update = {
        "instruments": tuple(market.pop("symbols")),
        "market": MarketConfig.model_validate_json(json.dumps(market)),
        "venue": known["venue"],
    }
    return _market_of(load_desk(desk).model_copy(update=update), replace(wanted, cycles=cycles))


def run_returns(run: str, market: SweepMarket) -> F64:
    """Return the daily returns of a run's marked equity on the days of a market.

    Raises:
        UserError: there is no such run.
    """
    with reading(run) as (_, journal):
        curve = journal.equity_curve()
    marks = np.array([float(equity) for _, equity in curve])
    at = np.searchsorted(np.array([at_ns for at_ns, _ in curve]), market.bars.close_ns, side="right") - 1
    days = DayGrid(market.bars.close_ns, market.bars.bar_ns)
    return days.returns(marks[np.maximum(at, 0)], float(marks[0]))


def _market_of(config: DeskConfig, wanted: SweepFlags) -> SweepMarket:
    if isinstance(config.market.source, VenueSource):
        raise UserError(
            f"desk {config.name!r} trades on a live market, which has no past to test on: add "
            "--market recorded --data DIR, or --market simulated"
        )
    spec, feed = plan_market(config)
    bars = read_bars(feed, wanted.cycles)
    if len(bars) < _BARS_MIN:
        raise UserError(
            f"the market has {len(bars)} bars, and nothing can be tried on fewer than {_BARS_MIN}"
        )
    return SweepMarket(config, spec, bars, _costs(load_venue(config), spec, wanted), _rule(config, wanted))


def _rule(config: DeskConfig, wanted: SweepFlags) -> TargetRule:
    """When opinions become targets: as the desk's limits say."""
    limits, confidence, band = config.risk, wanted.confidence_frac_min, wanted.band_frac
    return TargetRule(
        confidence_frac_min=float(limits.confidence_frac_min) if confidence is None else confidence,
        band_frac=float(limits.rebalance_band_frac) if band is None else band,
        allow_short=limits.allow_short,
    )


def _costs(venue: VenueConfig, spec: MarketSpec, wanted: SweepFlags) -> TradingCosts:
    """What the practice exchange would charge, mean over the instruments, unless something else is wanted."""
    spreads = [float(bps) for bps in spec.spread_bps.values()]
    usual = float(venue.exchange.slippage.base_bps) + sum(spreads) / len(spreads) / 2.0
    fee_frac = float(venue.exchange.fees.taker_frac)
    return TradingCosts(
        fee_frac=fee_frac if wanted.fee_frac is None else wanted.fee_frac,
        slippage_bps=round(usual, 3) if wanted.slippage_bps is None else wanted.slippage_bps,
    )


def populate(
    market: SweepMarket, baselines: Sequence[Baseline], workers: int | None, *, inline: bool | None
) -> Population:
    """Play baselines, on Ray where it is worth the start, and show how far it is."""
    work = len(baselines) * market.bars.close.size
    if inline is None:
        inline = work < _RAY_BARS
    with progress() as bar:
        task = bar.add_task("baselines", total=len(baselines))
        if inline:
            return _gathered(bar, task, market, run_baselines(market.bars, baselines, market.costs))
        with ray_tasks(workers) as count:
            from tg_actors.backtest.actor import run_on_ray

            return _gathered(bar, task, market, run_on_ray(market.bars, baselines, market.costs, count))


def _gathered(
    bar: "Progress", task: "TaskID", market: SweepMarket, outcomes: "Iterator[Outcome]"
) -> Population:
    def watched() -> "Iterator[Outcome]":
        for outcome in outcomes:
            yield outcome
            bar.advance(task)

    return gather(market.bars, watched(), market.costs)


@contextmanager
def ray_tasks(workers: int | None) -> Iterator[int]:
    """Start Ray for the length of the block; yields how many tasks may run at a time."""
    from tg_actors.runtime.cluster import ClusterSpec, cluster, ray_version

    count = workers or os.cpu_count() or 1
    ray_version()
    spec = ClusterSpec("triplegain-sweep", dashboard=False)
    # Ray prints warnings to stdout whatever it is told; what programs read must stay clean.
    with redirect_stdout(sys.stderr), cluster(spec, err.print):
        yield count


@contextmanager
def progress() -> "Iterator[Progress]":
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        yield bar
