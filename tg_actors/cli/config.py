"""``tg config check|show|schema``: desk files, checked the way a start checks them."""

from typing import Annotated

import typer

from tg_actors.cli.screen import AsJson, err, out, print_json

app = typer.Typer(help="Desk configuration.", no_args_is_help=True)
Desk = Annotated[str, typer.Argument(help="A desk file.")]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
DEFAULT_DESK = "configs/desks/laptop-paper.yaml"


@app.command()
def check(desk: Desk = DEFAULT_DESK, json_: AsJson = False) -> None:
    """Read a desk file and everything it names, its market too; say what is wrong in one sentence."""
    from tg_actors.cli.planning import check_desk

    config = check_desk(desk)
    if json_:
        print_json({"desk": config.name, "valid": True})
    else:
        err.print(f"{desk}: desk {config.name!r} is valid")


@app.command()
def show(desk: Desk = DEFAULT_DESK, json_: AsJson = False) -> None:
    """Print the whole configuration that a start would use, defaults included."""
    from tg_actors.desk.config import load_desk

    config = load_desk(desk)
    if json_:
        print_json(config.model_dump(mode="json"))
    else:
        out.print_json(config.model_dump_json())


@app.command()
def schema(json_: AsJson = False) -> None:
    """Print the JSON schema of a desk file, for editors: keys, types, limits, defaults, meanings."""
    from tg_actors.desk.config import DeskConfig

    content = {"$schema": _DIALECT, **DeskConfig.model_json_schema()}
    if json_:
        print_json(content)
    else:
        out.print_json(data=content)
