"""From a desk file and the flags of a command to everything that a start needs."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from pydantic import Field

from tg_actors.agents.kinds import AgentSpec, needs_of
from tg_actors.desk.config import DeskConfig, Speed, load_agents, load_stages, load_venue
from tg_actors.desk.models import registry_folder
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.execution.start import AccountSpec
from tg_actors.execution.venues.connection import CcxtConnection, InlineConnection
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.market.config import (
    MarketConfig,
    MarketSource,
    MarketSpec,
    RecordedSource,
    SimulatedSource,
    VenueSource,
    market_spec,
    open_feed,
)
from tg_actors.market.feed import Feed
from tg_actors.market.feeds.references import recorded_of
from tg_actors.market.filters import instrument
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.ensemble import MetaSpec
from tg_actors.portfolio.books import check_convertible
from tg_actors.risk.limits import RiskSpec
from tg_actors.runtime.home import BACKTEST


@dataclass(frozen=True, slots=True)
class Flags:
    """What a command line may change about the market of a desk; None leaves the desk file's word."""

    market: str | None = None
    data: Path | None = None
    instruments: str | None = None
    timeframe: str | None = None
    from_utc: str | None = None
    to_utc: str | None = None
    seed: int | None = None
    speed: str | None = None


class DeskPlan(Message):
    """A desk ready to start, in any process; picklable.

    ``journal`` is a path or URL, ``speed`` a multiple of real time, None for as fast as it goes;
    ``cycles_total`` is None for a market without an end. ``node_resource`` names a custom resource of
    Ray: the actors live on any nodes that offer it, which must all reach the journal; None keeps
    them on the driver's node. ``live_from_ns`` is when cycle 0 of a live market opens, None for one that
    waits for the desk. ``models`` is the folder of the registry that learned agents follow.
    """

    desk: str
    folder: str
    journal: str
    bar_ns: int
    cycles_total: int | None
    speed: float | None
    opinion_deadline_s: float
    stall_limit_s: float
    metrics_port: int | None
    dashboard_url: str | None
    market: MarketSpec
    agents: tuple[AgentSpec, ...]
    meta: MetaSpec
    risk: RiskSpec
    account: AccountSpec
    node_resource: str | None = None
    live_from_ns: int | None = None
    # Not written where nobody asks a model: the plan of such a desk is the one it always was.
    models: str | None = Field(default=None, exclude_if=lambda folder: folder is None)


def flagged(config: DeskConfig, flags: Flags) -> DeskConfig:
    """Return the desk as the flags change it.

    Raises:
        UserError: a flag contradicts another or makes no sense.
    """
    symbols = config.instruments if flags.instruments is None else chosen_symbols(flags.instruments)
    timeframe = config.market.timeframe if flags.timeframe is None else chosen_timeframe(flags.timeframe)
    source = chosen_source(config.market, flags, lambda: _live(config, flags))
    pace = (
        config.pace if flags.speed is None else config.pace.model_copy(update={"speed": _speed(flags.speed)})
    )
    return config.model_copy(
        update={
            "instruments": symbols,
            "market": MarketConfig(timeframe=timeframe, source=source),
            "pace": pace,
        }
    )


def plan_market(config: DeskConfig) -> tuple[MarketSpec, Feed]:
    """Open the market of a desk, which shows whether it can be had.

    A recorded market without a window gets the one it has found, so that a later start with more
    files goes on with the same.
    """
    filters = load_venue(config).instruments
    needs = needs_of(load_agents(config), config.meta.regime.needs(), config.risk.needs())
    spec = market_spec(config.market, config.instruments, filters, needs)
    return spec, open_feed(spec)


def run_name(config: DeskConfig, start_ns: int | None, *, backtest: bool) -> str:
    """Name a run by what it trades: the same desk on the same market from the same start is the same run.

    ``start_ns`` is when the bar of cycle 0 opens; None for a live market, which begins when its run does.
    """
    market = config.market
    source = market.source.model_dump(mode="json", exclude={"to_utc", "from_utc"})
    if isinstance(market.source, RecordedSource):
        source["data"] = str(Path(market.source.data).expanduser().absolute())
    identity = {
        "desk": config.name,
        "symbols": config.instruments,
        "timeframe": market.timeframe.value,
        "source": source,
        "start_ns": start_ns,
    }
    tag = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    return f"{BACKTEST if backtest else ''}{config.name}-{market.source.kind}-{tag}"


def make_plan(
    config: DeskConfig, spec: MarketSpec, feed: Feed, folder: Path, journal: str, *, durable: bool
) -> DeskPlan:
    """Put together what every room needs.

    Raises:
        UserError: an instrument has no filters or no way into the reporting currency.
    """
    venue = load_venue(config)
    instruments = tuple(instrument(symbol, venue.instruments) for symbol in spec.symbols)
    cash = _opening_cash(config, [i.quote for i in instruments])
    check_convertible(instruments, config.reporting_currency, cash)
    speed: Speed = config.pace.speed
    live = isinstance(spec.source, VenueSource)
    paced = speed != "max" or live
    executor = ExecutorSpec(
        desk=config.name,
        account=config.account,
        reporting_currency=config.reporting_currency,
        bar_ns=feed.bar_ns,
        opening_cash=cash,
        instruments=instruments,
        limits=config.permits,
        approval=config.approval,
    )
    agents = load_agents(config)
    return DeskPlan(
        desk=config.name,
        folder=str(folder),
        journal=journal,
        bar_ns=feed.bar_ns,
        cycles_total=feed.cycles,
        # A live market has its own pace.
        speed=1.0 if live else None if speed == "max" else float(speed),
        opinion_deadline_s=config.pace.opinion_deadline_ms / 1e3 if paced else config.pace.stall_limit_s,
        stall_limit_s=float(config.pace.stall_limit_s),
        metrics_port=config.metrics_port,
        dashboard_url=None,
        market=spec,
        agents=agents,
        meta=MetaSpec(agents=config.agents, config=config.meta),
        risk=RiskSpec(
            limits=config.risk,
            instruments=instruments,
            desk=config.name,
            account=config.account,
            bar_ns=feed.bar_ns,
            stages=load_stages(config, rehearsal=not durable),
        ),
        account=AccountSpec(
            executor=executor,
            exchange=venue.exchange,
            durable=durable,
            # A backtest is one process: it never asks anybody outside.
            connection=venue.connection if durable else InlineConnection(),
        ),
        live_from_ns=feed.start_ns if live else None,
        models=registry_folder(agents),
    )


def _opening_cash(config: DeskConfig, quotes: Sequence[str]) -> dict[str, Decimal]:
    missing = [quote for quote in quotes if quote not in config.opening_cash]
    if missing:
        raise UserError(
            f"desk {config.name!r} has no opening_cash in {missing[0]}, in which an instrument is paid: "
            f'add it to opening_cash ("0" is a word too)'
        )
    return {currency: amount for currency, amount in config.opening_cash.items() if currency in quotes}


def chosen_source(market: MarketConfig, flags: Flags, live: Callable[[], VenueSource]) -> MarketSource:
    """Return the market's source as the flags change it; ``live`` says which live market is meant.

    Raises:
        UserError: a flag contradicts another or makes no sense.
    """
    kind = flags.market or ("recorded" if flags.data else market.source.kind)
    if kind == "simulated":
        return _simulated(market, flags)
    if kind == "recorded":
        return _recorded(market, flags)
    if kind == "venue":
        return live()
    raise UserError(f"--market {kind!r} is unknown: it is simulated, recorded or venue")


def _live(config: DeskConfig, flags: Flags) -> VenueSource:
    """The venue's own market, as it is now."""
    if isinstance(config.market.source, VenueSource):
        known = config.market.source
    elif isinstance(connection := load_venue(config).connection, CcxtConnection):
        known = VenueSource(exchange=connection.exchange)
    else:
        raise UserError(
            f"--market venue: {config.venue!r} has no public market that ccxt reads: write a source "
            "{kind: venue, exchange: NAME} into the desk file"
        )
    given = {"--seed": flags.seed, "--data": flags.data, "--from": flags.from_utc, "--to": flags.to_utc}
    for option, value in given.items():
        if value is not None:
            raise UserError(f"{option} does not belong to a live market: leave it out")
    return known


def _simulated(market: MarketConfig, flags: Flags) -> SimulatedSource:
    for option, value in (("--data", flags.data), ("--from", flags.from_utc), ("--to", flags.to_utc)):
        if value is not None:
            raise UserError(f"{option} belongs to a recorded market: add --market recorded, or leave it out")
    seed = market.source.seed if isinstance(market.source, SimulatedSource) else 0
    return SimulatedSource(seed=seed if flags.seed is None else flags.seed)


def _recorded(market: MarketConfig, flags: Flags) -> RecordedSource:
    if flags.seed is not None:
        raise UserError("--seed belongs to a simulated market: leave it out")
    base = market.source if isinstance(market.source, RecordedSource) else RecordedSource()
    data = str(flags.data) if flags.data else base.data
    if not data:
        raise UserError("a recorded market needs its folder: add --data DIR")
    from_utc, to_utc = flags.from_utc or base.from_utc, flags.to_utc or base.to_utc
    window = {"from_utc": from_utc, "to_utc": to_utc}
    if flags.data is None:
        return base.model_copy(update={"data": data, **window})
    # Another folder has what it has; a desk that names its own folder means every word.
    references = recorded_of(base.references, data) if base.references else ()
    return base.model_copy(update={"data": data, "references": references, **window})


def chosen_symbols(text: str) -> tuple[str, ...]:
    """Read ``--instruments``.

    Raises:
        UserError: a place is empty.
    """
    symbols = tuple(symbol.strip() for symbol in text.split(","))
    if not all(symbols):
        raise UserError(f"--instruments {text!r} has an empty place: write such as BTC/USDT,XRP/USDT")
    return symbols


def chosen_timeframe(text: str) -> Timeframe:
    """Read ``--timeframe``.

    Raises:
        UserError: it is none.
    """
    try:
        return Timeframe(text)
    except ValueError:
        raise UserError(
            f"--timeframe {text!r} is unknown: use {', '.join(t.value for t in Timeframe)}"
        ) from None


def _speed(text: str) -> Speed:
    if text == "max":
        return "max"
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise UserError(f"--speed {text!r} makes no sense: give a multiple of real time such as 3600, or max")
    return speed
