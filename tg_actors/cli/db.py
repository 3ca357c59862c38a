"""``tg db upgrade|backup|restore|digest|verify``: the journal's own care."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from tg_actors.cli.reading import reading
from tg_actors.cli.screen import AsJson, Run, err, out, print_json

app = typer.Typer(help="The journal: digest, verification, schema, backups.", no_args_is_help=True)


@app.command()
def digest(run: Run = None, json_: AsJson = False) -> None:
    """Print the hash over all decisions, permits and fills, without wall times or process ids."""
    from tg_actors.journal.digest import digest as compute

    with reading(run) as (folder, journal):
        value, cycles = compute(journal), journal.cycles_count()
    if json_:
        print_json({"run": folder.name, "cycles": cycles, "digest": value})
    else:
        out.print(value, highlight=False)


@app.command()
def verify(run: Run = None, json_: AsJson = False) -> None:
    """Recompute the hash chain and compare the projections with the record."""
    from tg_actors.domain.errors import JournalError
    from tg_actors.journal.verify import verify as check

    with reading(run) as (folder, journal):
        report = check(journal)
    if json_:
        print_json({"run": folder.name, "ok": report.ok, **dataclasses.asdict(report)})
    if not report.ok:
        problem = "; ".join(report.problems)
        raise JournalError(f"the journal of {folder.name} does not verify: {problem}", retryable=False)
    if not json_:
        out.print(f"{folder.name}: {report.events} events, the chain is whole")


@app.command()
def upgrade(run: Run = None, json_: AsJson = False) -> None:
    """Bring the journal's schema to this version; a newer schema is refused."""
    from tg_actors.journal.schema import current_revision
    from tg_actors.journal.schema import upgrade as migrate
    from tg_actors.runtime.home import existing_run

    folder = existing_run(run)
    migrate(folder.journal)
    revision = current_revision(folder.journal)
    if json_:
        print_json({"run": folder.name, "revision": revision})
    else:
        err.print(f"{folder.name}: schema revision {revision}")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write.")], run: Run = None, json_: AsJson = False
) -> None:
    """Copy the journal while the desk goes on."""
    from tg_actors.journal.backup import backup as copy

    with reading(run) as (folder, journal):
        copy(journal, target)
    if json_:
        print_json({"run": folder.name, "backup": str(target)})
    else:
        err.print(f"{folder.name}: journal copied to {target}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="A backup made by 'tg db backup'.")],
    run: Run = None,
    json_: AsJson = False,
) -> None:
    """Put a verified backup in the journal's place; the old journal is kept beside it."""
    from tg_actors.journal.backup import restore as put_back
    from tg_actors.runtime.home import existing_run
    from tg_actors.runtime.lock import sole_desk

    folder = existing_run(run)
    with sole_desk(folder.lock):
        put_back(source, folder.journal)
    if json_:
        print_json({"run": folder.name, "restored_from": str(source)})
    else:
        err.print(
            f"{folder.name}: restored from {source}; the old journal is kept as {folder.journal.name}.bak"
        )
