"""A whole desk in one process: scripted bars at the feed port, scripted opinions at the roster port."""

import functools
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from tg_actors.desk.config import load_agent, load_desk
from tg_actors.desk.coordinator import Coordinator
from tg_actors.desk.cycle import CycleReport
from tg_actors.desk.inline import InlineExecution, InlineRoster
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.ports import Execution, Market, Risk
from tg_actors.desk.wiring import assemble, inline_risk
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import DenialCode, Denied
from tg_actors.domain.orders import Leg, Order
from tg_actors.execution.executor import Executor
from tg_actors.execution.start import OpenVenue, open_practice, start_executor
from tg_actors.execution.wire import Clock, RestartIntensity
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import Feed, RawRows
from tg_actors.market.feeds.simulated import START_NS, SimulatedFeed
from tg_actors.market.timeframes import Timeframe
from tg_actors.risk.stages_plan import StageSpec

BAR_NS = 3_600 * 10**9
BTC, XRP, XRP_BTC = "BTC/USDT", "XRP/USDT", "XRP/BTC"
SYMBOLS = (BTC, XRP, XRP_BTC)
#: Where every scripted market stands before anything happens.
OPENING = {BTC: 40_000.0, XRP: 0.5, XRP_BTC: 0.0000125}
#: Enough bars for every indicator, so that a scripted market is warm at cycle 0.
HISTORY_BARS = 720

#: A close alone, or (open, high, low, close), or None where there is no bar.
Bar = float | tuple[float, float, float, float] | None
#: What an agent says of some instruments in one cycle: (direction, confidence).
Views = Mapping[str, tuple[float, float]]
#: Views by cycle.
Script = Callable[[int], Views]

UP, FLAT, DOWN = (1.0, 1.0), (0.0, 1.0), (-1.0, 1.0)


def ticking_clock() -> Callable[[], int]:
    return itertools.count(1).__next__


class ScriptedFeed:
    """Bars as written down; before cycle 0 the market has stood about still for a month."""

    def __init__(
        self,
        paths: Mapping[str, Sequence[Bar]],
        *,
        volumes: Mapping[str, Sequence[float]] | None = None,
        history_bars: int = HISTORY_BARS,
        unseen: Sequence[str] = (),
    ) -> None:
        self.symbols = tuple(paths)
        self.bar_ns = BAR_NS
        self.start_ns = START_NS
        self.cycles: int | None = max(len(path) for path in paths.values())
        self._past = [
            _rows(
                [], history_bars=0 if symbol in unseen else history_bars, opening=OPENING[symbol], volumes=()
            )
            for symbol in paths
        ]
        self._rows = [
            _rows(path, history_bars=0, opening=OPENING[symbol], volumes=(volumes or {}).get(symbol, ()))
            for symbol, path in paths.items()
        ]

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        rows = self._rows[i]
        cycles = (rows.open_ns - self.start_ns) // self.bar_ns
        return rows.pick((cycles >= first_cycle) & (cycles < first_cycle + count))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        past, rows = self._past[i], self.rows(i, 0, before_cycle)
        joined = RawRows(
            np.concatenate((past.open_ns, rows.open_ns)),
            np.concatenate((past.ohlcv, rows.ohlcv)),
            np.concatenate((past.bid, rows.bid)),
            np.concatenate((past.ask, rows.ask)),
        )
        return joined.pick(slice(max(0, len(joined) - n_bars), None))


def _rows(path: Sequence[Bar], *, history_bars: int, opening: float, volumes: Sequence[float]) -> RawRows:
    bars: list[tuple[int, tuple[float, float, float, float], float]] = []
    before = opening
    wave = [opening * (1.002 if k % 2 else 0.998) for k in range(history_bars - 1)] + [opening][:history_bars]
    for k, bar in enumerate([*wave, *path]):
        if bar is None:
            continue
        full = bar if isinstance(bar, tuple) else (before, max(before, bar), min(before, bar), bar)
        bars.append((k - history_bars, full, volumes[k] if k < len(volumes) else 1e9))
        before = full[3]
    ohlcv: F64 = np.array([[*prices, volume] for _, prices, volume in bars]).reshape(-1, 5)
    open_ns = np.array([START_NS + k * BAR_NS for k, _, _ in bars], dtype=np.int64)
    return RawRows(open_ns, ohlcv, ohlcv[:, 3] * 0.9999, ohlcv[:, 3] * 1.0001)


class ScriptedAgent:
    """Says what is written down, remembers nothing."""

    def __init__(self, script: Script, name: str = "trend") -> None:
        self.name = name
        self._script = script

    def recall(self, memory: F64 | None) -> None:
        del memory

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        views = self._script(snapshot.cycle)
        said = [views.get(symbol, (np.nan, np.nan)) for symbol in snapshot.symbols]
        n = len(said)
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=1,
            direction=np.array([direction for direction, _ in said]),
            confidence=np.array([confidence for _, confidence in said]),
            evidence_names=(),
            evidence=np.empty((n, 0)),
            memory=np.empty((n, 0)),
            abstained=tuple(None if s in views else Abstention.NO_CONVICTION for s in snapshot.symbols),
        )


def says(views: Mapping[int, Views], otherwise: Views | None = None) -> Script:
    """Speak in the cycles that are listed; in the others say ``otherwise``, by default nothing."""
    return lambda cycle: views.get(cycle, otherwise or {})


@dataclass(frozen=True)
class Scene:
    """A desk to be: its market, what its one agent says, its limits, and who stands at its ports.

    By default three instruments stand still for 20 bars and nobody has an opinion. ``risk``,
    ``permits`` and ``executor`` change limits; costs and rules are otherwise those of the shipped
    desk, without the rebalance band and cooldown that would make scripts long.
    """

    paths: Mapping[str, Sequence[Bar]] = field(
        default_factory=lambda: {symbol: [OPENING[symbol]] * 20 for symbol in SYMBOLS}
    )
    script: Script = field(default_factory=lambda: says({}))
    feed: Feed | None = None
    cash: Mapping[str, str] = field(default_factory=lambda: {"USDT": "10000", "BTC": "0.1"})
    risk: Mapping[str, Any] = field(default_factory=dict)
    permits: Mapping[str, Any] = field(default_factory=dict)
    executor: Mapping[str, Any] = field(default_factory=dict)
    durable: bool = True
    stages: StageSpec | None = None
    #: What further agents say, by their names; the one of ``script`` is the desk's first, "trend".
    others: Mapping[str, Script] = field(default_factory=dict)
    #: Those of the others that are what a file in configs/agents says they are.
    shipped: tuple[str, ...] = ()
    clock: Clock | None = None
    wall_ns: Callable[[], int] = field(default_factory=ticking_clock)
    open_venue: OpenVenue = open_practice
    market: Callable[[Market], Market] = lambda market: market
    judge: Callable[[DeskPlan, Risk], Risk] = lambda _, risk: risk
    execution: Callable[[Execution], Execution] = lambda execution: execution

    def plan(self, journal: str) -> DeskPlan:
        feed = self.the_feed()
        plan = _shipped(feed.symbols)
        limits = plan.risk.limits.model_copy(
            update={"cooldown_bars": 0, "rebalance_band_frac": Decimal("0.1"), **self.risk}
        )
        executor = plan.account.executor.model_copy(
            update={
                "opening_cash": {currency: Decimal(amount) for currency, amount in self.cash.items()},
                "limits": plan.account.executor.limits.model_copy(update=dict(self.permits)),
                # Tests die far more often than a desk may; the clock of their machine hardly moves.
                "restarts": RestartIntensity(starts_max=10**6),
                **self.executor,
            }
        )
        account = plan.account.model_copy(update={"executor": executor, "durable": self.durable})
        risk = plan.risk.model_copy(update={"limits": limits, "stages": self.stages})
        meta = plan.meta.model_copy(update={"agents": ("trend", *self.others)})
        agents = (*plan.agents, *(load_agent(name) for name in self.shipped))
        changes = {"journal": journal, "risk": risk, "account": account, "meta": meta, "agents": agents}
        return plan.model_copy(update=changes)

    @property
    def scripts(self) -> dict[str, Script]:
        """What every agent says, in the order of the desk."""
        return {"trend": self.script, **self.others}

    def the_feed(self) -> Feed:
        return self.feed or ScriptedFeed(self.paths)

    def open(self, folder: Path) -> "Desk":
        """Wire the desk on its journal in ``folder``; a second call on the same folder is a restart."""
        journal = Journal.open(folder / "desk.sqlite", Durability.FULL, clock_ns=self.wall_ns)
        try:
            return self.open_on(journal, self.open_venue)
        except BaseException:
            journal.close()
            raise

    def open_on(self, journal: Journal, open_venue: OpenVenue) -> "Desk":
        """Wire the desk on an open journal, which stays the caller's if that fails."""
        plan = self.plan(journal.place.name)
        if journal.identity() is None:
            journal.set_identity({"desk": plan.desk, "executor": plan.account.executor.model_dump_json()})
        started = start_executor(plan.account, journal, "test", self.wall_ns(), open_venue, clock=self.clock)
        coordinator = assemble(
            plan,
            journal,
            1,
            market=self.market(InlineFeed(self.the_feed())),
            roster=InlineRoster([ScriptedAgent(said, name) for name, said in self.scripts.items()]),
            risk=self.judge(plan, inline_risk(plan, journal)),
            execution=self.execution(InlineExecution(started.executor)),
        )
        return Desk(coordinator, journal, started.alerts, started.executor)


@functools.cache
def _shipped(symbols: tuple[str, ...]) -> DeskPlan:
    """The default desk on these symbols, with one agent; its market is replaced by the scene's."""
    flags = Flags(market="simulated", instruments=",".join(symbols), timeframe="1h", seed=7, speed="max")
    config = flagged(load_desk("configs/desks/laptop-paper.yaml"), flags)
    spec, feed = plan_market(config.model_copy(update={"agents": ("trend",)}))
    return make_plan(config.model_copy(update={"agents": ("trend",)}), spec, feed, Path(), "", durable=True)


class InlineFeed:
    """A snapshot builder over any feed, as the cycle's market."""

    def __init__(self, feed: Feed) -> None:
        self.observe = SnapshotBuilder(feed).advance


@dataclass
class Desk(AbstractContextManager["Desk"]):
    """A running desk; closes its journal at the end of a ``with`` block."""

    coordinator: Coordinator
    journal: Journal
    start_alerts: tuple[str, ...]
    executor: Executor
    reports: list[CycleReport] = field(default_factory=list)

    def __exit__(self, *_: object) -> None:
        self.journal.close()

    def run(self, cycles: int) -> list[CycleReport]:
        """Decide some more cycles."""
        for _ in range(cycles):
            report = self.coordinator.step()
            assert report is not None, "the scripted market is too short"
            self.reports.append(report)
        return self.reports[-cycles:]

    def run_to(self, cycle: int) -> CycleReport:
        """Decide up to and including a cycle; returns its report."""
        self.run(cycle + 1 - self.coordinator.next_cycle)
        return self.reports[-1]

    @property
    def held(self) -> dict[str, Decimal]:
        """Positions of the newest settlement."""
        return self.reports[-1].settlement.account.positions

    def denials(self, cycle: int | None = None) -> list[DenialCode]:
        """Codes of every journaled refusal, of one cycle or of all: by risk, then by the permit."""
        return [denied.code for c, denied in _denied(self.journal) if cycle is None or c == cycle]

    def orders(self, *legs: Leg) -> list[Order]:
        """Orders of some legs, or all, in the order of their permits."""
        return [o for o in self.journal.orders() if not legs or o.intent.leg in legs]


def _denied(journal: JournalReader) -> list[tuple[int, Denied]]:
    found: list[tuple[int, Denied]] = []
    for event in journal.events({"CycleDecided", "IntentDenied"}):
        content = event.content()
        denied = content["judgement"]["denied"] if event.type == "CycleDecided" else [content]
        found += [(event.cycle, Denied.model_validate_json(json.dumps(row))) for row in denied]
    return found


def simulated(symbols: Sequence[str] = SYMBOLS, seed: int = 7) -> SimulatedFeed:
    """The simulated market, warm at cycle 0."""
    return SimulatedFeed(seed, tuple(symbols), Timeframe.HOUR_1, dict.fromkeys(symbols, 2.0))


def flipping(every: int = 4) -> Script:
    """In and out of every instrument in turn, so that a short run trades a lot."""

    def script(cycle: int) -> Views:
        phase = cycle // every
        return {symbol: (UP, FLAT)[(phase + i) % 2] for i, symbol in enumerate(SYMBOLS)}

    return script
