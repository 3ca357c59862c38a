"""``tg backtest robustness``: an agent on other candles, with its trades in another order."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show
from tg_actors.cli.sweep_options import FeeFrac, SlippageBps

if TYPE_CHECKING:
    from tg_actors.backtest.robustness import Robustness

Target = Annotated[str, typer.Argument(help="An agent's name, or all of the desk's: all.")]
Bars = Annotated[int, typer.Option("--cycles", min=200, help="How many bars of the market.")]
Candles = Annotated[int, typer.Option("--candles", min=19, help="Markets of the same candles to try.")]
BlockHours = Annotated[
    float,
    typer.Option("--block-hours", min=0.0, help="Mean length of what stays together when candles move."),
]
_HOUR_NS = 3_600 * 10**9
#: Columns about candles; those after them are about trades, in a table of their own: all are too wide.
_CANDLES = 6
#: Seed of what is drawn, not of the market.
_DRAWN = 1


def robustness(
    target: Target,
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Bars = 3_000,
    fee_frac: FeeFrac = None,
    slippage_bps: SlippageBps = None,
    candles: Candles = 99,
    block_hours: BlockHours = 12.0,
    json_: AsJson = False,
) -> None:
    """Ask how much of an agent's result is the order in which candles and trades happened to come."""
    from tg_actors.backtest.robustness import robustness as examine
    from tg_actors.backtest.robustness import together
    from tg_actors.backtest.tape import record
    from tg_actors.cli.sweeping import SweepFlags, progress, sweep_market
    from tg_actors.desk.config import load_agent
    from tg_actors.desk.models import champions_at_home
    from tg_actors.desk.plan import Flags
    from tg_actors.market.config import open_feed

    with err.status("reading the market …"):
        flags = Flags(market, data, instruments, timeframe, from_, to, seed)
        swept = sweep_market(desk, flags, SweepFlags(cycles, fee_frac, slippage_bps))
        specs = [load_agent(name) for name in (swept.config.agents if target == "all" else (target,))]
        models = champions_at_home(specs, swept.bars.bar_ns)
        tapes = [record(open_feed(swept.spec), len(swept.bars), spec.needs()) for spec in specs]
    found = []
    with progress() as bar:
        task = bar.add_task("markets", total=len(specs) * (candles + 1))
        for spec, tape in zip(specs, tapes, strict=True):
            found.append(
                examine(
                    spec,
                    tape,
                    swept.rule,
                    swept.costs,
                    seed=_DRAWN,
                    candles=candles,
                    block_bars=max(1.0, block_hours * _HOUR_NS / swept.bars.bar_ns),
                    model=models.get(spec.name),
                    tell=lambda: bar.advance(task),
                )
            )
    _print(together(found), as_json=json_)


def _print(found: "list[Robustness]", *, as_json: bool) -> None:
    if as_json:
        print_json({"agents": [one.model_dump(mode="json") for one in found]})
        return
    rows = [_row(one) for one in found]
    columns = list(rows[0])
    show(rows, columns[:_CANDLES], "On other candles", as_json=False)
    show(rows, columns[:1] + columns[_CANDLES:], "With other orders of trades", as_json=False)
    others = f"{found[0].candles} other markets without books and facts"
    out.print(f"  {found[0].bars} bars, {others}; {found[0].costs}", style="dim")


def _row(one: "Robustness") -> dict[str, Any]:
    other, order, drawn = one.sharpe_other_candles, one.drawdown_shuffled, one.return_resampled
    return {
        "agent": one.agent,
        "trades": one.trades,
        "sharpe_daily_365": f"{one.sharpe_daily_365:.2f}",
        "on_other_candles": f"{other.low:.2f} to {other.high:.2f}",
        "p": f"{one.candles_p_value:.3f}",
        "p_holm": f"{one.holm:.3f}",
        "drawdown": f"{one.drawdown_frac:.1%}",
        "in_other_orders": "" if order is None else f"{order.low:.1%} to {order.high:.1%}",
        "return_of_other_trades": "" if drawn is None else f"{drawn.low:+.1%} to {drawn.high:+.1%}",
    }
