"""The flags of ``tg backtest baselines``, ``tg backtest agents`` and ``tg tune`` about costs and workers."""

from typing import Annotated

import typer

FeeFrac = Annotated[
    float | None,
    typer.Option("--fee-frac", min=0, max=0.5, help="Fee of every fill; the venue's taker fee if left out."),
]
SlippageBps = Annotated[
    float | None,
    typer.Option(
        "--slippage-bps", min=0, help="Paid on top; the venue's slippage and half spread if left out."
    ),
]
Inline = Annotated[
    bool | None,
    typer.Option("--inline/--ray", help="One process, or Ray tasks; by the size of the work if left out."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Ray tasks at a time; the machine's cores if left out.")
]
