"""``tg backtest lookahead`` and ``tg backtest recursive``: does an agent or a function know the future?"""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.options import Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.backtest.detectors import Subject
    from tg_actors.backtest.tape import Tape
    from tg_actors.desk.plan import Flags
    from tg_actors.market.needs import MarketNeeds

Target = Annotated[
    str,
    typer.Argument(
        help="An agent's name, indicators, regimes, baselines, or all of them: all; or your own "
        "FILE.py:function (a frame of bars in, one number per bar out)."
    ),
]
Bars = Annotated[int | None, typer.Option("--cycles", min=100, help="How many bars to examine.")]
Tolerance = Annotated[
    float, typer.Option("--tolerance", min=0.0, help="How far two answers may differ and still be the same.")
]
AsMarkdown = Annotated[bool, typer.Option("--markdown", help="Print the table as docs/detectors.md has it.")]

_LOOK_AHEAD_BARS = 1_000
_RECURSIVE_BARS = 3_200
#: Enough for agents that look from one instrument to another.
_INSTRUMENTS = 4
#: Seed of the changes made to the future, not of the market.
_CHANGES = 1
#: Bars at the end on which starts are compared: two days of hours, for agents that speak once a day.
_POINTS = 48


def lookahead(
    target: Target,
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Bars = None,
    tolerance: Tolerance = 0.0,
    markdown: AsMarkdown = False,
    json_: AsJson = False,
) -> None:
    """Change the future after a bar and see whether anything said before changes; exit 1 if it does."""
    from tg_actors.backtest.detectors import Finding, look_ahead
    from tg_actors.backtest.detectors_table import as_json, look_ahead_row
    from tg_actors.desk.plan import Flags

    flags = Flags(market, data, instruments, timeframe, from_, to, seed)
    found = [
        look_ahead(subject, tape, seed=_CHANGES, tolerance=tolerance)
        for subject, tape in _subjects(target, desk, flags, cycles or _LOOK_AHEAD_BARS)
    ]
    rows = [look_ahead_row(one) for one in found]
    content = {
        "clean": all(one.finding is Finding.CLEAN for one in found),
        "subjects": [*map(as_json, found)],
    }
    _print(rows, content, "Look-ahead", markdown=markdown, json_=json_)
    if any(one.finding is Finding.LEAKS for one in found):
        sys.exit(1)


def recursive(
    target: Target,
    desk: Desk = DEFAULT_DESK,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycles: Bars = None,
    markdown: AsMarkdown = False,
    json_: AsJson = False,
) -> None:
    """Start an agent so many bars before a point and show how far its opinion there depends on that."""
    from tg_actors.backtest.detectors import recursion
    from tg_actors.backtest.detectors_table import as_json, recursion_row
    from tg_actors.desk.plan import Flags

    flags = Flags(market, data, instruments, timeframe, from_, to, seed)
    found = [
        recursion(subject, tape, _POINTS)
        for subject, tape in _subjects(target, desk, flags, cycles or _RECURSIVE_BARS)
    ]
    rows = [recursion_row(one) for one in found]
    _print(
        rows, {"subjects": [*map(as_json, found)]}, "Dependence on the start", markdown=markdown, json_=json_
    )


def _subjects(target: str, desk: str, flags: "Flags", cycles: int) -> "Iterator[tuple[Subject, Tape]]":
    """Every subject with its market; those with equal needs share the reading of one."""
    from tg_actors.backtest.tape import record
    from tg_actors.desk.config import load_desk, load_venue
    from tg_actors.desk.plan import flagged
    from tg_actors.domain.errors import UserError
    from tg_actors.market.config import VenueSource, market_spec, open_feed

    config = flagged(load_desk(desk), flags)
    if isinstance(config.market.source, VenueSource):
        raise UserError(
            f"desk {config.name!r} trades on a live market, which has no past: add --market simulated"
        )
    chosen = config.instruments if flags.instruments else config.instruments[:_INSTRUMENTS]
    tapes: dict[MarketNeeds, Tape] = {}
    for subject, needs in _chosen(target):
        if needs not in tapes:
            err.print(f"reading {cycles} bars of {', '.join(chosen)} …", style="dim")
            spec = market_spec(config.market, chosen, load_venue(config).instruments, needs)
            tapes[needs] = record(open_feed(spec), cycles, needs)
        err.print(f"examining {subject.name} …", style="dim")
        yield subject, tapes[needs]


def _chosen(target: str) -> "Sequence[tuple[Subject, MarketNeeds]]":
    from tg_actors.market.needs import MarketNeeds

    if ":" in target:
        return [(_function(target), MarketNeeds())]
    groups: dict[str, Callable[[], Sequence[tuple[Subject, MarketNeeds]]]] = {
        "indicators": _market,
        "regimes": _regimes,
        "baselines": _baselines,
    }
    if target == "all":
        return [*_market(), *_regimes(), *(one for name in _agents() for one in _agent(name)), *_baselines()]
    return groups.get(target, lambda: _agent(target))()


def _market() -> "Sequence[tuple[Subject, MarketNeeds]]":
    from tg_actors.backtest.detectors_subjects import MarketSubject
    from tg_actors.market.needs import MarketNeeds

    return [(MarketSubject(), MarketNeeds(window_bars=64))]


def _regimes() -> "Sequence[tuple[Subject, MarketNeeds]]":
    from tg_actors.backtest.detectors_subjects import RegimeSubject
    from tg_actors.meta.regimes import RegimeConfig

    return [(RegimeSubject(), RegimeConfig().needs())]


def _baselines() -> "Sequence[tuple[Subject, MarketNeeds]]":
    from tg_actors.backtest.baselines.library import FAMILIES
    from tg_actors.backtest.detectors_subjects import BaselineSubject
    from tg_actors.market.needs import MarketNeeds

    return [(BaselineSubject(family), MarketNeeds()) for family in FAMILIES.values()]


def _agent(name: str) -> "Sequence[tuple[Subject, MarketNeeds]]":
    from tg_actors.backtest.detectors_subjects import AgentSubject
    from tg_actors.desk.config import load_agent
    from tg_actors.desk.models import champions_at_home

    spec = load_agent(name)
    return [(AgentSubject(spec, champions_at_home([spec]).get(name)), spec.needs())]


def _agents() -> list[str]:
    """Every agent that is shipped."""
    from tg_actors.desk.files import configs_folder

    return sorted(file.stem for file in (configs_folder() / "agents").glob("*.yaml"))


def _function(target: str) -> "Subject":
    """Import ``FILE.py:function``; it runs with all rights, as any program of yours does."""
    from tg_actors.backtest.detectors_functions import FunctionSubject, theirs
    from tg_actors.domain.errors import UserError

    file, _, name = target.rpartition(":")
    path = Path(file)
    spec = importlib.util.spec_from_file_location(path.stem, path) if path.is_file() else None
    if spec is None or spec.loader is None:
        raise UserError(f"{target}: there is no Python file {file!r}, write FILE.py:function")
    module = importlib.util.module_from_spec(spec)
    with theirs(str(path)):
        spec.loader.exec_module(module)
    function = getattr(module, name, None)
    if not callable(function):
        raise UserError(f"{path} has no function {name!r}: write FILE.py:function")
    return FunctionSubject(f"{path.name}:{name}", function)


def _print(
    rows: list[dict[str, Any]], content: dict[str, Any], title: str, *, markdown: bool, json_: bool
) -> None:
    from tg_actors.backtest.detectors_table import markdown as as_markdown

    if markdown:
        out.print(as_markdown(rows), markup=False, highlight=False, soft_wrap=True)
    elif json_:
        print_json(content)
    else:
        show(rows, list(rows[0]), title, as_json=False)
