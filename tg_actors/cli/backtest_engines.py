"""``tg backtest kernel`` and ``tg backtest event``: two engines, one set of flags, one shape of answer."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, out, print_json, show
from tg_actors.domain.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tg_actors.backtest.kernel import ColumnReplay, KernelRules
    from tg_actors.backtest.signals import BarFile
    from tg_actors.desk.experiment import Extras
    from tg_actors.domain.blocks import F64

    #: Replays one symbol with its part of the cash.
    Engine = Callable[[BarFile, F64, KernelRules, float], ColumnReplay]


class Fill(StrEnum):
    """The fill rules that bars alone can serve."""

    NEXT_OPEN = "next_open"
    SIGNAL_CLOSE = "signal_close"


class SizeAt(StrEnum):
    """Which price turns a target into a quantity."""

    FILL = "fill"
    DECISION = "decision"


class On(StrEnum):
    """When an order is decided."""

    CHANGE = "change"
    EVERY_BAR = "every_bar"


class IntrabarRule(StrEnum):
    """The path of prices inside a bar."""

    OHLC_PATH = "ohlc_path"
    LOW_FIRST = "low_first"


Signals = Annotated[Path, typer.Option("--signals", help="CSV or Parquet: timestamp, target.")]
BarsOption = Annotated[Path, typer.Option("--bars", help="CSV or Parquet, timestamp to volume.")]
FillOption = Annotated[Fill, typer.Option("--fill", help="Where a decision on a close fills.")]
Fee = Annotated[float, typer.Option("--fee-frac", help="Fee as a fraction of every fill's notional.")]
Slippage = Annotated[
    str, typer.Option("--slippage", help="none, fixed_bps:5, impact_bps:20, or volatility:0.1 (kernel only).")
]
SizeOption = Annotated[
    SizeAt, typer.Option("--size-at", help="Price that sizes a target: of fill or decision.")
]
OnOption = Annotated[On, typer.Option("--on", help="Order when the target changes, or on every bar.")]
Cash = Annotated[float, typer.Option("--cash", help="Cash to begin with.")]
Stop = Annotated[
    float | None,
    typer.Option("--stop-frac", help="Protective stop of every entry, as a fraction of its price."),
]
Latency = Annotated[int, typer.Option("--latency-ms", min=0, help="How long orders are on their way.")]
IntrabarOption = Annotated[IntrabarRule, typer.Option("--intrabar", help="The path of prices inside a bar.")]

#: How each figure is computed, printed beside it.
DEFINITIONS = {
    "final_equity": "cash + quantity * last close, summed over the symbols",
    "trades": "round trips from flat to flat, a fill that turns a position round being split",
    "quantity": "largest position of the trade, negative when short",
    "entry_price": "average price of the fills that enlarged the position; exit_price of the others",
    "entry_time": "opening time of the bar that the first fill belongs to; exit_time of the last",
    "pnl": "after fees; an open trade is marked at the last close",
    "mae_frac": "furthest move against the position within its bars, over the entry price; mfe_frac for it",
    "target": "signed fraction of equity, decided on the close; ordered when it changes, or on every_bar",
    "size_at": "fill: quantity = target * equity / price at the fill's market price; decision: at the close",
    "cash": "a buy that the cash does not cover, fee included, is reduced to what it covers",
}


def run_kernel(
    signals: Signals,
    bars: BarsOption,
    fill: FillOption = Fill.NEXT_OPEN,
    fee_frac: Fee = 0.001,
    slippage: Slippage = "none",
    size_at: SizeOption = SizeAt.FILL,
    on: OnOption = On.CHANGE,
    cash: Cash = 10_000.0,
    json_: AsJson = False,
) -> None:
    """Replay target positions over bars with the vectorised kernel."""
    rules = _rules(fill, fee_frac, slippage, size_at, on, cash)
    # The kernel knows nothing of what happens inside a bar.
    beyond = dict.fromkeys(("stop_frac", "intrabar", "latency_ms"))
    _report(_run(signals, bars, rules, cash, _in_kernel), "kernel", rules, beyond, as_json=json_)


def run_event(
    signals: Signals,
    bars: BarsOption,
    fill: FillOption = Fill.NEXT_OPEN,
    fee_frac: Fee = 0.001,
    slippage: Slippage = "none",
    size_at: SizeOption = SizeAt.FILL,
    on: OnOption = On.CHANGE,
    cash: Cash = 10_000.0,
    stop_frac: Stop = None,
    intrabar: IntrabarOption = IntrabarRule.OHLC_PATH,
    latency_ms: Latency = 0,
    json_: AsJson = False,
) -> None:
    """Drive target positions through the whole desk: cycle, permits, executor, journal, practice exchange."""
    from functools import partial

    if latency_ms and fill is Fill.SIGNAL_CLOSE:
        raise UserError("--latency-ms: signal_close fills at once, use --fill next_open")
    rules = _rules(fill, fee_frac, slippage, size_at, on, cash)
    engine = partial(_through_desk, extras=_extras(stop_frac, intrabar, latency_ms))
    beyond = {"stop_frac": stop_frac, "intrabar": intrabar.value, "latency_ms": latency_ms}
    _report(_run(signals, bars, rules, cash, engine), "event", rules, beyond, as_json=json_)


def _rules(fill: Fill, fee_frac: float, slippage: str, size_at: SizeAt, on: On, cash: float) -> "KernelRules":
    from tg_actors.backtest.costs import parse_slippage
    from tg_actors.backtest.fills import FillRule
    from tg_actors.backtest.kernel import KernelRules

    if not 0 < cash < float("inf"):
        raise UserError(f"--cash {cash:g}: it is a positive number")
    try:
        return KernelRules(
            fill=FillRule(fill.value),
            fee_frac=fee_frac,
            slippage=parse_slippage(slippage),
            size_at=size_at.value,
            on=on.value,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _extras(stop_frac: float | None, intrabar: IntrabarRule, latency_ms: int) -> "Extras":
    from tg_actors.desk.experiment import Extras
    from tg_actors.domain.money import from_float
    from tg_actors.domain.orders import Protection
    from tg_actors.exchange.config import Intrabar

    if stop_frac is not None and not 0 < stop_frac < 1:
        raise UserError(f"--stop-frac {stop_frac:g}: it is a fraction between 0 and 1")
    protection = None if stop_frac is None else Protection(stop_frac=from_float(stop_frac))
    return Extras(protection, Intrabar(intrabar.value), latency_ms=latency_ms)


def _run(
    signals: Path, bars: Path, rules: "KernelRules", cash: float, engine: "Engine"
) -> "list[tuple[BarFile, ColumnReplay]]":
    """Replay every symbol of the files with an equal part of the cash."""
    from tg_actors.backtest.signals import read_bars, read_signals

    markets = read_bars(bars)
    if rules.slippage.name == "impact_bps" and not all(market.has_volume for market in markets.values()):
        raise UserError(f"--slippage impact_bps needs volumes: {bars} has no column 'volume'")
    targets = read_signals(signals, markets)
    part = cash / len(markets)
    return [(market, engine(market, targets[symbol], rules, part)) for symbol, market in markets.items()]


def _in_kernel(market: "BarFile", targets: "F64", rules: "KernelRules", cash: float) -> "ColumnReplay":
    from tg_actors.backtest.kernel import replay

    open_, close, volume = market.ohlcv[:, 0], market.ohlcv[:, 3], market.ohlcv[:, 4]
    return replay(open_, close, targets, rules, cash, market.open_ns, volume=volume)


def _through_desk(
    market: "BarFile", targets: "F64", rules: "KernelRules", cash: float, extras: "Extras"
) -> "ColumnReplay":
    import tempfile

    from tg_actors.desk.experiment import Bars, run_experiment
    from tg_actors.journal.records import Durability
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns

    with tempfile.TemporaryDirectory(prefix="tg-experiment-") as folder:
        journal = Journal.open(Path(folder) / "journal.sqlite", Durability.BATCH, clock_ns=wall_ns)
        try:
            bars = Bars(market.ohlcv, market.open_ns, market.bar_ns)
            return run_experiment(bars, targets, rules, journal, cash, extras=extras)
        finally:
            journal.close()


def _report(
    replays: "list[tuple[BarFile, ColumnReplay]]",
    engine: str,
    rules: "KernelRules",
    beyond: "Mapping[str, Any]",
    *,
    as_json: bool,
) -> None:
    rows = [row for market, replayed in replays for row in _trades(market, replayed, named=len(replays) > 1)]
    figures = {
        "engine": engine,
        "initial_equity": sum(replayed.initial_equity for _, replayed in replays),
        "final_equity": sum(replayed.final_equity for _, replayed in replays),
        "trades_total": len(rows),
        "fills": sum(len(replayed.fills) for _, replayed in replays),
        "fees": float(sum(replayed.fills["fee"].sum() for _, replayed in replays)),
        "bars": sum(len(market.open_ns) for market, _ in replays),
        "fill": rules.fill.value,
        "fee_frac": rules.fee_frac,
        "slippage": rules.slippage.name.value
        + (f":{rules.slippage.value:g}" if rules.slippage.value else ""),
        "size_at": rules.size_at,
        "on": rules.on,
        **beyond,
    }
    if as_json:
        print_json({**figures, "trades": rows, "definitions": _definitions(rules)})
        return
    columns = _COLUMNS if len(replays) == 1 else ("symbol", *_COLUMNS)
    show([_row_short(row) for row in rows], columns, "trades", as_json=False)
    for name, value in figures.items():
        if value is not None:
            out.print(f"{name.replace('_', ' ')}: {_short(value)}")


def _short(value: object) -> object:
    """A number with eight digits, as a person reads it; ``--json`` has them all."""
    return f"{value:.8g}" if isinstance(value, float) else value


def _row_short(row: "Mapping[str, Any]") -> dict[str, object]:
    """A trade in six digits and minutes: the table fits a screen; one without an exit is open."""
    short = {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in row.items()}
    times = {name: (row[name] or "").replace("T", " ").removesuffix(":00Z") for name in _TIMES}
    return short | times


_TIMES = ("entry_time", "exit_time")
_COLUMNS = ("entry_time", "exit_time", "quantity", "entry_price", "exit_price", "fees", "pnl")


def _definitions(rules: "KernelRules") -> dict[str, str]:
    from tg_actors.backtest.fills import FILL_RULES

    return {**DEFINITIONS, "fill": FILL_RULES[rules.fill].meaning}


def _trades(market: "BarFile", replayed: "ColumnReplay", *, named: bool) -> list[dict[str, Any]]:
    from tg_actors.backtest.kernel_trades import trades

    _, high, low, _, _ = market.ohlcv.T
    return [
        {
            **({"symbol": market.symbol} if named else {}),
            "entry_time": _utc(int(market.open_ns[trip.entry_bar])),
            "exit_time": None if trip.exit_bar is None else _utc(int(market.open_ns[trip.exit_bar])),
            "quantity": trip.quantity,
            "entry_price": trip.entry_price,
            "exit_price": trip.exit_price,
            "fees": trip.fees,
            "pnl": trip.pnl,
            "state": "open" if trip.is_open else "closed",
            "mae_frac": trip.mae_frac,
            "mfe_frac": trip.mfe_frac,
        }
        for trip in trades(replayed, high, low)
    ]


def _utc(at_ns: int) -> str:
    """ISO time with as many digits as it has, down to microseconds."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_ns // 1000)
    return at.isoformat().replace("+00:00", "Z")
