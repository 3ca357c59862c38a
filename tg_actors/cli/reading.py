"""Find a run and open its journal for reading."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tg_actors.journal.readers import JournalReader
    from tg_actors.runtime.home import RunFolder


@contextmanager
def reading(run: str | None) -> Iterator[tuple["RunFolder", "JournalReader"]]:
    """Yield a run's folder and its journal.

    Raises:
        UserError: there is no such run.
    """
    from tg_actors.journal.readers import JournalReader
    from tg_actors.runtime.home import existing_run

    folder = existing_run(run)
    with JournalReader.read_only(folder.journal) as journal:
        yield folder, journal


def desk_folder(run: str | None) -> "RunFolder":
    """Find the desk that a person's word is meant for: the named one, the one that runs, or the latest.

    A backtest beside it never takes its place: a halt must reach what trades.

    Raises:
        UserError: there is none, it is a backtest, or several run and none was named.
    """
    from tg_actors.cli.planning import kind_of
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.home import existing_run

    running = running_desks() if run is None else []
    if len(running) > 1:
        raise UserError(f"several desks are running: say which with --run {' or --run '.join(running)}")
    folder = existing_run(running[0] if running else run)
    if kind_of(folder) == "backtest":
        raise UserError(f"{folder.name} is a backtest and obeys nobody: name a desk with --run")
    return folder


def running_desks() -> list[str]:
    """Names of the desks that are running now, backtests left out."""
    from tg_actors.runtime.home import RunFolder, runs_folder
    from tg_actors.runtime.lock import holder

    folders = (RunFolder(path) for path in sorted(runs_folder().iterdir()))
    return [f.name for f in folders if holder(f.lock) is not None and not _is_backtest(f)]


def backtests() -> list[str]:
    """Names of the finished backtests, whatever they are called, the latest last.

    Raises:
        UserError: there is none.
    """
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.home import RunFolder, home, runs_folder

    folders = (RunFolder(path) for path in runs_folder().iterdir())
    found = [folder for folder in folders if folder.journal.exists() and _is_backtest(folder)]
    if not found:
        raise UserError(f"there is no backtest in {home()}: make one with 'tg backtest run'")
    return [f.name for f in sorted(found, key=lambda f: (f.path.stat().st_mtime, f.name))]


def described(name: str) -> dict[str, Any]:
    """Say what a run is: its desk, market, length and return; None where its journal cannot say it."""
    from tg_actors.domain.errors import JournalError, UserError

    unknown = dict.fromkeys(("desk", "market", "instruments", "timeframe", "cycles", "total_return_frac"))
    try:
        with reading(name) as (_, journal):
            known, curve = journal.identity() or {}, journal.equity_curve()
    except (UserError, JournalError):
        return {"run": name, **unknown}
    market = json.loads(known.get("market", "{}"))
    first, last = (curve[0][1], curve[-1][1]) if curve else (None, None)
    return {
        "run": name,
        "desk": known.get("desk"),
        "market": market.get("source", {}).get("kind"),
        "instruments": len(market.get("symbols", ())),
        "timeframe": market.get("timeframe"),
        "cycles": len(curve),
        "total_return_frac": round(float(last / first) - 1.0, 6) if first and last is not None else None,
    }


def _is_backtest(folder: "RunFolder") -> bool:
    """Whether a backtest wrote a run; the name says so, or the journal where a person chose the name."""
    from tg_actors.cli.planning import kind_of
    from tg_actors.domain.errors import JournalError, UserError
    from tg_actors.runtime.home import BACKTEST

    if folder.name.startswith(BACKTEST):
        return True
    try:
        return kind_of(folder) == "backtest"
    except (UserError, JournalError):  # nobody can say: then it is not left out as one
        return False
