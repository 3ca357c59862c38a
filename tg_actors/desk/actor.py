"""Ray shell of the desk room: the coordinator's loop and pace."""

import os
import threading
import time

import ray

from tg_actors.desk.coordinator import ROLE, Coordinator, remember
from tg_actors.desk.crew import Crew, man
from tg_actors.desk.overseer import Overseer
from tg_actors.desk.pace import LivePace, Metronome, Pace
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.remote import RemoteEnsemble, RemoteExecution, RemoteMarket, RemoteRisk, RemoteRoster
from tg_actors.desk.staging import Staging
from tg_actors.desk.status import DeskStatus, StatusBoard
from tg_actors.desk.wiring import models_of
from tg_actors.domain.errors import JournalError
from tg_actors.journal.repository import Journal
from tg_actors.runtime.actors import Watchdog, reborn
from tg_actors.runtime.clock import wall_ns
from tg_actors.telemetry.metrics import DeskMetrics

_HEARTBEAT_S = 1.0


class CoordinatorActor:
    """Runs the desk cycle by cycle and supervises everybody else; every start resumes the journal."""

    @reborn(JournalError)
    def __init__(self, plan: DeskPlan, crew: Crew) -> None:
        self._plan = plan
        self._stop = threading.Event()
        # A driver that believed us dead may ask again while we still trade: it waits, then goes on.
        self._one_at_a_time = threading.Lock()
        journal = Journal.open(plan.journal, clock_ns=wall_ns)
        epoch = journal.take_lease(ROLE, f"pid {os.getpid()}", wall_ns())
        handles = {station.name: man(station) for station in crew.stations}
        self._overseer = Overseer(crew, handles)
        threading.Thread(
            target=self._overseer.beat, args=(self._stop, _HEARTBEAT_S), name="heartbeat", daemon=True
        ).start()
        lost, patience_s = self._overseer.on_death, plan.stall_limit_s
        live = plan.live_from_ns is not None
        market = RemoteMarket(crew.market, handles[crew.market], lost, patience_s, live=live)
        roster = RemoteRoster(
            {agent: handles[station] for agent, station in crew.agents.items()},
            market,
            lambda agent: lost(crew.agents[agent]),
            plan.opinion_deadline_s,
            persistent=plan.speed is None,
        )
        ensemble = RemoteEnsemble(crew.meta, handles[crew.meta], lost, patience_s)
        risk = RemoteRisk(crew.risk, handles[crew.risk], lost, patience_s)
        executor = RemoteExecution(crew.executor, handles[crew.executor], lost, patience_s, market)
        staging = Staging(plan.risk.stages, plan.agents)
        ports = (market, roster, ensemble, risk, executor)
        self._coordinator = Coordinator(
            plan.desk, journal, epoch, *ports, staging=staging, models=models_of(plan)
        )
        self._overseer.remember(journal.events({"ActorDied"}))
        self._overseer.attend(self._coordinator, roster)
        memory = remember(journal)
        risk.recall(memory.risk)
        self._coordinator.start(memory)
        self._board = StatusBoard(plan, crew, self._overseer.wards, journal)
        self._pace: Metronome = (
            Pace(plan.bar_ns, plan.speed)
            if plan.live_from_ns is None
            else LivePace(plan.live_from_ns, plan.bar_ns)
        )
        self._metrics = DeskMetrics()
        if plan.metrics_port is not None:
            self._metrics.serve(plan.metrics_port)
        Watchdog()

    @ray.method
    def trade(self, cycles_max: int | None) -> str:
        """Decide cycle after cycle until the market ends, enough cycles stand, or stop is asked; say which.

        Raises:
            Fenced: another coordinator has taken over.
            JournalError: the journal cannot be written; nothing was sent that is not in it.
        """
        with self._one_at_a_time:
            return self._trade(cycles_max)

    @reborn(JournalError)
    def _trade(self, cycles_max: int | None) -> str:
        why = "stopped"
        while not self._stop.is_set():
            if cycles_max is not None and self._coordinator.next_cycle >= cycles_max:
                why = "enough cycles"
                break
            self._pace.wait(self._coordinator.next_cycle, self._stop, self._coordinator.obey)
            if self._stop.is_set():
                break  # woken before the bar has closed: nobody may decide on it
            started = time.perf_counter()
            report = self._coordinator.step()
            if report is None:
                why = "end of market"
                break
            self._metrics.observe(self._overseer.after(report, time.perf_counter() - started))
            self._board.post(report, self._coordinator.alerts)
        self._board.flush(finished=True)
        return why

    @ray.method
    def stop(self) -> None:
        """Finish the current cycle, then let ``trade`` return."""
        self._stop.set()

    @ray.method
    def report(self) -> DeskStatus | None:
        """Return the newest status, None before the first cycle."""
        return self._board.newest

    def __repr__(self) -> str:
        return "CoordinatorActor"
