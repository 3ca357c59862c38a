"""``tg backtest regimes``: how good the regimes are on simulated truth, how steady on recorded bars."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Desk, From, Instruments, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.backtest.regime_score import Watched
    from tg_actors.desk.config import DeskConfig
    from tg_actors.desk.plan import Flags

Seeds = Annotated[int, typer.Option("--seeds", min=1, max=1000, help="Simulated markets, seeds 0, 1, 2 ...")]
Bars = Annotated[int, typer.Option("--cycles", min=100, help="Bars of each simulated market.")]
Refit = Annotated[
    int | None,
    typer.Option("--refit-bars", min=256, max=4096, help="Fit the shapes to so many bars before each pass."),
]
Folder = Annotated[Path | None, typer.Option("--data", help="Recorded bars instead: steadiness only.")]

_ACCURACY = ("way", "accuracy", "balanced", "found_frac", "delay_bars")
_STEADINESS = ("way", "duration_bars", "flips_per_1000_bars")


def score_regimes(
    seeds: Seeds = 20,
    cycles: Bars = 4096,
    desk: Desk = DEFAULT_DESK,
    data: Folder = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    refit_bars: Refit = None,
    json_: AsJson = False,
) -> None:
    """Score the regime filter against the simulated truth, two thresholds, and the most frequent regime."""
    from tg_actors.desk.config import load_desk
    from tg_actors.desk.plan import Flags

    config = load_desk(desk)
    if refit_bars is not None:
        regime = config.meta.regime.model_copy(update={"refit_bars": refit_bars})
        config = config.model_copy(update={"meta": config.meta.model_copy(update={"regime": regime})})
    if data is not None:
        flags = [Flags("recorded", data, instruments, timeframe, from_, to)]
    else:
        flags = [Flags("simulated", None, instruments, timeframe, from_, to, seed) for seed in range(seeds)]
    with err.status("") as status:
        markets = []
        for k, one in enumerate(flags):
            status.update(f"market {k + 1} of {len(flags)} …")
            markets.append(_watch(config, one, cycles))
    figures = _figures(markets)
    if json_:
        print_json(figures)
        return
    _print(figures)


def _watch(config: "DeskConfig", flags: "Flags", cycles: int) -> "Watched":
    from tg_actors.backtest.regime_score import watch
    from tg_actors.desk.config import load_venue
    from tg_actors.desk.plan import flagged
    from tg_actors.domain.errors import UserError
    from tg_actors.market.builder import SnapshotBuilder
    from tg_actors.market.config import market_spec, open_feed
    from tg_actors.market.feeds.simulated import SimulatedFeed
    from tg_actors.meta.regimes import RegimeFilter

    chosen, regime = flagged(config, flags), config.meta.regime
    spec = market_spec(chosen.market, chosen.instruments, load_venue(chosen).instruments, regime.needs())
    feed = open_feed(spec)
    total = cycles if feed.cycles is None else feed.cycles
    truth = (lambda cycle: feed.truth(cycle).value) if isinstance(feed, SimulatedFeed) else None
    market = SnapshotBuilder(feed, needs=spec.needs)
    watched = watch(market.advance, RegimeFilter(regime), range(total), truth)
    if not watched.labels["filter"]:
        raise UserError(
            f"{total} bars are too few to tell a regime: it takes {regime.known_bars_min} at least"
        )
    return watched


def _figures(markets: "list[Watched]") -> dict[str, Any]:
    from tg_actors.backtest.regime_score import accuracy, log_scores, most_frequent, steadiness

    ways = list(markets[0].labels)
    steady = {way: steadiness(markets, way).model_dump() for way in ways}
    figures: dict[str, Any] = {"markets": len(markets), "steadiness": steady}
    if markets[0].truth:
        most_frequent(markets)
        score, prior = log_scores(markets)
        figures["accuracy"] = {way: accuracy(markets, way).model_dump() for way in markets[0].labels}
        figures["log_score"] = {"filter": score, "shares_of_the_truth": prior}
    return figures


def _print(figures: dict[str, Any]) -> None:
    rows = [{"way": way, **figures} for way, figures in figures["steadiness"].items()]
    show([_rounded(row) for row in rows], _STEADINESS, "How steady", as_json=False)
    if "accuracy" not in figures:
        return
    rows = [{"way": way, **figures} for way, figures in figures["accuracy"].items()]
    show([_rounded(row) for row in rows], _ACCURACY, "Against the truth", as_json=False)
    confusion = figures["accuracy"]["filter"]["confusion"]
    rows = [{"truth": true, **row} for true, row in confusion.items()]
    show(rows, ("truth", *confusion), "The filter's bars: truth down, label across", as_json=False)
    score = figures["log_score"]
    out.print(
        f"log score {score['filter']:.3f}; naming the truth's own shares {score['shares_of_the_truth']:.3f}",
        highlight=False,
    )


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    return {key: f"{value:.3f}" if isinstance(value, float) else value for key, value in row.items()}
