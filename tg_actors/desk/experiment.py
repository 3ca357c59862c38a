"""An experiment: given target positions through the whole desk, so that engines can be compared.

The decision cycle, coordinator, executor, permits, journal and practice exchange are the desk's own.
What stands in are an agent that says the given targets, and a risk room that turns a target into an
order without any limit. Rules and words are those of :mod:`tg_actors.backtest.kernel`. The account is a
spot account, which cannot be short.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.kernel import FILL_DTYPE, ColumnReplay, KernelRules, decisions
from tg_actors.desk.coordinator import ROLE, Coordinator, remember
from tg_actors.desk.experiment_script import (
    Script,
    ScriptedAgent,
    ScriptedEnsemble,
    ScriptedMarket,
    ScriptedRisk,
)
from tg_actors.desk.inline import InlineExecution, InlineRoster
from tg_actors.desk.staging import Staging
from tg_actors.domain.blocks import F64, Depth
from tg_actors.domain.errors import UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import Fill, Leg, Protection
from tg_actors.exchange.config import ExchangeConfig, FeeRates, FillRule, Funds, Intrabar
from tg_actors.exchange.config import SlippageModel as ExchangeSlippage
from tg_actors.exchange.path import CLOSE, OPEN
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.start import AccountSpec, start_executor
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.records import EventType
from tg_actors.journal.repository import Journal

DESK = "experiment"
#: Finer than any float: rounding must not be what engines differ by.
TICK, LOT, FEE_STEP = Decimal("1E-18"), Decimal("1E-15"), Decimal("1E-18")
#: What money of eighteen digits behind the point and twenty before it can hold to nine digits or more:
#: prices, cash, and how many units the cash may buy.
_PRICES, _CASH, _UNITS = (1e-8, 1e15), (1e-6, 1e15), (1e-5, 1e16)
#: Permits that never say no to what the script asks for.
_WIDE_OPEN = HardLimits(
    order_notional_max=Decimal("1E30"),
    gross_exposure_frac_max=Decimal("1E9"),
    price_band_frac=Decimal("0.999999"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """Bars of one instrument: ``ohlcv (T, 5)``, NaN rows where it did not trade, and when each bar opened.

    ``depth`` shows the book at the close of a bar, where there is one.
    """

    ohlcv: F64
    open_ns: NDArray[np.int64]
    bar_ns: int
    depth: Callable[[int], Depth | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Extras:
    """What the event path knows beyond the kernel's rules.

    ``protection`` gives every entry a stop and perhaps a take; ``volume_frac_max`` caps what orders take
    of a bar's volume, None for no cap; ``latency_ms`` is how long they take to reach the exchange.
    """

    protection: Protection | None = None
    intrabar: Intrabar = Intrabar.OHLC_PATH
    volume_frac_max: Decimal | None = None
    latency_ms: int = 0


def run_experiment(
    bars: Bars,
    targets: F64,
    rules: KernelRules,
    journal: Journal,
    cash: float = 10_000.0,
    symbol: str = "ASSET/USD",
    extras: Extras | None = None,
) -> ColumnReplay:
    """Drive the desk over the bars with the targets ``(T,)``, journaled in an empty journal.

    The equity of the result is what the desk itself marked before it acted on a bar; what it has after
    the last bar is ``final_equity``.

    Raises:
        UserError: a target is negative, the slippage model is one that the exchange does not have, or cash
            and prices are beyond the desk's money.
        ValueError: shapes differ, or the journal is not empty.
    """
    extras = extras or Extras()
    if journal.last_decision() is not None:
        raise ValueError("an experiment needs an empty journal")
    _check(bars, targets)
    _check_range(bars.ohlcv, cash)
    instrument = Instrument(symbol=symbol, tick=TICK, lot=LOT, quantity_min=LOT, notional_min=ZERO)
    script = _script(bars, targets, rules)
    account = _account(instrument, bars.bar_ns, from_float(cash), _exchange(rules, extras))
    started = start_executor(account, journal, DESK, journal.wall_ns())
    coordinator = Coordinator(
        DESK,
        journal,
        journal.take_lease(ROLE, DESK, journal.wall_ns()),
        ScriptedMarket(symbol, bars.ohlcv, bars.open_ns + bars.bar_ns, bars.bar_ns, bars.depth),
        InlineRoster([ScriptedAgent(script)]),
        ScriptedEnsemble(),
        ScriptedRisk(instrument, script, extras.protection, bars.bar_ns),
        InlineExecution(started.executor),
        staging=Staging(None, ()),
        obey=False,
    )
    coordinator.start(remember(journal))
    marked = []
    while (report := coordinator.step()) is not None:
        marked.append(float(report.decision.equity))
    books = started.executor.state.books
    return ColumnReplay(
        equity=np.array(marked[:-1]),
        fills=_fills(journal, rules.fill),
        cash=float(books.cash[instrument.quote]),
        quantity=float(books.positions[symbol].quantity) if symbol in books.positions else 0.0,
        initial_equity=cash,
        final_equity=marked[-1],
        at_ns=bars.open_ns,
    )


def _account(instrument: Instrument, bar_ns: int, cash: Decimal, exchange: ExchangeConfig) -> AccountSpec:
    executor = ExecutorSpec(
        desk=DESK,
        account=DESK,
        reporting_currency=instrument.quote,
        bar_ns=bar_ns,
        opening_cash={instrument.quote: cash},
        instruments=(instrument,),
        limits=_WIDE_OPEN,
    )
    return AccountSpec(executor=executor, exchange=exchange, durable=False)


def _check(bars: Bars, targets: F64) -> None:
    if not len(targets) == len(bars.ohlcv) == len(bars.open_ns) or not len(targets):
        raise ValueError(f"{len(bars.ohlcv)} bars and {len(targets)} targets: there must be one for each")
    if np.nanmin(np.fmin(targets, 0.0)) < 0:
        row = int(np.flatnonzero(targets < 0)[0])
        raise UserError(
            f"target {targets[row]} of bar {row + 1} is short, and the event path has a spot account: use "
            "the kernel"
        )


def _check_range(ohlcv: F64, cash: float) -> None:
    prices = ohlcv[np.isfinite(ohlcv).all(axis=1), OPEN : CLOSE + 1]
    low, high = (float(prices.min()), float(prices.max())) if len(prices) else (1.0, 1.0)
    spans = {_PRICES: (low, high), _CASH: (cash, cash), _UNITS: (cash / high, cash / low)}
    if not all(least <= a and b <= most for (least, most), (a, b) in spans.items()):
        raise UserError(
            f"prices from {low:g} to {high:g} with {cash:g} of cash are beyond the desk's decimals: choose "
            "other units, or use the kernel"
        )


def _script(bars: Bars, targets: F64, rules: KernelRules) -> Script:
    """What is wanted on each bar, and the price that sizes it: the one it will fill at, if so ruled."""
    open_, close = bars.ohlcv[:, OPEN], bars.ohlcv[:, CLOSE]
    traded = np.flatnonzero(np.isfinite(open_) & np.isfinite(close))
    wanted, sized_at = np.full(len(targets), np.nan), np.full(len(targets), np.nan)
    said = traded[decisions(targets[traded], rules.on)]
    wanted[said] = targets[said]
    sized_at[traded] = close[traded]
    if rules.fill is FillRule.NEXT_OPEN and len(traded):
        # The last bar has no next open: what is decided there never fills.
        wanted[traded[-1]] = np.nan
        if rules.size_at == "fill":
            sized_at[traded[:-1]] = open_[traded[1:]]
    return Script(wanted, sized_at)


def _exchange(rules: KernelRules, extras: Extras) -> ExchangeConfig:
    fee = from_float(rules.fee_frac)
    return ExchangeConfig(
        fees=FeeRates(maker_frac=fee, taker_frac=fee),
        slippage=_slippage(rules.slippage),
        volume_frac_max=extras.volume_frac_max,
        fill_rule=rules.fill,
        intrabar=extras.intrabar,
        latency_ms=extras.latency_ms,
        funds=Funds.AT_FILL,
        fee_step=FEE_STEP,
    )


def _slippage(model: SlippageModel) -> ExchangeSlippage:
    bps = from_float(model.value)
    known: Mapping[SlippageName, ExchangeSlippage] = {
        SlippageName.NONE: ExchangeSlippage(base_bps=ZERO, impact_bps=ZERO),
        SlippageName.FIXED_BPS: ExchangeSlippage(base_bps=bps, impact_bps=ZERO),
        SlippageName.IMPACT_BPS: ExchangeSlippage(base_bps=ZERO, impact_bps=bps),
    }
    if model.name not in known:
        raise UserError(f"slippage {model.name}: the practice exchange has no such model, use the kernel")
    return known[model.name]


def _fills(journal: Journal, rule: FillRule) -> NDArray[np.void]:
    """The journal's executions as the kernel writes them; a fill belongs to the bar that it was traded in."""
    orders = {order.client_order_id: order for order in journal.orders()}
    rows = []
    for event in journal.events({EventType.ORDER_FILLED}):
        fill = Fill.model_validate_json(event.payload)
        intent = orders[fill.client_order_id].intent
        # What fills as it is sent is told one bar later.
        at_once = rule is not FillRule.NEXT_OPEN and intent.leg in {Leg.ENTRY, Leg.EXIT}
        bar = intent.cycle if at_once else event.cycle
        quantity = float(fill.side.sign * fill.quantity)
        rows.append((bar, intent.cycle, quantity, float(fill.price), float(fill.fee)))
    return np.array(rows, dtype=FILL_DTYPE)
