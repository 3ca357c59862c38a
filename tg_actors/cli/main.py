"""Entry of the ``tg`` command."""

import os
import sys
from typing import Annotated

import typer

# Before NumPy is loaded: matrices of a desk are small, and two threads that wait for each other on a busy
# machine are fifty times slower than one. One thread also adds in one order, wherever it runs.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from tg_actors.cli import (
    agents,
    approvals,
    backtest,
    bandit,
    books,
    chaos,
    config,
    control,
    correlation,
    db,
    decisions,
    doctor,
    drill,
    exchange,
    gates,
    llm,
    models,
    order_books,
    replay,
    report,
    rl,
    run,
    serve,
    simulate,
    status,
    tokens,
    train,
    tune,
)

_EPILOG = (
    "Exit codes: 0 done, 1 the world failed (disk, journal, Ray) or a check did, 2 something to put right in "
    "the command or a file, 130 interrupted. An error is one sentence on stderr; --debug shows its trace. "
    "Every listing has --json. TG_HOME names the folder of all journals."
)

app = typer.Typer(
    name="tg",
    help="TripleGain: an AI trading desk made of Ray actors. It trades on paper unless a person says --live.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog=_EPILOG,
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
app.command("correlation")(correlation.correlation)
app.add_typer(report.app, name="report")
app.command("positions")(books.positions)
app.add_typer(order_books.app, name="books")
app.command("orders")(books.orders)
app.command("trades")(books.trades)
app.add_typer(decisions.app, name="decisions")
app.command("halt")(control.halt)
app.command("resume")(control.resume)
app.command("flatten")(control.flatten)
app.command("approvals")(approvals.approvals)
app.command("approve")(approvals.approve)
app.command("reject")(approvals.reject)
app.add_typer(gates.app, name="gates")
app.add_typer(bandit.app, name="bandit")
app.add_typer(backtest.app, name="backtest")
app.command("replay")(replay.replay)
app.command("tune")(tune.tune)
app.add_typer(rl.app, name="rl")
app.add_typer(llm.app, name="llm")
app.add_typer(models.app, name="models")
app.add_typer(train.app, name="train")
serve.app.add_typer(tokens.app, name="tokens")
app.add_typer(serve.app, name="serve")
app.add_typer(config.app, name="config")
app.command("doctor")(doctor.doctor)
app.command("simulate")(simulate.simulate)
app.command("chaos")(chaos.chaos)
app.command("drill")(drill.drill)
app.add_typer(db.app, name="db")
app.add_typer(exchange.app, name="exchange")


def main() -> None:
    """Run a command; a user's error is one sentence and exit code 2, an outside failure exit code 1."""
    from tg_actors.domain.errors import OutsideError, UserError

    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    debug = len(arguments) < len(sys.argv) - 1
    try:
        sys.exit(app(arguments, prog_name="tg", standalone_mode=False))
    except typer.TyperException as error:
        _refuse(error, debug=debug)
    except UserError as error:
        _fail(error, 2, debug=debug)
    except OutsideError as error:
        _fail(error, 1, debug=debug)
    except (KeyboardInterrupt, typer.Abort):
        sys.stderr.write("stopped\n")
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        _fail(OutsideError(_system(error), retryable=True), 1, debug=debug)


def _system(error: OSError) -> str:
    """A refusal of the operating system as a sentence, e.g. ``/data/latest: No space left on device``."""
    return ": ".join(str(part) for part in (error.filename, error.strerror or error) if part is not None)


def _refuse(error: typer.TyperException, *, debug: bool) -> None:
    """Say what is wrong with the words of a command line; without any there is only the help to show."""
    if debug:
        raise error
    if sentence := " ".join(error.format_message().replace("Value error, ", "").split()).rstrip("."):
        context = getattr(error, "ctx", None)
        hint = f" (see {context.command_path} --help)" if context is not None else ""
        sys.stderr.write(f"tg: {sentence}{hint}\n")
    sys.exit(error.exit_code)


def _fail(error: Exception, code: int, *, debug: bool) -> None:
    if debug:
        raise error
    sys.stderr.write(f"tg: {error}\n")
    sys.exit(code)


if __name__ == "__main__":
    main()
