"""What a run achieved, computed from its journal alone: the same report for backtest, paper and live."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.desk.block import decode, decode_mid
from tg_actors.desk.history import executor_spec, last_marks, marks
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Fill, Intent, Order, OrderState, OrderType
from tg_actors.execution import accounting
from tg_actors.execution.accounting import VenueFigures, account_venues
from tg_actors.execution.ledger import slippage_bps
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Event, EventType
from tg_actors.portfolio.attribution import AgentResult, Attribution
from tg_actors.portfolio.books import Books
from tg_actors.portfolio.metrics_trades import BarRanges, excursions
from tg_actors.portfolio.performance import DEFINITIONS, EquityPoint, Performance, measure
from tg_actors.portfolio.trades import ClosedTrade


@dataclass(frozen=True, slots=True)
class Report:
    """A run in numbers; amounts in ``currency``."""

    run: str
    currency: str
    first_ns: int
    last_ns: int
    cycles: int
    bars_of_cycles: tuple[int, ...]
    orders: int
    fills: int
    equity_open: Decimal
    equity: Decimal
    performance: Performance
    agents: tuple[AgentResult, ...]
    slippage_bps_mean: Decimal | None
    venues: tuple[VenueFigures, ...]
    trading_state: str
    digest: str

    @property
    def bars(self) -> int:
        """Bars traded on, over all cycles."""
        return sum(self.bars_of_cycles)

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs; money as text."""
        figures = self.performance.model_dump(mode="json")
        return {
            "run": self.run,
            "cycles": self.cycles,
            "bars": self.bars,
            "orders": self.orders,
            "fills": self.fills,
            "currency": self.currency,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "equity_open": money_text(self.equity_open),
            "final_equity": money_text(self.equity),
            "slippage_bps_mean": None
            if self.slippage_bps_mean is None
            else round(float(self.slippage_bps_mean), 3),
            "trading_state": self.trading_state,
            **figures,
            "agents": [agent.model_dump(mode="json") for agent in self.agents],
            "venues": [venue.as_json() for venue in self.venues],
            "definitions": {**DEFINITIONS, **accounting.DEFINITIONS},
            "digest": self.digest,
        }


@dataclass(slots=True)
class Replay:
    """The fills of a journal, walked through cycle by cycle."""

    books: Books
    attribution: Attribution
    trades: list[ClosedTrade] = field(default_factory=list)
    fees: Decimal = ZERO
    #: The same per instrument.
    fees_of: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    traded: Decimal = ZERO
    #: Cost of what is held after the fills of a cycle, in the reporting currency.
    held: dict[int, Decimal] = field(default_factory=dict)

    def apply(self, fill: Fill, cycle: int, intent: Intent, rates: Mapping[str, Decimal]) -> None:
        """Book one fill at the rates of its cycle."""
        rate = rates[_quote(fill.symbol)]
        closed = self.books.apply(fill, rates)
        if closed is not None:
            self.trades.append(closed)
        self.attribution.apply(fill, intent)
        fee = fill.fee * (rate if fill.fee_currency == _quote(fill.symbol) else rate * fill.price)
        self.fees += fee
        self.fees_of[fill.symbol] += fee
        self.traded += fill.quantity * fill.price * rate
        self.held[cycle] = sum(
            (abs(p.cost) * rates[_quote(s)] for s, p in self.books.positions.items() if p.quantity != ZERO),
            ZERO,
        )


def make_report(run: str, journal: JournalReader) -> Report:
    """Read a whole journal and return its report.

    Raises:
        UserError: the journal belongs to no run.
    """
    spec = executor_spec(journal)
    orders = {order.client_order_id: order for order in journal.orders()}
    replay = _walk(journal, spec, orders)
    fills = journal.fills()
    curve = journal.equity_curve()
    mids = last_marks(journal)
    at_market = [order for order in orders.values() if order.intent.spec.order_type is OrderType.MARKET]
    slippage = [bps for order in at_market if (bps := slippage_bps(order)) is not None]
    return Report(
        run=run,
        currency=spec.reporting_currency,
        first_ns=curve[0][0] if curve else 0,
        last_ns=curve[-1][0] if curve else 0,
        cycles=len(curve),
        bars_of_cycles=tuple(e.content()["bars"] for e in journal.events({EventType.CYCLE_DECIDED})),
        orders=len(orders),
        fills=len(fills),
        equity_open=curve[0][1] if curve else ZERO,
        equity=curve[-1][1] if curve else ZERO,
        performance=measure(
            points_of(curve, replay.held),
            replay.trades,
            replay.fees,
            replay.traded,
            excursions(replay.trades, price_ranges(journal) if replay.trades else {}),
        ),
        agents=replay.attribution.report(mids, replay.books.rates(mids)),
        slippage_bps_mean=sum(slippage, ZERO) / len(slippage) if slippage else None,
        venues=account_venues(journal.permits(), orders, fills, _acks(journal)),
        trading_state=journal.trading_state().value,
        digest=digest(journal),
    )


def price_ranges(journal: JournalReader) -> dict[str, BarRanges]:
    """Return where the price of each instrument was at every mark of a run.

    A journal keeps marks, not bars: an excursion within a bar is not seen.
    """
    symbols: tuple[str, ...] = ()
    marks_ns, mids = [], []
    for at_ns, block in journal.blocks():
        symbols = symbols or decode(block).symbols
        marks_ns.append(at_ns)
        mids.append(decode_mid(block, len(symbols)))
    instants, prices = np.array(marks_ns, dtype=np.int64), np.array(mids)
    return {symbol: BarRanges(0, instants, prices[:, i], prices[:, i]) for i, symbol in enumerate(symbols)}


def closed_trades(journal: JournalReader) -> list[ClosedTrade]:
    """Return the round trips of a whole journal, in order of their end.

    Raises:
        UserError: the journal belongs to no run.
    """
    return replayed(journal).trades


def replayed(journal: JournalReader, until_ns: int | None = None) -> Replay:
    """Walk through the fills of a journal up to an instant of the market's clock, or all of them.

    Raises:
        UserError: the journal belongs to no run.
    """
    orders = {order.client_order_id: order for order in journal.orders()}
    return _walk(journal, executor_spec(journal), orders, until_ns)


def _acks(journal: JournalReader) -> dict[str, int]:
    """Nanoseconds from each permit to the first answer of its venue, a lost answer left out."""
    permitted: dict[str, int] = {}
    acks: dict[str, int] = {}
    for event in journal.events({EventType.ORDER_PERMITTED, EventType.ORDER_CHANGED}):
        if event.type == EventType.ORDER_PERMITTED:
            permitted[event.ref] = event.wall_ns
        elif (began := permitted.pop(event.ref, None)) is not None and _is_answer(event):
            acks[event.ref] = event.wall_ns - began
    return acks


def _is_answer(event: Event) -> bool:
    return bool(event.content()["state"] != OrderState.UNKNOWN)


def _walk(
    journal: JournalReader, spec: ExecutorSpec, orders: Mapping[str, Order], until_ns: int | None = None
) -> Replay:
    books = Books(spec.opening_cash, spec.instruments, spec.reporting_currency)
    credited = dict.fromkeys(share.agent for order in orders.values() for share in order.intent.shares)
    replay = Replay(books, Attribution(tuple(credited)))
    rates_of: tuple[int, Mapping[str, Decimal]] = (-1, {})
    for event in journal.events({EventType.ORDER_FILLED}):
        if event.cycle != rates_of[0]:
            found = journal.decision(event.cycle)
            rates_of = (event.cycle, books.rates(marks(decode(found[1])) if found else last_marks(journal)))
        fill = Fill.model_validate_json(event.payload)
        if until_ns is not None and fill.at_ns > until_ns:
            continue
        replay.apply(fill, event.cycle, orders[fill.client_order_id].intent, rates_of[1])
    return replay


def points_of(curve: list[tuple[int, Decimal]], held: Mapping[int, Decimal]) -> list[EquityPoint]:
    """Join the marks of a run with what was held after each cycle (``Replay.held``)."""
    points, exposure = [], ZERO
    for cycle, (at_ns, equity) in enumerate(curve):
        exposure = held.get(cycle, exposure)
        points.append(EquityPoint(at_ns, equity, exposure))
    return points


def _quote(symbol: str) -> str:
    return symbol.split("/")[1]
