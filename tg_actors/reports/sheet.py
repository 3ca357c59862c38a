"""Everything a page says about a run, gathered from its journal: floats for the eye, never for the books."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np

from tg_actors.backtest.validation.evidence import Evidence, evidence
from tg_actors.desk.arms import ARM_SWITCHED, ArmSwitched, told
from tg_actors.desk.block import decode
from tg_actors.desk.history import marks
from tg_actors.desk.report import Replay, Report, make_report, points_of, price_ranges, replayed
from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.money import ZERO
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType
from tg_actors.portfolio.attribution import AgentResult
from tg_actors.portfolio.metrics_record import Record
from tg_actors.portfolio.metrics_table import variants
from tg_actors.portfolio.metrics_trades import excursions
from tg_actors.portfolio.performance import Performance, daily_returns, measure
from tg_actors.portfolio.trades import ClosedTrade
from tg_actors.reports.spans import Span, require_marks, whole

#: Events of other rooms, by the names under which they append them.
_INTENT_DENIED = "IntentDenied"
_ALERT_RAISED = "AlertRaised"
#: Any: equal runs must have equal evidence.
_BOOTSTRAP_SEED = 0
#: Instants at which prices are read for the charts: more than a page is wide.
_PRICE_POINTS = 600


@dataclass(frozen=True, slots=True)
class InstrumentLine:
    """One instrument's part in the reporting currency: profit after fees, open positions marked.

    Profit at the rates of the last mark, fees at those of their fills.
    """

    symbol: str
    pnl: float
    fees: float
    trades: int
    wins: int


@dataclass(frozen=True, slots=True)
class RegimeLine:
    """What happened to equity while the desk believed in a regime."""

    regime: str
    time_frac: float
    pnl: float
    trades_opened: int


@dataclass(frozen=True, slots=True, eq=False)
class Prices:
    """Mid prices at sampled cycles: ``at_ns (m,)``, per symbol ``(m,)`` with NaN where there was none."""

    at_ns: I64
    mids: Mapping[str, F64]


@dataclass(frozen=True, slots=True)
class Incident:
    """Something a person must know of: a halt, a resume, a breaker, an alert."""

    at_ns: int
    what: str


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A run, or a span of it; ``at_ns``, ``equity`` and ``regimes`` hold one entry per decided cycle.

    ``weights (m,)`` of every agent likewise; empty where the desk's policy learns nothing.
    """

    report: Report
    span: Span
    identity: Mapping[str, Any]
    at_ns: I64
    equity: F64
    regimes: tuple[str, ...]
    weights: Mapping[str, F64]
    performance: Performance
    agents: tuple[AgentResult, ...]
    instruments: tuple[InstrumentLine, ...]
    by_regime: tuple[RegimeLine, ...]
    trades: tuple[ClosedTrade, ...]
    prices: Prices
    denials: tuple[tuple[str, int], ...]
    incidents: tuple[Incident, ...]
    evidence: Evidence

    @property
    def equity_change(self) -> float:
        """What the span added to equity, in the reporting currency."""
        return float(self.equity[-1] - self.equity[0])

    @property
    def cash_drift(self) -> float:
        """What equity changed by although nobody traded: the price of cash held in other currencies."""
        return self.equity_change - sum(line.pnl for line in self.instruments)


def read_sheet(run: str, journal: JournalReader, span: Span | None = None, trials: int = 1) -> Sheet:
    """Gather a whole run, or the part of it that lies in a span.

    ``trials`` counts the desks that were tried on this market, this one included: the best of many is
    lucky, and its evidence must say how lucky.

    Raises:
        UserError: the journal belongs to no run, or has nothing in the span.
    """
    report = make_report(run, journal)
    covered = whole(report.first_ns, report.last_ns) if span is None else span
    curve = journal.equity_curve()
    require_marks(covered, [at_ns for at_ns, _ in curve])
    before, after = replayed(journal, covered.start_ns), replayed(journal, covered.end_ns)
    # One mark before the span, where there is one: its first change belongs to it.
    inside = [k for k, (at_ns, _) in enumerate(curve) if covered.holds(at_ns)]
    first = max(inside[0] - 1, 0)
    shown = range(first, inside[-1] + 1)
    decisions = [(d["regime"], d["weights"]) for d in _decisions(journal)]
    regimes = tuple(regime for regime, _ in decisions)
    identity = journal.identity() or {}
    mids_first, mids_last = _mids_at(journal, first), _mids_at(journal, shown[-1])
    trades = tuple(trade for trade in after.trades if covered.holds(trade.closed_ns))
    at_ns = np.array([curve[k][0] for k in shown], dtype=np.int64)
    equity = np.array([float(curve[k][1]) for k in shown])
    points = points_of(curve, after.held)[first : shown[-1] + 1]
    fees, traded = after.fees - before.fees, after.traded - before.traded
    return Sheet(
        report=report,
        span=covered,
        identity=identity,
        at_ns=at_ns,
        equity=equity,
        regimes=tuple(regimes[k] for k in shown),
        weights=_weights([decisions[k][1] for k in shown]) if _learns(identity) else {},
        performance=measure(points, trades, fees, traded, excursions(trades, price_ranges(journal))),
        agents=_agents(before, after, mids_first, mids_last),
        instruments=_instruments(before, after, mids_first, mids_last, trades),
        by_regime=_by_regime(at_ns, equity, [regimes[k] for k in shown], trades),
        trades=trades,
        prices=_prices(journal, shown),
        denials=_denials(journal, covered),
        incidents=tuple(_incidents(journal, covered)),
        evidence=_evidence(run, at_ns, equity, _costs(fees, traded, report.slippage_bps_mean), trials),
    )


def _decisions(journal: JournalReader) -> Iterator[dict[str, Any]]:
    return (event.content() for event in journal.events({EventType.CYCLE_DECIDED}))


def _learns(identity: Mapping[str, Any]) -> bool:
    """Whether the desk's plan has a policy that learns; others are not written."""
    return "plan" in identity and "policy" in json.loads(identity["plan"])["meta"]["config"]


def _weights(rows: Sequence[Mapping[str, float]]) -> dict[str, F64]:
    """Weights by agent; an agent that a later start has brought, or dropped, weighs nothing elsewhere."""
    agents = dict.fromkeys(agent for row in rows for agent in row)
    return {agent: np.array([row.get(agent, 0.0) for row in rows]) for agent in agents}


def evidence_of(journal: JournalReader, report: Report, trials: int) -> Evidence:
    """Weigh a whole run; cheaper than its sheet."""
    curve = journal.equity_curve()
    at_ns = np.array([at for at, _ in curve], dtype=np.int64)
    equity = np.array([float(mark) for _, mark in curve])
    replay = replayed(journal)
    costs = _costs(replay.fees, replay.traded, report.slippage_bps_mean)
    return _evidence(report.run, at_ns, equity, costs, trials)


def variants_of(journal: JournalReader) -> dict[str, float | None]:
    """Return what other programs would say of a whole run, by the names of ``VARIANTS``."""
    replay = replayed(journal)
    points = points_of(journal.equity_curve(), replay.held)
    return variants(Record.of(points, replay.trades, replay.fees, replay.traded))


def _evidence(run: str, at_ns: I64, equity: F64, costs: str, trials: int) -> Evidence:
    returns = daily_returns(at_ns, equity)
    return evidence(returns, name=run, costs=costs, seed=_BOOTSTRAP_SEED, trials=trials)


def _costs(fees: Decimal, traded: Decimal, slippage_bps: Decimal | None) -> str:
    """What trading has cost, as measured."""
    if traded == ZERO:
        return "nothing was traded"
    slipped = "unknown" if slippage_bps is None else f"{slippage_bps:.1f}"
    paid = f"{fees / traded * 10_000:.1f} bps"
    return f"after fees of {paid} and mean slippage of {slipped} bps of what was traded"


def _mids_at(journal: JournalReader, cycle: int) -> dict[str, Decimal]:
    found = journal.decision(cycle)
    return {} if found is None else marks(decode(found[1]))


def _agents(
    before: Replay, after: Replay, first: Mapping[str, Decimal], last: Mapping[str, Decimal]
) -> tuple[AgentResult, ...]:
    """The difference of two attributions, both at the last rates: what each agent earned between them."""
    rates = after.books.rates(last)
    old = {line.agent: line for line in before.attribution.report(first, rates)}
    return tuple(
        line
        if (then := old.get(line.agent)) is None
        else line.model_copy(
            update={
                "pnl": line.pnl - then.pnl,
                "fees": line.fees - then.fees,
                "trades": line.trades - then.trades,
            }
        )
        for line in after.attribution.report(last, rates)
    )


def _instruments(
    before: Replay,
    after: Replay,
    first: Mapping[str, Decimal],
    last: Mapping[str, Decimal],
    trades: Sequence[ClosedTrade],
) -> tuple[InstrumentLine, ...]:
    lines, rates = [], after.books.rates(last)
    for symbol in after.books.positions:
        # Without a price nothing was traded in that currency: what the rate is multiplied with is zero.
        rate = rates.get(symbol.partition("/")[2], ZERO)
        earned = (_worth(after, symbol, last) - _worth(before, symbol, first)) * rate
        paid = after.fees_of[symbol] - before.fees_of[symbol]
        mine = [trade for trade in trades if trade.symbol == symbol]
        wins = sum(trade.pnl > ZERO for trade in mine)
        lines.append(InstrumentLine(symbol, float(earned), float(paid), len(mine), wins))
    return tuple(sorted(lines, key=lambda line: (-line.pnl, line.symbol)))


def _worth(replay: Replay, symbol: str, mids: Mapping[str, Decimal]) -> Decimal:
    """Realised and unrealised profit after fees, in quote currency."""
    position = replay.books.positions[symbol]
    open_profit = position.unrealised(mids[symbol]) if position.quantity != ZERO else ZERO
    return position.realised + open_profit - position.fees


def _by_regime(
    at_ns: I64, equity: F64, regimes: Sequence[str], trades: Sequence[ClosedTrade]
) -> tuple[RegimeLine, ...]:
    """Give every change of equity to the regime that was believed in when it began.

    A trade that was opened before the first mark was opened in a regime that is not known here.
    """
    changes, lasted = np.diff(equity), np.diff(at_ns)
    began = np.array(regimes[:-1], dtype=object)
    inside = [trade.opened_ns for trade in trades if trade.opened_ns >= at_ns[0]]
    opened = Counter(regimes[_cycle_before(at_ns, opened_ns)] for opened_ns in inside)
    total = float(lasted.sum())
    return tuple(
        RegimeLine(
            regime,
            float(lasted[began == regime].sum()) / total if total else 0.0,
            float(changes[began == regime].sum()),
            opened[regime],
        )
        for regime in sorted(set(regimes))
    )


def _cycle_before(at_ns: I64, instant_ns: int) -> int:
    return max(int(np.searchsorted(at_ns, instant_ns, side="right")) - 1, 0)


def _prices(journal: JournalReader, cycles: range) -> Prices:
    step = max(1, len(cycles) // _PRICE_POINTS)
    at_ns, blocks = [], []
    for cycle in dict.fromkeys((*cycles[::step], cycles[-1])):
        found = journal.decision(cycle)
        if found is not None:
            at_ns.append(found[0].at_ns)
            blocks.append(decode(found[1]))
    mids = np.array([block.mid for block in blocks])
    symbols = blocks[0].symbols if blocks else ()
    return Prices(np.array(at_ns, dtype=np.int64), {s: mids[:, i] for i, s in enumerate(symbols)})


def _denials(journal: JournalReader, span: Span) -> tuple[tuple[str, int], ...]:
    """Denials by code: of the risk room (in the decisions) and of the permits."""
    counts: Counter[str] = Counter()
    for event in journal.events({EventType.CYCLE_DECIDED, _INTENT_DENIED}):
        if not span.holds(event.at_ns):
            continue
        content = event.content()
        if event.type == _INTENT_DENIED:
            counts[content["code"]] += 1
        else:
            counts.update(denied["code"] for denied in content["judgement"]["denied"])
    return tuple(counts.most_common())


def _incidents(journal: JournalReader, span: Span) -> Iterator[Incident]:
    """Halts, resumes and alerts, those of one instant together; 0 is before the first bar."""
    events = (e for e in journal.events(_TELLERS.keys()) if e.at_ns == 0 or span.holds(e.at_ns))
    for at_ns, together in itertools.groupby(events, key=lambda event: event.at_ns):
        yield Incident(at_ns, "; ".join(_TELLERS[e.type](e.content()) for e in together))


_TELLERS: dict[str, Callable[[dict[str, Any]], str]] = {
    EventType.TRADING_STATE_CHANGED: lambda said: f"{said['state']}: {said['reason']} (by {said['actor']})",
    _ALERT_RAISED: lambda said: str(said["text"]),
    ARM_SWITCHED: lambda said: told(ArmSwitched.model_validate(said)),
}
