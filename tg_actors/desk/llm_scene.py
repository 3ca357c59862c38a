"""What a model is shown of a desk: the newest snapshot of its market, its regime and limits, its books."""

from dataclasses import dataclass

from tg_actors.agents.llm_limits import shown_limits
from tg_actors.desk.config import DeskConfig, load_venue
from tg_actors.domain.blocks import MarketSnapshot
from tg_actors.domain.decisions import Account
from tg_actors.domain.errors import UserError
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import TradingState
from tg_actors.llm.contract.observation import Mode, Observation
from tg_actors.llm.contract.showing import needs, observe
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.config import SimulatedSource, begin, market_spec, open_feed
from tg_actors.market.filters import instrument
from tg_actors.market.needs import MarketNeeds
from tg_actors.meta.regimes import RegimeFilter
from tg_actors.portfolio.books import Books

#: The cycle of a market without an end that is looked at, where nobody says another.
SIMULATED_CYCLE = 600


@dataclass(frozen=True, slots=True)
class Scene:
    """An observation, and the cycle it is of."""

    observation: Observation
    cycle: int


def look(config: DeskConfig, mode: Mode, now_ns: int, cycle: int | None = None) -> Scene:
    """Return what a model is shown of a desk's market.

    Args:
        config: the desk, with its market as the flags have changed it.
        mode: in ``trader`` mode the books are those of an account that was just opened.
        now_ns: where a live market begins.
        cycle: which one; None for the newest, and for ``SIMULATED_CYCLE`` of a simulated market.

    Raises:
        UserError: the market cannot be had, or has no such cycle.
    """
    filters = load_venue(config).instruments
    spec = market_spec(begin(config.market, now_ns), config.instruments, filters, _needs(config))
    feed = open_feed(spec)
    newest = SIMULATED_CYCLE if isinstance(spec.source, SimulatedSource) else (feed.cycles or 1) - 1
    asked = newest if cycle is None else cycle
    snapshot = SnapshotBuilder(feed, needs=spec.needs).advance(asked)
    if snapshot is None:
        raise UserError(f"the market has {feed.cycles} cycles, none of number {asked}: leave out --cycle")
    account = _opened(config, snapshot) if mode is Mode.TRADER else None
    return Scene(
        observe(
            snapshot,
            venue=config.venue,
            limits=shown_limits(config.risk),
            regime=RegimeFilter(config.meta.regime).view(snapshot),
            account=account,
            reporting_currency=config.reporting_currency,
        ),
        asked,
    )


def _needs(config: DeskConfig) -> MarketNeeds:
    own, regime = needs(), config.meta.regime.needs()
    return own.model_copy(update={"window_bars": max(own.window_bars, regime.window_bars)})


def _opened(config: DeskConfig, snapshot: MarketSnapshot) -> Account:
    """The books of an account that has its opening cash and nothing else."""
    filters = load_venue(config).instruments
    instruments = [instrument(symbol, filters) for symbol in config.instruments]
    quotes = {one.quote for one in instruments}
    cash = {currency: amount for currency, amount in config.opening_cash.items() if currency in quotes}
    books = Books(cash, instruments, config.reporting_currency)
    mids = zip(snapshot.symbols, snapshot.mid.tolist(), strict=True)
    marks = {symbol: from_float(mid) for symbol, mid in mids if mid == mid}  # noqa: PLR0124 - NaN is no price
    value = books.mark(marks)
    return Account(
        at_ns=snapshot.at_ns,
        cash=books.cash,
        positions={},
        marks=marks,
        rates=value.rates,
        equity=value.equity,
        gross_exposure=ZERO,
        open_notional={},
        busy=(),
        blocked=(),
        trading_state=TradingState.ACTIVE,
        unvalued=value.unknown,
    )
