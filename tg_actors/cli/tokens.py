"""``tg serve tokens``: who may ask the HTTP API, and for what."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, err, out, print_json, show, utc

if TYPE_CHECKING:
    from tg_actors.runtime.tokens import Scope

app = typer.Typer(help="Tokens of the HTTP API: list, create, revoke.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Who the token is for, e.g. laptop.")]
Scopes = Annotated[
    list[str],
    typer.Option(
        "--scope", help="read, trade (halt, flatten, approve) or models (promote); may be repeated."
    ),
]


@app.command("list")
def list_tokens(json_: AsJson = False) -> None:
    """Show every token that is good; the tokens themselves are kept nowhere."""
    from tg_actors.runtime.tokens import token_file

    rows: list[dict[str, Any]] = [
        {"name": one.name, "scopes": [scope.value for scope in one.scopes], "created_ns": one.created_ns}
        for one in token_file().list()
    ]
    if json_:
        print_json(rows)
        return
    shown = [
        {"name": r["name"], "scopes": ", ".join(r["scopes"]), "created": utc(r["created_ns"])} for r in rows
    ]
    show(shown, ("name", "scopes", "created"), "Tokens", as_json=False)


@app.command("create")
def create(name: Name, scope: Scopes, json_: AsJson = False) -> None:
    """Make a token and print it, once: only what it hashes to is kept."""
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.tokens import token_file

    scopes = _scopes(scope)
    token = token_file().create(name, scopes, wall_ns())
    if json_:
        print_json({"name": name, "scopes": [one.value for one in scopes], "token": token})
        return
    err.print("the token, shown this once; send it as 'Authorization: Bearer TOKEN':", highlight=False)
    out.print(token, highlight=False, soft_wrap=True)


@app.command("revoke")
def revoke(name: Name, json_: AsJson = False) -> None:
    """Make a token worthless from the next request on."""
    from tg_actors.runtime.tokens import token_file

    token_file().revoke(name)
    if json_:
        print_json({"revoked": name})
        return
    err.print(f"the token {name} is revoked", highlight=False)


def _scopes(names: list[str]) -> "tuple[Scope, ...]":
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.tokens import Scope

    known = {scope.value: scope for scope in Scope}
    for name in names:
        if name not in known:
            raise UserError(f"there is no scope {name!r}: use {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))
