"""The desk on Ray with twelve agents, and twelve actors that do nothing but answer.

Both run in the same cluster, in turns of some cycles each, at the same rate. What is measured of the
desk is what it says of itself: from the question for a snapshot to the last permit.
"""

import time
from typing import Any

import ray

from benchmarks.ground import FIFTY, desk, plan, private_home, quantile, with_agents
from tg_actors.agents.kinds import open_agent
from tg_actors.desk.launch import crew_of, launch
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.blocks import MarketSnapshot, Opinions
from tg_actors.journal.readers import JournalReader
from tg_actors.market.config import open_market
from tg_actors.runtime.actors import get
from tg_actors.runtime.cluster import ClusterSpec, cluster

_AGENTS = 12
#: The coordinator keeps the latencies of the newest 1000 cycles, so these fall out of a full run.
_WARM_UP = 100
_TURN = 100
_START_S_MAX = 180.0


class BareActor:
    """Takes a snapshot, does nothing, gives back an answer of the size of an opinion."""

    def __init__(self, answer: Opinions) -> None:
        self._answer = answer

    @ray.method
    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Answer at once."""
        del snapshot
        return self._answer


def measure(rate: float, cycles: int) -> dict[str, Any]:
    """Let the desk and the bare fan-out take turns; return the figures of both."""
    with private_home() as home, cluster(ClusterSpec("bench-cycle", dashboard=False), lambda _: None):
        config = desk(FIFTY, str(3_600 * rate))
        planned = with_agents(plan(config, home, durable=True), _AGENTS)
        launched = launch(planned, crew_of(planned, config.supervision))
        coordinator = launched.coordinator
        get(coordinator.report.remote(), _START_S_MAX)
        snapshot, actors = _bare_actors(planned)
        _trade(coordinator, _WARM_UP)
        _fan_out(actors, snapshot, _WARM_UP, rate)
        bare: list[float] = []
        for done in range(0, cycles, _TURN):
            turn = min(_TURN, cycles - done)
            _trade(coordinator, _WARM_UP + done + turn)
            bare += _fan_out(actors, snapshot, turn, rate)
        figures = _figures(get(coordinator.report.remote(), 10.0), bare)
        shape = {"agents": _AGENTS, "instruments": 50, "cycles_per_s": rate, "cycles": cycles}
        return {**shape, **figures, **_decided(planned.journal)}


def _bare_actors(planned: DeskPlan) -> tuple[MarketSnapshot, list[Any]]:
    snapshot = open_market(planned.market).advance(0)
    if snapshot is None:
        raise RuntimeError("a simulated market has no end")
    agent = open_agent(planned.agents[0], planned.market.symbols, planned.bar_ns)
    agent.recall(None)
    bare = ray.remote(BareActor).options(num_cpus=0)
    actors = [bare.remote(agent.opine(snapshot)) for _ in range(_AGENTS)]
    ray.get([actor.opine.remote(snapshot) for actor in actors])
    return snapshot, actors


def _trade(coordinator: Any, until_cycle: int) -> None:
    why = get(coordinator.trade.remote(until_cycle), 600.0)
    if why != "enough cycles":
        raise RuntimeError(f"the desk stopped: {why}")


def _fan_out(actors: list[Any], snapshot: MarketSnapshot, rounds: int, rate: float) -> list[float]:
    """Ask all actors and wait for all answers, ``rate`` times a second; milliseconds of each round."""
    took = []
    due = time.monotonic()
    for _ in range(rounds):
        # As in the desk, the snapshot is in the store before the clock starts.
        reference = ray.put(snapshot)
        time.sleep(max(due - time.monotonic(), 0.0))
        began = time.perf_counter()
        ray.get([actor.opine.remote(reference) for actor in actors])
        took.append((time.perf_counter() - began) * 1e3)
        due = max(due + 1.0 / rate, time.monotonic())
    return took


def _figures(status: Any, bare: list[float]) -> dict[str, Any]:
    bare_p50, bare_p99 = quantile(bare, 0.5), quantile(bare, 0.99)
    return {
        "desk_ms_p50": status.latency_ms_p50,
        "desk_ms_p99": status.latency_ms_p99,
        "bare_fan_out_ms_p50": round(bare_p50, 2),
        "bare_fan_out_ms_p99": round(bare_p99, 2),
        "ratio_p50": round(status.latency_ms_p50 / bare_p50, 2),
        "ratio_p99": round(status.latency_ms_p99 / bare_p99, 2),
        "goals": {"desk_ms_p99_max": 100, "ratio_p50_max": 3},
    }


def _decided(journal: str) -> dict[str, Any]:
    """What the desk did meanwhile; an absent agent is one that missed its deadline or died."""
    with JournalReader.read_only(journal) as reader:
        decisions = [event.content() for event in reader.events({"CycleDecided"})]
        return {
            "cycles_with_absent_agents": sum(bool(decision["absent"]) for decision in decisions),
            "permits": len(reader.permits()),
            "fills": len(reader.fills()),
        }
