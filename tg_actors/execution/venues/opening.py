"""Open the venue that a connection names: the one place where keys, clocks and clients come together."""

import time
from dataclasses import dataclass

from tg_actors.domain.errors import AccountSuspect, UserError, VenueError
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.keys import Key, KeyRing
from tg_actors.execution.start import AccountSpec, open_practice
from tg_actors.execution.venues.budget import Budget
from tg_actors.execution.venues.ccxt.binance import BinanceDialect
from tg_actors.execution.venues.ccxt.client import CALL_S_MAX, CcxtClient
from tg_actors.execution.venues.ccxt.kraken import KrakenDialect
from tg_actors.execution.venues.connection import AlpacaConnection, CcxtConnection, InlineConnection
from tg_actors.execution.venues.dialect import Dialect, Unusable, VenueClock
from tg_actors.execution.venues.nonces import Nonces
from tg_actors.execution.venues.outcomes import trouble
from tg_actors.execution.venues.port import Venue
from tg_actors.execution.venues.remote import Ear, RemoteVenue
from tg_actors.execution.venues.stepped import Operator
from tg_actors.execution.wire import ROLE
from tg_actors.journal.repository import Journal

RemoteConnection = CcxtConnection | AlpacaConnection

#: Calls in a row before pacing begins, and calls a second after that, in ccxt's units of cost.
_BUDGETS = {"kraken": (45.0, 1.0), "binance": (600.0, 20.0)}
_MS_NS = 1_000_000
#: Opening only reads. One lost answer out of half a dozen must not cost the start of another process.
_TRIES = 3


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    """Our name of an account, what it trades, and which life of its executor this is."""

    name: str
    instruments: tuple[Instrument, ...]
    epoch: int


def open_venue(spec: AccountSpec, journal: Journal, at_ns: int, *, ring: KeyRing) -> tuple[Venue, int]:
    """Open the venue of an account, whichever it is; ``start_executor`` takes this with its key ring.

    A real venue keeps no checkpoint for us. The newest decided cycle was settled before it was decided,
    so its news are journaled; whatever came after it is read again, and trades are told apart by id.

    Raises:
        UserError: there is no usable key, or an instrument is not traded or not as we think.
        VenueError: the venue does not answer.
    """
    if isinstance(spec.connection, InlineConnection):
        return open_practice(spec, journal, at_ns)
    lease, last = journal.lease(ROLE), journal.last_decision()
    account = RemoteAccount(
        spec.executor.account, spec.executor.instruments, 0 if lease is None else lease.epoch
    )
    settled = -1 if last is None else last.cycle
    for _ in range(_TRIES - 1):
        try:
            return open_remote(spec.connection, account, ring), settled
        except AccountSuspect:
            raise
        except VenueError:
            continue
    return open_remote(spec.connection, account, ring), settled


def open_remote(connection: RemoteConnection, account: RemoteAccount, ring: KeyRing) -> RemoteVenue:
    """Read the key, connect, read the venue's markets, measure its clock.

    Raises:
        UserError: there is no usable key, or an instrument is not traded or not as we think.
        VenueError: the venue does not answer.
    """
    key = ring(connection.key)
    clock = VenueClock(time.time_ns)
    try:
        dialect, ear = _dialect(connection, account, key, clock)
    except Unusable as lost:
        raise trouble(connection.kind, lost.verb, lost.answer) from None
    for instrument in account.instruments:
        _check(dialect, instrument)
    step = None
    if connection.operator is not None:
        step = Operator(connection.operator.url, ring(connection.operator.key).secret).advance
    may_trade = key.permissions == "trade"
    number = connection.venue_account
    venue = RemoteVenue(dialect, account.name, clock, ear, number, step, may_trade=may_trade)
    venue.clock_offset_ns()
    return venue


def _check(dialect: Dialect, instrument: Instrument) -> None:
    filters = dialect.filters(instrument.symbol)
    if filters is None:
        sentence = f"{dialect.name} does not trade {instrument.symbol}"
        raise UserError(f"{sentence}: leave it out of the desk's instruments, or name another venue")
    if why := filters.misfit(instrument):
        raise UserError(f"{dialect.name} would refuse our orders, {why}: correct its file in configs/venues")


def _dialect(
    connection: RemoteConnection, account: RemoteAccount, key: Key, clock: VenueClock
) -> tuple[Dialect, Ear | None]:
    # Whoever restarts waits for these: alpaca-py brings pandas, ccxt.pro every venue's asynchronous client.
    if isinstance(connection, AlpacaConnection):
        from tg_actors.execution.venues.alpaca.client import AlpacaClient  # noqa: PLC0415 - see above
        from tg_actors.execution.venues.alpaca.dialect import AlpacaDialect  # noqa: PLC0415 - see above

        alpaca = AlpacaClient(key, connection.url, CALL_S_MAX, paper=connection.paper)
        return AlpacaDialect(alpaca), None
    client = ccxt_client(connection.exchange, key, connection.url, _nonces(connection, account))
    client.load_markets()
    ear: Ear | None = None
    if connection.streams:
        from tg_actors.execution.venues.ccxt.streams import StreamEar  # noqa: PLC0415 - see above

        ear = StreamEar(client)
    if connection.exchange == "kraken":
        return KrakenDialect(client), ear
    return BinanceDialect(client, [one.symbol for one in account.instruments], clock), ear


def ccxt_client(exchange: str, key: Key | None, url: str | None, nonces: Nonces) -> CcxtClient:
    """A ccxt client that keeps below the real venue's limits; a practice exchange says no by itself."""
    burst, per_s = _BUDGETS[exchange]
    budget = Budget(burst, per_s, time.monotonic, time.sleep) if url is None else None
    return CcxtClient(exchange, key, url, nonces, budget)


def _nonces(connection: CcxtConnection, account: RemoteAccount) -> Nonces:
    return Nonces(lambda: time.time_ns() // _MS_NS, account.epoch if connection.nonce_fence else None)
