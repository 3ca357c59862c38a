"""A chaos run from the first raylet to the verdict."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tg_actors.chaos.evidence import Fact, fact_of, truth_of
from tg_actors.chaos.faults import FaultMix
from tg_actors.chaos.household import one_household, short_folder
from tg_actors.chaos.judge import judge
from tg_actors.chaos.nemesis import Nemesis
from tg_actors.chaos.raylets import HEALTH, Raylets
from tg_actors.chaos.report import DeskCase, figures
from tg_actors.chaos.rig import Rig, rigged
from tg_actors.chaos.schedule import schedule
from tg_actors.domain.errors import OutsideError
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.exchange.server.faults import FaultPlan, RequestFault, RequestFaultKind
from tg_actors.journal.verify import verify

Tell = Callable[[str], None]
#: Of the exchanges of messages with the venue; most faults are small, for large ones stop a desk for seconds.
NETWORK = FaultMix(
    delay=0.7,
    drip=0.2,
    # A read that fails leaves the desk blind for a cycle: it then permits nothing.
    cut=0.003,
    refuse=0.006,
    reset=0.003,
    lose_request=0.001,
    lose_answer=0.001,
    late=0.001,
    delay_s_max=0.02,
    drip_s=0.0005,
    late_s_max=45.0,
)
_ANY_ORDER = "POST */AddOrder"
_START_S_MAX = 180.0
_REST_S_MAX = 240.0
#: Cycles that a calm desk must decide before it is believed to have found its feet.
_CALM_CYCLES = 12
_UNRESOLVED = {OrderState.PERMITTED, OrderState.UNKNOWN, OrderState.CANCEL_PENDING}


@dataclass(frozen=True, slots=True)
class ChaosSpec:
    """How long, from which seed, with how many desks on how many nodes."""

    minutes: float
    seed: int
    desks: int = 2
    nodes: int = 3


def venue_faults(seed: int) -> FaultPlan:
    """What the exchange itself does wrong: everything in which an order's fate is hard to tell."""
    kinds = (
        (RequestFaultKind.STATUS_BEFORE, 0.01),
        (RequestFaultKind.STATUS_AFTER, 0.01),
        (RequestFaultKind.DROP_AFTER, 0.01),
        (RequestFaultKind.HTML, 0.01),
        (RequestFaultKind.EMPTY, 0.01),
        (RequestFaultKind.TRUNCATED, 0.01),
        (RequestFaultKind.NULL, 0.01),
        (RequestFaultKind.BUSY, 0.01),
    )
    orders = tuple(RequestFault(kind=kind, on=_ANY_ORDER, probability=share) for kind, share in kinds)
    reads = (
        RequestFault(kind=RequestFaultKind.STATUS_BEFORE, on="POST */private/*", probability=0.002),
        RequestFault(kind=RequestFaultKind.TRUNCATED, on="POST */private/*", probability=0.002),
    )
    return FaultPlan(seed=seed, requests=orders + reads, read_lag_ms=500)


def run(spec: ChaosSpec, folder: Path, tell: Tell, is_over: Callable[[], bool]) -> dict[str, Any]:
    """Start everything, rage until ``is_over`` or the end, let it rest, judge; returns the figures.

    Journals, ledgers and logs stay in ``folder``.

    Raises:
        OutsideError: the cluster or a desk did not start.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        household = stack.enter_context(one_household(folder / "home", HEALTH))
        rigs = [
            stack.enter_context(rigged(f"chaos-{k}", spec.seed + k, folder, household, NETWORK))
            for k in range(spec.desks)
        ]
        raylets = Raylets(household, stack.enter_context(short_folder()))
        tell("starting a Ray cluster …")
        raylets.start_head()
        for _ in range(spec.nodes):
            raylets.add_node()
        tell("starting the desks …")
        _start(rigs, raylets)
        nemesis = Nemesis(rigs, raylets, household, tell)
        for rig in rigs:
            rig.exchange.follow(venue_faults(spec.seed))
        tell(f"{spec.minutes:g} minutes of chaos …")
        nemesis.rage(schedule(spec.seed, spec.minutes * 60), spec.minutes * 60, is_over)
        tell("calm: everything must resolve …")
        troubles = _rest(rigs, nemesis)
        faults = sum((Counter(rig.proxy.counts) for rig in rigs), Counter[str]())
        faults += sum((rig.exchange.faults for rig in rigs), Counter[str]())
        tell("judging …")
        cases = [_case(rig, troubles.get(rig.name, ())) for rig in rigs]
    return figures(
        minutes=spec.minutes,
        seconds=time.monotonic() - began,
        seed=spec.seed,
        record=nemesis.record,
        faults=faults,
        cases=cases,
    )


def _start(rigs: Sequence[Rig], raylets: Raylets) -> None:
    for rig in rigs:
        rig.start_driver(raylets.address)
    for rig in rigs:
        if not rig.is_trading.wait(_START_S_MAX):
            raise OutsideError(
                f"{rig.name} did not start: see {rig.folder.path / 'driver.log'}", retryable=True
            )


def _rest(rigs: Sequence[Rig], nemesis: Nemesis) -> dict[str, tuple[str, ...]]:
    """Faults off; every desk trades a little, resolves, halts, stops. Returns what went wrong by desk."""
    for rig in rigs:
        rig.proxy.calm()
        rig.exchange.follow(FaultPlan())
        rig.say(TradingState.ACTIVE, "calm")
    troubles: dict[str, tuple[str, ...]] = {}
    for state in (TradingState.ACTIVE, TradingState.HALTED):
        for rig in rigs:
            rig.say(state, "the run comes to rest")
        for rig in rigs:
            if not _is_at_rest(rig, nemesis):
                troubles[rig.name] = (f"did not come to rest within {_REST_S_MAX:g} s while {state}",)
    for rig in rigs:
        if not rig.stop_driver():
            troubles[rig.name] = (*troubles.get(rig.name, ()), "the driver did not stop cleanly")
    return troubles


def _is_at_rest(rig: Rig, nemesis: Nemesis) -> bool:
    """Wait until the desk has decided a few cycles and knows the fate of every order."""
    end, from_cycle = time.monotonic() + _REST_S_MAX, rig.journal.cycles_count()
    while time.monotonic() < end:
        nemesis.tend()
        live = {order.state for order in rig.journal.orders(live_only=True)}
        if rig.journal.cycles_count() >= from_cycle + _CALM_CYCLES and not live & _UNRESOLVED:
            return True
        time.sleep(0.5)
    return False


def _case(rig: Rig, troubles: tuple[str, ...]) -> DeskCase:
    facts = _facts(rig)
    verdict = judge(facts, truth_of(rig.ledger()))
    chain = verify(rig.journal)
    broken = () if chain.ok else tuple(chain.problems)
    return DeskCase(rig.name, rig.plan.bar_ns, facts, verdict, troubles + broken)


def _facts(rig: Rig) -> list[Fact]:
    return [
        fact_of(e.seq, e.epoch, e.role, e.type, e.ref, e.wall_ns, e.payload) for e in rig.journal.events()
    ]
