"""Drive desks through days on which markets broke, and judge from the journal alone what they did.

The judge knows nothing of the risk room: it follows cash and positions through the fills and holds
every entry against the limits of the desk file.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from tg_actors.desk.block import decode
from tg_actors.desk.config import DeskConfig
from tg_actors.desk.history import marks
from tg_actors.desk.plan import make_plan, plan_market
from tg_actors.desk.report import make_report
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.instruments import Side
from tg_actors.domain.message import Message
from tg_actors.domain.money import ONE, ZERO
from tg_actors.domain.orders import Leg, TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability, EventType
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify
from tg_actors.market.config import MarketConfig, RecordedSource
from tg_actors.market.timeframes import Timeframe, instant_text
from tg_actors.risk.limits import RiskLimits


class Episode(Message):
    """A stretch of recorded market, and what is known to have happened in it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    what: str
    instruments: tuple[str, ...] = Field(min_length=1)
    from_utc: str
    to_utc: str


class StressPlan(Message):
    """The file ``configs/stress.yaml``: desks by name, and the episodes that each goes through."""

    desks: tuple[str, ...] = Field(min_length=1)
    timeframe: Timeframe
    episodes: tuple[Episode, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a desk in an episode; ``breaches`` must be empty."""

    episode: str
    desk: str
    cycles: int
    bars_missing: int
    orders: int
    fills: int
    worst_bar_frac: float
    total_return_frac: float
    max_drawdown_frac: float
    breakers: tuple[str, ...]
    entries_after_halt: int
    breaches: tuple[str, ...]
    trading_state: str
    journal_ok: bool

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        found = {name: getattr(self, name) for name in self.__slots__}
        return {**found, "breakers": list(self.breakers), "breaches": list(self.breaches)}


def run_episode(
    config: DeskConfig,
    plan: StressPlan,
    episode: Episode,
    data: Path,
    scratch: Path,
    clock: Callable[[], int],
) -> Outcome:
    """Run one desk through one episode in this process.

    Raises:
        UserError: the data folder has no such bars.
    """
    source = RecordedSource(data=str(data), from_utc=episode.from_utc, to_utc=episode.to_utc)
    market = MarketConfig(timeframe=plan.timeframe, source=source)
    cash = {config.reporting_currency: config.opening_cash[config.reporting_currency]}
    changed = {"instruments": episode.instruments, "market": market, "opening_cash": cash, "stage": None}
    chosen = config.model_copy(update=changed)
    spec, feed = plan_market(chosen)
    desk = make_plan(chosen, spec, feed, scratch.parent, str(scratch), durable=False)
    with Journal.open(str(scratch), Durability.BATCH, clock_ns=clock) as journal:
        journal.set_identity({"executor": desk.account.executor.model_dump_json()})
        coordinator = wire_inline(desk, journal, clock)
        while coordinator.step() is not None:
            pass
        return judge(episode.name, config.name, journal, config.risk, len(episode.instruments))


def judge(episode: str, desk: str, journal: JournalReader, limits: RiskLimits, instruments: int) -> Outcome:
    """Judge a finished run from its journal."""
    report = make_report(episode, journal)
    mids = np.array([block.mid for block in _blocks(journal)])
    with np.errstate(invalid="ignore", divide="ignore"):
        moves = mids[1:] / mids[:-1] - 1.0
    entries, breaches = _entries(journal, limits, report.currency)
    return Outcome(
        episode=episode,
        desk=desk,
        cycles=report.cycles,
        bars_missing=report.cycles * instruments - report.bars,
        orders=report.orders,
        fills=report.fills,
        worst_bar_frac=float(np.nanmin(moves)) if np.isfinite(moves).any() else 0.0,
        total_return_frac=report.performance.total_return_frac or 0.0,
        max_drawdown_frac=report.performance.max_drawdown_frac or 0.0,
        breakers=tuple(_breakers(journal)),
        entries_after_halt=entries,
        breaches=tuple(breaches),
        trading_state=report.trading_state,
        journal_ok=verify(journal).ok,
    )


def _blocks(journal: JournalReader) -> Iterator[Any]:
    for cycle in range(journal.cycles_count()):
        found = journal.decision(cycle)
        if found is not None:
            yield decode(found[1])


def _breakers(journal: JournalReader) -> Iterator[str]:
    for event in journal.events({EventType.TRADING_STATE_CHANGED}):
        said = event.content()
        if said["state"] != TradingState.ACTIVE:
            yield f"{said['reason'].partition(':')[0]} {instant_text(event.at_ns)[:16].replace('T', ' ')}"


def _entries(journal: JournalReader, limits: RiskLimits, currency: str) -> tuple[int, list[str]]:
    """Count entries permitted while trading was not active, and name every entry beyond a limit.

    What a cycle has permitted and what has not filled yet counts as held beside what is.
    """
    state, after_halt, breaches = TradingState.ACTIVE, 0, list[str]()
    positions: dict[str, Decimal] = {}
    permitted: dict[str, tuple[str, Decimal]] = {}
    today, trades_today, cycle = -1, 0, -1
    for event in journal.events(_JUDGED):
        content = event.content()
        if event.type == EventType.TRADING_STATE_CHANGED:
            state = TradingState(content["state"])
        elif event.type == EventType.ORDER_FILLED:
            sign = Side(content["side"]).sign
            held = positions.get(content["symbol"], ZERO)
            positions[content["symbol"]] = held + sign * Decimal(content["quantity"])
            permitted.pop(content["client_order_id"], None)
        elif content["intent"]["leg"] == Leg.ENTRY:
            after_halt += state is not TradingState.ACTIVE
            day = event.at_ns // _DAY_NS
            today, trades_today = day, trades_today + 1 if day == today else 1
            if event.cycle != cycle:
                permitted.clear()
            cycle, spec = event.cycle, content["intent"]["spec"]
            # Unfilled entries of the same judgement add to whatever is held, long or short.
            worst = {symbol: abs(quantity) for symbol, quantity in positions.items()}
            for symbol, quantity in permitted.values():
                worst[symbol] = worst.get(symbol, ZERO) + quantity
            breaches += _beyond(journal, cycle, content["intent"], worst, trades_today, limits, currency)
            permitted[event.ref] = spec["symbol"], Decimal(spec["quantity"])
    return after_halt, breaches


def _beyond(
    journal: JournalReader,
    cycle: int,
    intent: dict[str, Any],
    worst: dict[str, Decimal],
    trades_today: int,
    limits: RiskLimits,
    currency: str,
) -> Iterator[str]:
    """Name the limits that an entry breaks beside the ``worst`` that may be held, at its decision's marks."""
    found = journal.decision(cycle)
    if found is None:
        yield f"cycle {cycle}: an order without a decision"
        return
    decision, prices = found[0], _in_currency(marks(decode(found[1])), currency)
    symbol, quantity = intent["spec"]["symbol"], Decimal(intent["spec"]["quantity"])
    if symbol not in prices:
        yield f"cycle {cycle} {symbol}: an order at a price that nobody knew"
        return
    notional = quantity * prices[symbol]
    held = worst.get(symbol, ZERO) * prices[symbol]
    gross = sum((q * prices.get(s, ZERO) for s, q in worst.items()), ZERO)
    for name, value, limit in (
        ("position", held + notional, decision.equity * limits.position_frac_max),
        ("gross exposure", gross + notional, decision.equity * limits.leverage_max),
        ("order notional", notional, limits.order_notional_max),
        ("trades a day", Decimal(trades_today), Decimal(limits.trades_per_day_max)),
    ):
        if value > limit:
            yield f"cycle {cycle} {symbol}: {name} {value:.8g} above {limit:.8g}"


def _in_currency(prices: Mapping[str, Decimal], currency: str) -> dict[str, Decimal]:
    """Marks in the reporting currency, of those whose quote currency has one."""
    pairs = {symbol: symbol.split("/") for symbol in prices}
    rates = {base: prices[symbol] for symbol, (base, quote) in pairs.items() if quote == currency}
    rates[currency] = ONE
    return {symbol: prices[symbol] * rates[quote] for symbol, (_, quote) in pairs.items() if quote in rates}


_DAY_NS = 86_400_000_000_000
_JUDGED = (EventType.TRADING_STATE_CHANGED, EventType.ORDER_FILLED, EventType.ORDER_PERMITTED)
