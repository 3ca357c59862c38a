"""What an owner may choose about the market, and how a choice becomes a feed."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.domain.money import from_float
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import Feed
from tg_actors.market.feeds.recorded import WHALE_USD_MIN, RecordedFeed
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.filters import InstrumentFilters, spread_bps
from tg_actors.market.history import DEFAULT_VENUE
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe, instant_ns, instant_text

__all__ = [
    "MarketConfig",
    "MarketNeeds",
    "MarketSource",
    "MarketSpec",
    "RecordedSource",
    "SimulatedSource",
    "VenueSource",
    "begin",
    "market_spec",
    "open_feed",
    "open_market",
]

_WHALE_USD_MIN = from_float(WHALE_USD_MIN)


class SimulatedSource(Message):
    """The simulated market; the seed names it."""

    kind: Literal["simulated"] = "simulated"
    seed: int = Field(ge=0)


class RecordedSource(Message):
    """Recorded bars. ``data`` is the folder, empty where the start names it.

    ``from_utc`` and ``to_utc`` (exclusive) are ISO dates or times; without them the replay runs over the time
    for which every instrument has bars. ``references`` are daily series in the same folder that are watched
    and not traded, such as ``USEQUITY-ADJ/SPY-USD`` or ``macro/vix``; ``whale_usd_min`` is the value of a
    taker's order from which it is a whale's.
    """

    kind: Literal["recorded"] = "recorded"
    data: str = ""
    venue: str = DEFAULT_VENUE
    from_utc: str | None = None
    to_utc: str | None = None
    # Runs are named by their source: what is left alone does not change the name of an old one.
    references: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    whale_usd_min: Decimal = Field(
        default=_WHALE_USD_MIN, gt=0, exclude_if=lambda value: value == _WHALE_USD_MIN
    )


class VenueSource(Message):
    """Closed bars of a real venue, as they close.

    ``exchange`` is ccxt's id, ``url`` another server that speaks its language. ``from_utc`` is the open of
    cycle 0, the same for the whole life of a run: :func:`begin` sets it when the run begins.
    """

    kind: Literal["venue"] = "venue"
    exchange: str = Field(pattern=r"^[a-z0-9_]+$")
    url: str | None = None
    from_utc: str | None = None


MarketSource = SimulatedSource | RecordedSource | VenueSource


class MarketConfig(Message):
    """The market part of a desk's configuration."""

    timeframe: Timeframe = Timeframe.HOUR_1
    source: MarketSource = Field(discriminator="kind")


class MarketSpec(Message):
    """Everything needed to open a market, in any process.

    ``spread_bps`` holds the spread of every symbol; ``prefetch_cycles`` is how many cycles are worked
    out at once, which changes the speed only; ``needs`` is what the agents ask for.
    """

    symbols: tuple[str, ...] = Field(min_length=1)
    timeframe: Timeframe
    source: MarketSource = Field(discriminator="kind")
    spread_bps: dict[str, Decimal]
    prefetch_cycles: int = Field(default=256, ge=1)
    needs: MarketNeeds = MarketNeeds()


def market_spec(
    config: MarketConfig,
    symbols: Sequence[str],
    filters: InstrumentFilters,
    needs: MarketNeeds | None = None,
) -> MarketSpec:
    """Join configuration, instruments and the venue's spreads; a relative data folder becomes absolute.

    ``needs`` is what the desk's agents ask for, None for nothing beyond the newest bar and its indicators.

    Raises:
        UserError: no symbols, a symbol twice, or one the venue has no filters for.
    """
    twice = [symbol for k, symbol in enumerate(symbols) if symbol in symbols[:k]]
    if not symbols or twice:
        mistake = f"{twice[0]} stands twice" if twice else "none is given"
        raise UserError(
            f"the desk needs each instrument once, but {mistake}: list some such as BTC/USDT,XRP/USDT"
        )
    source = config.source
    if isinstance(source, RecordedSource):
        if not source.data:
            raise UserError("a recorded market needs its folder: add --data DIR")
        source = source.model_copy(update={"data": str(Path(source.data).expanduser().absolute())})
    return MarketSpec(
        symbols=tuple(symbols),
        timeframe=config.timeframe,
        source=source,
        spread_bps={symbol: spread_bps(symbol, filters) for symbol in symbols},
        needs=needs or MarketNeeds(),
        # Nobody knows the bars of a live market before they close.
        **({"prefetch_cycles": 1} if isinstance(source, VenueSource) else {}),
    )


def begin(config: MarketConfig, at_ns: int) -> MarketConfig:
    """Fix where a live market's cycle 0 lies: the bar that closed last before ``at_ns``.

    What is not live, or has begun already, stays as it is.
    """
    source = config.source
    if not isinstance(source, VenueSource) or source.from_utc is not None:
        return config
    bar_ns = config.timeframe.bar_ns
    first_ns = (at_ns // bar_ns - 1) * bar_ns
    return config.model_copy(
        update={"source": source.model_copy(update={"from_utc": instant_text(first_ns)})}
    )


def open_feed(spec: MarketSpec) -> Feed:
    """Open the feed of a market.

    Raises:
        UserError: the data is missing or damaged, or a symbol cannot be had.
    """
    spreads = {symbol: float(bps) for symbol, bps in spec.spread_bps.items()}
    source = spec.source
    if isinstance(source, SimulatedSource):
        return SimulatedFeed(source.seed, spec.symbols, spec.timeframe, spreads)
    if isinstance(source, VenueSource):
        return _open_live(source, spec, spreads)
    return RecordedFeed.open(
        source.data,
        spec.symbols,
        spec.timeframe,
        None if source.from_utc is None else instant_ns(source.from_utc),
        None if source.to_utc is None else instant_ns(source.to_utc),
        spread_bps=spreads,
        venue=source.venue,
        references=source.references,
        whale_usd_min=float(source.whale_usd_min),
    )


def _open_live(source: VenueSource, spec: MarketSpec, spreads: dict[str, float]) -> Feed:
    if source.from_utc is None:
        raise UserError("a live market needs the instant at which the run began: write from_utc")
    # ccxt takes a second to import; replays do without it.
    from tg_actors.market.feeds.venue import open_venue_feed  # noqa: PLC0415 - see above

    start_ns = instant_ns(source.from_utc)
    return open_venue_feed(source.exchange, source.url, spec.symbols, spec.timeframe, start_ns, spreads)


def open_market(spec: MarketSpec) -> SnapshotBuilder:
    """Open the market itself, at no cycle yet.

    Raises:
        UserError: as for :func:`open_feed`.
    """
    return SnapshotBuilder(open_feed(spec), prefetch=spec.prefetch_cycles, needs=spec.needs)
