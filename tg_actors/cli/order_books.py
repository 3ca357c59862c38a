"""``tg books``: recorded order books, replayed and checked message by message."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tg_actors.cli.screen import AsJson, out, print_json

if TYPE_CHECKING:
    from tg_actors.market.books.recorded import RecordedBooks
    from tg_actors.market.books.replay import BookReplay, Comparison

app = typer.Typer(help="Recorded order books: replayed, checked, drawn.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A capture: l2/<VENUE>_<BASE>-<QUOTE>_<day>_depth.parquet.")]
Picture = Annotated[
    Path | None,
    typer.Option("--picture", help="Draw the book into this SVG file: size, walls, pulled orders."),
]


@app.callback()
def _books() -> None:
    """Recorded order books: replayed, checked, drawn."""


@app.command("replay")
def replay(file: File, picture: Picture = None, json_: AsJson = False) -> None:
    """Replay a capture: sequence breaks, crossed books, checksums, agreement with the quotes beside it.

    Exits with 1 when anything broke.
    """
    from tg_actors.market.books.recorded import RecordedBooks
    from tg_actors.market.books.replay import replay as play

    capture = RecordedBooks(file)
    if picture is not None:
        _draw(capture, picture)
    result = play(capture)
    if json_:
        print_json(result.model_dump(mode="json") | {"is_sound": result.is_sound})
    else:
        _print(result)
    if not result.is_sound:
        raise typer.Exit(1)


def _draw(capture: "RecordedBooks", path: Path) -> None:
    from tg_actors.market.books.film import film
    from tg_actors.market.books.picture import draw

    path.write_text(draw(film(capture)), encoding="utf-8")


def _print(result: "BookReplay") -> None:
    seconds = (result.last_ns - result.first_ns) / 10**9
    out.print(
        f"{result.venue} {result.symbol}: {result.messages:,} messages, {result.level_changes:,} levels, "
    )
    out.print(f"  {seconds:,.1f} s; {result.buffered:,} before the snapshot, {result.old:,} known already")
    broken = ", ".join(f"{count:,} {reason}" for reason, count in result.breaks.items()) or "none"
    out.print(f"  breaks: {broken}")
    if result.checksums:
        out.print(f"  checksums of the venue: {result.checksums:,} passed")
    if result.unlinked:
        out.print(f"  {result.unlinked:,} deltas without their link: order and quotes vouch for them")
    for name, comparison in (("best quotes", result.quotes), ("20 levels a second", result.ladders)):
        if comparison is not None:
            out.print(f"  {name}: {_share(comparison)}")


def _share(comparison: "Comparison") -> str:
    return f"{comparison.equal:,} of {comparison.compared:,} equal"
