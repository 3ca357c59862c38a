"""Entry of the ``tg`` command."""

import sys
from typing import Annotated

import typer

from tg_actors.cli import agents, backtest, books, config, control, db, decisions, doctor, run, status

app = typer.Typer(
    name="tg",
    help="TripleGain: an AI trading desk made of Ray actors. It trades on paper: nothing here spends money.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


@app.callback()
def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an error.")] = False,
) -> None:
    """Global options; ``--debug`` itself is read by :func:`main`, where errors end up."""
    del debug


app.command("run")(run.run)
app.command("status")(status.status)
app.add_typer(agents.app, name="agents")
app.command("positions")(books.positions)
app.command("orders")(books.orders)
app.command("trades")(books.trades)
app.add_typer(decisions.app, name="decisions")
app.command("halt")(control.halt)
app.command("resume")(control.resume)
app.command("flatten")(control.flatten)
app.add_typer(backtest.app, name="backtest")
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)
app.add_typer(db.app, name="db")


def main() -> None:
    """Run a command; a user's error is one sentence and exit code 2, an outside failure exit code 1."""
    debug = "--debug" in sys.argv
    from tg_actors.domain.errors import OutsideError, UserError

    try:
        app()
    except UserError as error:
        _fail(error, 2, debug=debug)
    except OutsideError as error:
        _fail(error, 1, debug=debug)
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _fail(error: Exception, code: int, *, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"tg: {error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
