"""The market flags that ``tg run`` and ``tg backtest run`` share, and what they mean."""

from pathlib import Path
from typing import Annotated

import typer

Desk = Annotated[str, typer.Option("--desk", help="Desk file.")]
Market = Annotated[
    str | None,
    typer.Option("--market", help="simulated, recorded or venue (live bars); the file's if left out."),
]
Data = Annotated[Path | None, typer.Option("--data", help="Folder of recorded bars (market recorded).")]
Instruments = Annotated[
    str | None, typer.Option("--instruments", help="Comma-separated, e.g. BTC/USDT,XRP/USDT.")
]
Timeframe = Annotated[str | None, typer.Option("--timeframe", help="Length of a bar, e.g. 5m, 1h.")]
From = Annotated[str | None, typer.Option("--from", help="First UTC day or time, e.g. 2020-02-01.")]
To = Annotated[str | None, typer.Option("--to", help="UTC day or time before which the last bar closes.")]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of the simulated market.")]
Cycles = Annotated[
    int | None, typer.Option("--cycles", min=1, help="Stop once the journal holds this many cycles.")
]
Name = Annotated[str | None, typer.Option("--name", help="Keep this run in a folder of its own.")]
