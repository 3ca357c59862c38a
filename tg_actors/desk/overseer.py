"""What the coordinator does about its actors: journals deaths, applies remedies, restarts by hand."""

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any

from tg_actors.desk.coordinator import Coordinator
from tg_actors.desk.crew import Crew, man
from tg_actors.desk.cycle import CycleReport
from tg_actors.desk.health import ActorDied, ActorRestarted, Wards
from tg_actors.desk.remote import RemoteRoster
from tg_actors.desk.supervision import Remedy, Supervisor
from tg_actors.domain.blocks import Abstention
from tg_actors.journal.records import Event
from tg_actors.runtime.actors import Handle, gather, kill_for_good, restart
from tg_actors.runtime.clock import wall_ns
from tg_actors.telemetry.metrics import CycleFigures


class Overseer:
    """Stands between Ray's mechanism and supervision's policy."""

    def __init__(self, crew: Crew, handles: dict[str, Handle]) -> None:
        self._crew = crew
        self._handles = handles
        self._supervisor = Supervisor({station.name: station.policy for station in crew.stations})
        self.wards = Wards(self._supervisor, tuple(handles), wall_ns)
        self._coordinator: Coordinator | None = None
        self._roster: RemoteRoster | None = None
        self._unwritten: list[ActorDied] = []
        self._agent_of = {station: agent for agent, station in crew.agents.items()}
        self._beats = 0
        self._owed: dict[str, Any] = {}

    def attend(self, coordinator: Coordinator, roster: RemoteRoster) -> None:
        """Start to journal and to act; deaths seen before are caught up with."""
        self._coordinator, self._roster = coordinator, roster
        coordinator.handlers.restart_agent = self.restart_by_hand

    def remember(self, deaths: Iterable[Event]) -> None:
        """Take back the deaths that the journal remembers, so that a restart forgives nothing."""
        for event in deaths:
            if event.ref in self._handles:
                self._supervisor.recall(event.ref, event.wall_ns)
                self.wards.deaths[event.ref] += 1

    def on_death(self, name: str) -> None:
        """A call to an actor failed because its process is gone."""
        if (death := self.wards.failed(name)) is None:
            return
        self._unwritten.append(death)
        self._write_deaths()
        if death.remedy == Remedy.GIVE_UP:
            kill_for_good(self._handles[name])
            if self._roster is not None and name in self._agent_of:
                self._roster.given_up.add(self._agent_of[name])

    def after(self, report: CycleReport, seconds: float) -> CycleFigures:
        """Journal what was seen of the actors in this cycle; returns the figures for the metrics."""
        self.wards.cycle_took(seconds)
        self._look_after_onlookers()
        self._write_deaths()
        answered = [self._crew.agents[name] for name in report.hearing.latency_ms]
        core = [self._crew.market, self._crew.meta, self._crew.risk, self._crew.executor]
        for name in (*answered, *core):
            self.wards.in_time(name)
            if self.wards.answered(name) and self._coordinator is not None:
                self._coordinator.append("ActorRestarted", ActorRestarted(actor=name), ref=name)
        for agent, why in report.hearing.absent.items():
            if why is Abstention.LATE:
                self.wards.late(self._crew.agents[agent])
        account = report.settlement.account
        return CycleFigures(
            seconds=seconds,
            equity=float(account.equity),
            trading_state=account.trading_state,
            orders=len(report.execution.permitted) + report.settlement.protective,
            denials=Counter(
                d.code.value for d in (*report.decision.judgement.denied, *report.execution.denied)
            ),
            bars_rejected=_by_reason(report.snapshot.refused),
            agents_up={name: health in {"up", "late"} for name, health in self.wards.health.items()},
        )

    def _look_after_onlookers(self) -> None:
        """Ask those that the cycle does not ask whether they live; the answer is read a cycle later."""
        for name in self._crew.onlookers:
            if self.wards.health[name] == "given up":
                continue
            owed = self._owed.setdefault(name, self._handles[name].report.remote())
            gathered = gather({name: owed}, 0.0005)
            if name in gathered.failed:
                self.on_death(name)
            elif name in gathered.came and self.wards.answered(name) and self._coordinator is not None:
                self._coordinator.append("ActorRestarted", ActorRestarted(actor=name), ref=name)
            if name in gathered.failed or name in gathered.came:
                del self._owed[name]

    def restart_by_hand(self, name: str) -> str:
        """Restart an actor because a person asked for it; one that was given up comes back."""
        if name not in self._handles:
            return f"no actor is called {name}"
        if not self._supervisor.is_given_up(name):
            restart(self._handles[name])
            self.wards.pardon(name)
            return f"{name}: killed, Ray starts it again"
        self._handles[name] = man(self._crew.station(name))
        if self._roster is not None and name in self._agent_of:
            agent = self._agent_of[name]
            self._roster.agents[agent] = self._handles[name]
            self._roster.given_up.discard(agent)
        self.wards.pardon(name)
        return f"{name}: started anew"

    def beat(self, stop: threading.Event, every_s: float) -> None:
        """Tell the executor, until ``stop``, that the coordinator lives."""
        while not stop.wait(every_s):
            self._beats += 1
            self._handles[self._crew.executor].hear.remote(self._beats)

    def _write_deaths(self) -> None:
        if self._coordinator is None:
            return
        while self._unwritten:
            death = self._unwritten.pop(0)
            self._coordinator.append("ActorDied", death, ref=death.actor)
            if death.remedy == Remedy.ESCALATE:
                state = self._supervisor.escalation(death.actor)
                self._coordinator.set_trading_state(state, f"{death.actor} died {death.deaths} times")


def _by_reason(refused: tuple[tuple[str, str, int], ...]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, reason, count in refused:
        counts[reason] = counts.get(reason, 0) + count
    return counts
