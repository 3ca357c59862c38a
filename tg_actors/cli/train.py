"""``tg train``: teach the generalist and its four specialists on a desk's market, on Ray, and judge them."""

from collections.abc import Callable
from typing import Annotated

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Cycles, Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson
from tg_actors.cli.sweep_options import FeeFrac, SlippageBps
from tg_actors.cli.train_proof import proof

app = typer.Typer(
    no_args_is_help=True, help="Train policies on a market, judge them out of sample, keep them as versions."
)

Worlds = Annotated[
    int | None,
    typer.Option("--worlds", min=1, max=64, help="Simulated markets side by side: seeds SEED, SEED+1 …"),
]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Trainings of each, seeds 1, 2, 3 …")]
Folds = Annotated[int, typer.Option("--folds", min=1, help="Test windows of the walk-forward.")]
Steps = Annotated[
    int, typer.Option("--steps", min=1, help="Steps of the generalist; a specialist takes half of them more.")
]
Inline = Annotated[
    bool, typer.Option("--inline/--ray", help="One after the other in this process, or trainers on Ray.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Trainers at a time; the machine's cores if left out.")
]
Register = Annotated[
    bool, typer.Option("--register/--no-register", help="Keep what was trained as a new version.")
]
#: What each command trains, beside everything.
_ALL = "all"


def _command(chosen: str) -> Callable[..., None]:
    def command(
        desk: Desk = DEFAULT_DESK,
        market: Market = None,
        data: Data = None,
        instruments: Instruments = None,
        timeframe: Timeframe = None,
        from_: From = None,
        to: To = None,
        seed: Seed = None,
        worlds: Worlds = None,
        cycles: Cycles = None,
        fee_frac: FeeFrac = None,
        slippage_bps: SlippageBps = None,
        seeds: Seeds = 2,
        folds: Folds = 2,
        steps: Steps = 500_000,
        workers: Workers = None,
        inline: Inline = False,
        register: Register = True,
        json_: AsJson = False,
    ) -> None:
        from tg_actors.cli.training import Wish, train_all
        from tg_actors.cli.training_screen import print_judged, screen
        from tg_actors.desk.plan import Flags
        from tg_actors.rl.specialists import SPECIALISTS

        names = tuple(SPECIALISTS) if chosen == _ALL else (chosen,)
        wish = Wish(
            names=names,
            desk=desk,
            flags=Flags(market, data, instruments, timeframe, from_, to, seed),
            worlds=worlds,
            cycles=cycles,
            fee_frac=fee_frac,
            slippage_bps=slippage_bps,
            seeds=seeds,
            folds=folds,
            steps=steps,
            workers=workers,
            inline=inline,
            register=register,
        )
        with screen(as_json=json_) as told:
            content = train_all(wish, told)
        print_judged(content, as_json=json_)

    return command


#: Commands and what they train; the table of the specialists is read when they run.
_COMMANDS = {
    "generalist": "Train the generalist: every market, the trunk of the others.",
    "conservative": "Train the one for volatile markets, from the generalist.",
    "aggressive": "Train the one for trending markets, from the generalist.",
    "balanced": "Train the one for ranging markets, from the generalist.",
    "contrarian": "Train the one for reversals, taught by mean reversion.",
    _ALL: "Train the generalist and all four; Ctrl-C stops, and the same command goes on where it was.",
}
for _name, _help in _COMMANDS.items():
    app.command(_name, help=_help)(_command(_name))
app.command()(proof)
