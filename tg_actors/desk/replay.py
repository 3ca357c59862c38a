"""Replay a run through the backtester: the plan that its journal keeps, the same market, one process."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tg_actors.desk.arms import switches
from tg_actors.desk.divergence import Divergence, first_divergence
from tg_actors.desk.models import RecordedModels, home_registry, open_registry
from tg_actors.desk.plan import DeskPlan
from tg_actors.desk.wiring import wire_inline
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import money_text
from tg_actors.execution.venues.connection import InlineConnection
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.market.config import RecordedSource
from tg_actors.rl.registry import ModelRegistry

#: Told how many of how many cycles are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A run against its replay; amounts in ``currency``."""

    run: str
    cycles: int
    currency: str
    equity_recorded: str
    equity_replayed: str
    fills_recorded: int
    fills_replayed: int
    is_equal: bool
    divergence: Divergence | None

    def as_json(self) -> dict[str, Any]:
        """Plain data for programs."""
        return {
            "run": self.run,
            "cycles": self.cycles,
            "currency": self.currency,
            "equity_recorded": self.equity_recorded,
            "equity_replayed": self.equity_replayed,
            "fills_recorded": self.fills_recorded,
            "fills_replayed": self.fills_replayed,
            "equal": self.is_equal,
            "divergence": None if self.divergence is None else self.divergence.as_json(),
        }


def plan_of(journal: JournalReader) -> DeskPlan:
    """Return the plan with which a run began.

    Raises:
        UserError: the journal keeps none.
    """
    identity = journal.identity()
    if identity is None or "plan" not in identity:
        raise UserError(
            "this journal does not hold the plan of its desk (it was begun by an older version): "
            "only runs begun since then can be replayed"
        )
    return DeskPlan.model_validate_json(identity["plan"])


def replay(
    run: str,
    recorded: JournalReader,
    scratch: Path,
    data: Path | None,
    clock: Callable[[], int],
    tell: Progress,
) -> Replayed:
    """Decide every cycle of a run once more, in one process, and hold both journals against each other.

    Args:
        run: its name.
        recorded: its journal, which is not touched.
        scratch: a file for the journal of the replay, removed by the caller.
        data: another folder of recorded bars, None for the market of the run itself.
        clock: the machine's clock, for the journal of the replay alone.
        tell: called now and then.

    Raises:
        UserError: the run keeps no plan or has decided nothing, or its market cannot be had any more.
    """
    total = recorded.cycles_count()
    if total == 0:
        raise UserError(f"{run} has not decided anything yet: there is nothing to replay")
    plan = _as_backtest(plan_of(recorded), scratch, data)
    with Journal.open(str(scratch), Durability.BATCH, clock_ns=clock) as journal:
        models = RecordedModels(plan.agents, _registry(plan), recorded)
        coordinator = wire_inline(plan, journal, clock, models)
        coordinator.arms.recall(switches(recorded))
        while coordinator.next_cycle < total and coordinator.step() is not None:
            if coordinator.next_cycle % 100 == 0:
                tell(coordinator.next_cycle, total)
        return _compared(run, plan, recorded, journal)


def _as_backtest(plan: DeskPlan, scratch: Path, data: Path | None) -> DeskPlan:
    """The same desk, with the practice exchange in this process in place of its venue."""
    account = plan.account.model_copy(update={"connection": InlineConnection(), "durable": False})
    market = plan.market
    if data is not None:
        venue = market.source.venue if isinstance(market.source, RecordedSource) else None
        source = {"kind": "recorded", "data": str(data.absolute()), **_window(plan)}
        chosen = RecordedSource.model_validate({**source, **({"venue": venue} if venue else {})})
        market = market.model_copy(update={"source": chosen})
    return plan.model_copy(
        update={"folder": str(scratch.parent), "journal": str(scratch), "account": account, "market": market}
    )


def _registry(plan: DeskPlan) -> ModelRegistry | None:
    """The registry of the run, or of this home where that is gone: a version is known by its weights."""
    if plan.models is None:
        return None
    folder = Path(plan.models)
    return open_registry(folder) if folder.is_dir() else home_registry()


def _window(plan: DeskPlan) -> dict[str, str]:
    """Where cycle 0 of the run lies, for a market that says so."""
    from_utc = getattr(plan.market.source, "from_utc", None)
    return {} if from_utc is None else {"from_utc": from_utc}


def _compared(run: str, plan: DeskPlan, recorded: JournalReader, replayed: JournalReader) -> Replayed:
    theirs, ours = recorded.equity_curve(), replayed.equity_curve()
    return Replayed(
        run=run,
        cycles=len(ours),
        currency=plan.account.executor.reporting_currency,
        equity_recorded=money_text(theirs[len(ours) - 1][1]) if ours else "0",
        equity_replayed=money_text(ours[-1][1]) if ours else "0",
        fills_recorded=len(recorded.fills()),
        fills_replayed=len(replayed.fills()),
        is_equal=digest(recorded) == digest(replayed),
        divergence=first_divergence(recorded, replayed),
    )


def plan_text(plan: DeskPlan) -> str:
    """A plan as a journal keeps it."""
    return plan.model_dump_json()


def changed_parts(kept: str, plan: DeskPlan) -> list[str]:
    """Name the parts of a kept plan that decide otherwise now; how a run is driven decides nothing."""
    old, new = json.loads(kept), json.loads(plan_text(plan))
    return [name for name in _DECIDING if old.get(name) != new.get(name)]


_DECIDING = ("agents", "meta", "risk", "account", "bar_ns")
