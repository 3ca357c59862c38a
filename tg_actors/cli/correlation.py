"""``tg correlation``: what moves with what, as the desk's agents and limits see it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, out, print_json, show
from tg_actors.domain.errors import UserError

if TYPE_CHECKING:
    from tg_actors.domain.blocks import F64
    from tg_actors.portfolio.correlation import Correlations

Data = Annotated[Path, typer.Option("--data", help="Folder of recorded bars.")]
Instruments = Annotated[
    str, typer.Option("--instruments", help="Comma-separated, e.g. BTC/USDT,ETH/USDT; at least one.")
]
References = Annotated[
    str, typer.Option("--references", help="Comma-separated daily series, e.g. USEQUITY-ADJ/SPY-USD.")
]
Until = Annotated[str, typer.Option("--until", "--to", help="The UTC day before which the last close lies.")]
WindowDays = Annotated[int, typer.Option("--window-days", min=10, max=400, help="Calendar days looked at.")]
Svg = Annotated[Path | None, typer.Option("--svg", help="Also draw the matrix into this file.")]


def correlation(
    data: Data,
    instruments: Instruments,
    until: Until,
    references: References = "",
    window_days: WindowDays = 90,
    svg: Svg = None,
    json_: AsJson = False,
) -> None:
    """Show correlations of daily returns, their clusters, who leads, and portfolio weights."""
    watched = tuple(name for name in references.split(",") if name)
    names, closes, n = _read(data, instruments, watched, until, window_days)
    found = _found(names, closes, n, window_days)
    if svg is not None:
        from tg_actors.cli.correlation_picture import draw

        title = f"Correlation of daily returns, {window_days} days to {until}"
        svg.write_text(draw(title, found["names"], found["matrix"], found["clusters"]), encoding="utf-8")
    if json_:
        print_json({"until": until, "window_days": window_days, **found})
        return
    _print(found, until, window_days)


def _read(
    data: Path, instruments: str, references: tuple[str, ...], until: str, window_days: int
) -> tuple[list[str], "F64", int]:
    """Return names, closes ``(d, n + r)`` and n, as a snapshot at that instant holds them."""
    from tg_actors.desk.config import VenueConfig
    from tg_actors.desk.files import find_named, load
    from tg_actors.desk.plan import chosen_symbols
    from tg_actors.market.config import MarketConfig, RecordedSource, market_spec, open_market
    from tg_actors.market.needs import MarketNeeds
    from tg_actors.market.timeframes import Timeframe, instant_ns, instant_text
    from tg_actors.portfolio.days import closes_beside

    symbols, timeframe = chosen_symbols(instruments), Timeframe.HOUR_1
    end_ns = instant_ns(until)
    source = RecordedSource(
        data=str(data), from_utc=instant_text(end_ns - timeframe.bar_ns), to_utc=until, references=references
    )
    config = MarketConfig(timeframe=timeframe, source=source)
    filters = load(VenueConfig, find_named("venues", "practice")).instruments
    needs = MarketNeeds(days=window_days + 1, references=references)
    snapshot = open_market(market_spec(config, symbols, filters, needs)).advance(0)
    if snapshot is None or snapshot.days is None:
        raise UserError(f"{data} has no bars that end at {until}: choose another --until")
    watched = () if snapshot.references is None else snapshot.references.names
    closes = closes_beside(snapshot.days, snapshot.references, symbols)
    return [*symbols, *watched], closes, len(symbols)


def _found(names: list[str], closes: "F64", n: int, window_days: int) -> dict[str, Any]:
    """Everything that is said, as JSON has it; None stands for what is not known."""
    import numpy as np

    from tg_actors.portfolio.clusters import find_clusters
    from tg_actors.portfolio.correlation import correlate, find_lead_lags
    from tg_actors.risk.clusters import threshold_of
    from tg_actors.risk.limits import RiskLimits

    whole, coins = correlate(closes, window_days), correlate(closes[:, :n], window_days)
    threshold = threshold_of(RiskLimits())
    leads = find_lead_lags(closes, (1, 2, 3), 0.05)
    matrix, sample = (
        [[None if np.isnan(rho) else round(float(rho), 4) for rho in row] for row in rows]
        for rows in (whole.matrix, whole.sample)
    )
    return {
        "names": names,
        "matrix": matrix,
        "sample": sample,
        "returns": whole.count.tolist(),
        "shrinkage_frac": round(whole.shrinkage_frac, 4),
        "mean_instruments": None if np.isnan(coins.mean) else round(coins.mean, 4),
        "shrinkage_frac_instruments": round(coins.shrinkage_frac, 4),
        "dispersion_instruments": None if np.isnan(coins.dispersion) else round(coins.dispersion, 4),
        "threshold_instruments": round(threshold.of(coins.matrix), 4),
        # As the limit of clusters sees them: the desk's instruments by themselves.
        "clusters": list(find_clusters(coins.matrix, threshold)),
        "leads": [
            {
                "leader": names[i],
                "follower": names[j],
                "lag_days": leads.lags_days[k],
                "correlation": round(float(leads.correlation[k, i, j]), 4),
            }
            for k, i, j in np.argwhere(leads.correlation).tolist()
        ],
        "weights": _weights(coins, names[:n]),
    }


def _weights(coins: "Correlations", names: list[str]) -> dict[str, dict[str, float]]:
    import numpy as np

    from tg_actors.portfolio.weights import ALLOCATORS

    known = np.flatnonzero(coins.known).tolist()
    if not known:
        return {}
    sigma = coins.volatility_frac[known]
    covariance = coins.matrix[np.ix_(known, known)] * np.outer(sigma, sigma)
    return {
        name: {
            names[k]: round(float(w), 4) for k, w in zip(known, allocate(covariance).tolist(), strict=True)
        }
        for name, allocate in ALLOCATORS.items()
    }


def _print(found: dict[str, Any], until: str, window_days: int) -> None:
    names, clusters = found["names"], found["clusters"]
    columns = [name.partition("/")[0] for name in names]
    rows = [
        {
            "name": name,
            **{c: "" if rho is None else f"{rho:.2f}" for c, rho in zip(columns, row, strict=True)},
            "cluster": clusters[k] if k < len(clusters) else "",
            **{
                how: f"{shares.get(name, 0):.3f}"
                for how, shares in found["weights"].items()
                if k < len(clusters)
            },
        }
        for k, (name, row) in enumerate(zip(names, found["matrix"], strict=True))
    ]
    title = f"Correlation of daily returns, {window_days} days to {until}"
    show(rows, ("name", *columns, "cluster", *found["weights"]), title, as_json=False)
    out.print(
        f"  instruments: mean {found['mean_instruments']}, dispersion {found['dispersion_instruments']}, "
        f"one cluster from {found['threshold_instruments']} on, shrunk by "
        f"{found['shrinkage_frac_instruments']}; with references, as the table, by {found['shrinkage_frac']} "
        "(0: as sampled, 1: so alike that every pair gets the mean; --json has the sample)",
        highlight=False,
        soft_wrap=True,
    )
    show(
        found["leads"],
        ("leader", "follower", "lag_days", "correlation"),
        "Leads beyond chance",
        as_json=False,
    )
