"""People at the desk: an operator with a kill switch, and somebody who approves orders, too late at times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tg_actors.domain.approvals import Approval
from tg_actors.domain.errors import JournalError, UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.halt_file import NAME
from tg_actors.simulation.desk import attach
from tg_actors.simulation.disk import SimulatedJournal
from tg_actors.simulation.scenario import STORM_END_NS
from tg_actors.simulation.scheduler import NS, Process
from tg_actors.simulation.world import World

_LOOKS_EVERY_NS = 6 * NS
_OPERATOR = "operator"


def say(world: World, state: TradingState, verb: str | None) -> None:
    """Let the operator give the desk a word; a journal that does not answer is asked again."""

    def speak(journal: SimulatedJournal) -> None:
        journal.set_trading_state(state, "by hand", _OPERATOR, 0)
        if verb is not None:
            journal.request(verb, "", _OPERATOR)

    _command(world, speak)


def tamper(world: World) -> None:
    """Let somebody change what is written."""

    def change(journal: SimulatedJournal) -> None:
        journal.tamper()
        world.causes.append((world.scheduler.now_ns, "tampering"))

    _command(world, change)


def put_halt_file(world: World) -> None:
    """Throw the kill switch by the file beside the journal."""
    halt_file(world).touch()
    now_ns = world.scheduler.now_ns
    world.halt_files.append((now_ns, None))
    world.trace.note(now_ns, _OPERATOR, "puts the halt file there")


def take_halt_file(world: World) -> None:
    """Take the file away, which resumes nothing."""
    halt_file(world).unlink(missing_ok=True)
    now_ns = world.scheduler.now_ns
    world.halt_files[-1] = (world.halt_files[-1][0], now_ns)
    world.trace.note(now_ns, _OPERATOR, "takes the halt file away")


def halt_file(world: World) -> Path:
    """Where the file lies."""
    return Path(world.journal_path).with_name(NAME)


def approve_orders(world: World, rng: np.random.Generator) -> None:
    """Let a person look at the orders that wait, every few seconds, for the whole storm."""
    asked: dict[str, int] = {}

    def look(journal: SimulatedJournal, process: Process) -> None:
        while world.scheduler.now_ns < STORM_END_NS:
            process.let_pass(_LOOKS_EVERY_NS)
            for approval in journal.approvals():
                _answer(journal, approval, asked, rng)

    def live(_: World, process: Process) -> None:
        while world.scheduler.now_ns < STORM_END_NS:
            try:
                with attach(world, process) as journal:
                    look(journal, process)
            except JournalError:
                process.let_pass(NS)

    world.run_aside("approver", live)


def _answer(
    journal: SimulatedJournal, approval: Approval, asked: dict[str, int], rng: np.random.Generator
) -> None:
    """Grant, refuse, think about it, or say it again about what is long over."""
    name = approval.intent.intent_id
    if asked.setdefault(name, 0) >= _WORDS_MAX:
        return
    asked[name] += 1
    word = rng.random()
    try:
        if word < _GRANTS_FRAC:
            journal.approve(name, "approver", approval.content_hash)
        elif word < _GRANTS_FRAC + _REFUSES_FRAC:
            journal.reject(name, "approver", "not today")
    except UserError:
        return  # too late, or decided: the person reads so and shrugs


_WORDS_MAX = 4
_GRANTS_FRAC = 0.5
_REFUSES_FRAC = 0.1


def _command(world: World, act: Callable[[SimulatedJournal], None]) -> None:
    def run(_: World, process: Process) -> None:
        while True:
            try:
                with attach(world, process) as journal:
                    act(journal)
            except JournalError:
                process.let_pass(NS)
            except UserError:
                return  # refused: a halt file is there
            else:
                return

    world.run_aside(_OPERATOR, run)
