"""``tg agents list|show|restart``: who works at the desk and how they are."""

import getpass
from typing import Annotated, Any

import typer

from tg_actors.cli.decisions import readable
from tg_actors.cli.reading import desk_folder, reading
from tg_actors.cli.screen import AsJson, Run, err, print_json, show

app = typer.Typer(help="The actors of the desk: list, show, restart.", no_args_is_help=True)
#: How a learned agent comes to speak.
_NO_MODEL = "'tg train' makes one, 'tg models promote' puts it to work"
Name = Annotated[str, typer.Argument(help="Actor name, e.g. TechnicalActor:trend.")]


def _agents(run: str | None) -> tuple[str, list[dict[str, Any]]]:
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.lock import holder

    with reading(run) as (folder, _):
        listed = folder.read_status().get("agents")
    if not isinstance(listed, list) and holder(folder.lock) is not None:
        raise UserError(f"{folder.name} is still starting: ask again after its first cycle")
    if not isinstance(listed, list):
        raise UserError(f"{folder.name} has no actors: it is a backtest, or its desk never ran on Ray")
    return folder.name, listed


@app.command("list")
def list_agents(run: Run = None, json_: AsJson = False) -> None:
    """List all actors with health, deaths, weight, last opinion and latency."""
    name, agents = _agents(run)
    show(
        agents,
        ("name", "health", "deaths", "weight", *_models(agents), "opinion"),
        f"Actors of {name}",
        as_json=json_,
    )
    idle = [row["name"] for row in agents if row.get("model") == ""]
    if idle and not json_:
        err.print(f"without a model: {', '.join(idle)}; {_NO_MODEL}", highlight=False)


def _models(agents: list[dict[str, Any]]) -> tuple[str, ...]:
    """The column of models, on a desk that has learned agents."""
    return ("model",) if any(row.get("model") is not None for row in agents) else ()


@app.command("show")
def show_agent(agent: Name, run: Run = None, json_: AsJson = False) -> None:
    """Show one actor and its newest opinions."""
    from tg_actors.desk.history import opinions_of

    found = _find(agent, _agents(run)[1])
    with reading(run) as (_, journal):
        opinions = opinions_of(journal, found["name"].split(":")[-1])
    if json_:
        print_json({**found, "opinions": opinions})
        return
    show(
        [found],
        ("name", "health", "deaths", "weight", *_models([found]), "latency_ms"),
        found["name"],
        as_json=False,
    )
    show(
        [readable(opinion) for opinion in opinions],
        ("symbol", "direction", "confidence", "abstained", "evidence"),
        "Newest opinions",
        as_json=False,
    )


@app.command("restart")
def restart(agent: Name, run: Run = None, json_: AsJson = False) -> None:
    """Ask the coordinator to restart an actor; it does so at the next cycle and forgets its deaths."""
    from tg_actors.domain.errors import UserError
    from tg_actors.journal.repository import Journal
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.lock import holder

    folder = desk_folder(run)
    found = _find(agent, _agents(folder.name)[1])
    if holder(folder.lock) is None:
        raise UserError(f"{folder.name} is not running: start it with 'tg run'")
    journal = Journal.open(folder.journal, clock_ns=wall_ns)
    try:
        request = journal.request("restart_agent", found["name"], f"{getpass.getuser()} (cli)")
    finally:
        journal.close()
    if json_:
        print_json({"agent": found["name"], "request": request})
        return
    err.print(f"{found['name']}: restart requested (request {request})")


def _find(agent: str, agents: list[dict[str, Any]]) -> dict[str, Any]:
    from tg_actors.domain.errors import UserError

    names = [row["name"] for row in agents]
    matching = [row for row in agents if agent in {row["name"], row["name"].split(":")[-1]}]
    if len(matching) != 1:
        raise UserError(f"no actor is called {agent!r}: there are {', '.join(names)}")
    return matching[0]
