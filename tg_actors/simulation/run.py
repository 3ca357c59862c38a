"""One seed from its start to its verdict."""

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from tg_actors.domain.money import from_float
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.journal.readers import JournalReader
from tg_actors.simulation.checker import judge
from tg_actors.simulation.desk import SharedMarket
from tg_actors.simulation.evidence import Evidence, RawEvent, Rules, VenueRecord, VenueTrade
from tg_actors.simulation.market import BAR_NS
from tg_actors.simulation.nemesis import let_loose
from tg_actors.simulation.scenario import DURATION_NS, END_NS, stream
from tg_actors.simulation.scheduler import MS, NS
from tg_actors.simulation.verdict import Verdict
from tg_actors.simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one seed did and how it ended; picklable."""

    seed: int
    virtual_ns: int
    orders: int
    kills: int
    zombies: int
    faults: int
    verdict: Verdict
    trace_hash: str
    lines: tuple[str, ...] = ()


def run_seed(seed: int, journal_path: Path, *, keep_trace: bool = False) -> Outcome:
    """Play one seed on a fresh journal and judge it. Equal seeds have equal trace hashes."""
    world = World(seed, str(journal_path), keep_trace=keep_trace)
    world.market = SharedMarket(world)
    nemesis = let_loose(world, stream(seed, 5))
    world.scheduler.run(END_NS)
    evidence = _collect(world)
    verdict = judge(evidence)
    world.end()
    for violation in verdict.violations:
        world.trace.note(END_NS, "checker", f"{violation.invariant} {violation.kind}")
    return Outcome(
        seed=seed,
        virtual_ns=DURATION_NS,
        orders=verdict.permits,
        kills=nemesis.struck["kills"],
        zombies=nemesis.struck["zombies"],
        faults=sum(world.dice.struck.values()),
        verdict=verdict,
        trace_hash=world.trace.digest,
        lines=tuple(world.trace.lines),
    )


def _collect(world: World) -> Evidence:
    return Evidence(
        events=list(_events(world)),
        orders=[
            VenueRecord(o.client_order_id, o.venue_order_id, o.at_ns, o.is_open, o.filled)
            for o in world.exchange.placed
            if o.client_order_id
        ],
        trades=[
            VenueTrade(
                f.trade_id, f.client_order_id, f.symbol, f.side.sign, f.quantity, f.price, f.fee, f.at_ns
            )
            for f in world.exchange.trades
        ],
        posts=dict(world.posts),
        opening=world.exchange.opening,
        balances=world.exchange.balances(END_NS),
        foreign=world.exchange.foreign,
        rules=_rules(world.scenario.account.executor),
        mid=lambda symbol, cycle: _mid(world, symbol, cycle),
        snapshots=world.market.seen(),
        ended_ns=END_NS,
        skews_ns=world.skews_ns,
        born_ns=world.born_ns,
        halt_files=world.halt_files,
        causes=sorted([*world.causes, *world.exchange.meddled]),
        crashes=[f"{name}: {_last_line(error)}" for name, error in world.crashes],
    )


def _rules(spec: ExecutorSpec) -> Rules:
    limits = spec.limits
    return Rules(
        order_notional_max=limits.order_notional_max,
        gross_exposure_frac_max=limits.gross_exposure_frac_max,
        price_band_frac=limits.price_band_frac,
        snapshot_age_bars_max=limits.snapshot_age_bars_max,
        clock_offset_ns_max=limits.clock_offset_ms_max * MS,
        approval_above=spec.approval.above_notional,
        starts_max=spec.restarts.starts_max,
        starts_window_ns=spec.restarts.window_s * NS,
        bar_ns=BAR_NS,
    )


def _events(world: World) -> Iterator[RawEvent]:
    with JournalReader.read_only(world.journal_path) as journal:
        for event in journal.events():
            begun_ns, written_ns, writer = world.disk.written.get(event.seq, (0, 0, "?"))
            yield RawEvent(
                event.seq,
                event.epoch,
                event.role,
                event.type,
                event.ref,
                event.cycle,
                event.at_ns,
                event.wall_ns,
                event.payload,
                event.prev_hash,
                event.hash,
                begun_ns,
                written_ns,
                writer,
            )


def _mid(world: World, symbol: str, cycle: int) -> Decimal | None:
    snapshot = world.market.mids_at(cycle)
    if snapshot is None:
        return None
    return from_float(float(snapshot.mid[snapshot.symbols.index(symbol)]))


def _last_line(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
