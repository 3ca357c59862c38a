"""The exchange as a running process: state open, market moving, dialects served, until it is to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time_ns

from aiohttp import web

from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.domain.instruments import Instrument
from tg_actors.exchange.config import ExchangeConfig
from tg_actors.exchange.marketplace import Marketplace
from tg_actors.exchange.server.clockwork import Clockwork, PacedClockwork, Position, clockwork
from tg_actors.exchange.server.config import ServerConfig
from tg_actors.exchange.server.dialect import Dialect
from tg_actors.exchange.server.dialects import DIALECTS
from tg_actors.exchange.server.faults import FaultPlan, Faults
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import KeyFile, KeyRing
from tg_actors.exchange.server.middleware import around
from tg_actors.exchange.server.opening import SHIFT, begun, opened
from tg_actors.exchange.server.operator import Operator
from tg_actors.exchange.server.store import Store
from tg_actors.exchange.server.view import MarketView
from tg_actors.market.config import MarketSpec

_log = logging.getLogger(__name__)
LEDGER = "ledger.sqlite"
#: How often wall-clock timers (dead men) are looked at.
_WATCH_S = 0.1
_SHUTDOWN_S = 2.0


@dataclass(frozen=True, slots=True)
class ServerPlan:
    """Everything a process needs to start."""

    config: ServerConfig
    exchange: ExchangeConfig
    instruments: tuple[Instrument, ...]
    market: MarketSpec
    keys: KeyFile
    faults: FaultPlan
    state: Path
    host: str
    port: int


class ExchangeServer:
    """One exchange on one state folder."""

    def __init__(self, plan: ServerPlan) -> None:
        """Open the state and the market.

        Raises:
            UserError: the state belongs to another market or account, or the market cannot be had.
            OutsideError: the ledger cannot be read or written.
        """
        self._plan = plan
        self._store = Store(plan.state / LEDGER)
        self._stop = asyncio.Event()
        instruments: Mapping[str, Instrument] = {i.symbol: i for i in plan.instruments}
        marketplace = Marketplace(plan.instruments, plan.exchange)
        meta, now_ns = self._store.meta(), time_ns()
        self._market = begun(plan.market, meta, now_ns)
        feed, self._shift_ns = opened(self._market, plan.config.clock, meta, now_ns)
        self.floor = Floor(
            config=plan.config,
            exchange=plan.exchange,
            instruments=instruments,
            marketplace=marketplace,
            market=MarketView(feed, instruments, marketplace),
            store=self._store,
            keys=KeyRing(plan.keys.keys),
            faults=Faults(plan.faults, time_ns),
            clock_ns=time_ns,
        )
        position = self._resume(marketplace)
        self.clockwork: Clockwork = clockwork(self.floor, feed, position)
        self._open_accounts(marketplace)
        self.dialects: dict[str, Dialect] = {name: make(self.floor) for name, make in DIALECTS.items()}
        self.app = self._app()

    async def run(self, announce: Callable[[str], None]) -> None:
        """Serve until :meth:`stop`; ``announce`` is told the address once requests are answered.

        Raises:
            OutsideError: the ledger failed; what was answered is on disk.
        """
        runner = web.AppRunner(self.app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        try:
            await self.floor.settled()
            if isinstance(self.clockwork, PacedClockwork):
                self.clockwork.tick()
            await runner.setup()
            site = web.TCPSite(runner, self._plan.host, self._plan.port)
            await self._listen(site)
            port = runner.addresses[0][1]
            announce(f"http://{self._plan.host}:{port}")
            await self._serve()
        finally:
            await runner.cleanup()
            if self.floor.committer.broken is None:
                await self.floor.settled()
            self.floor.committer.close()
            self._store.close()
        if self.floor.committer.broken is not None:
            raise self.floor.committer.broken

    def stop(self) -> None:
        """End :meth:`run`; called on its loop."""
        self._stop.set()

    async def _listen(self, site: web.TCPSite) -> None:
        try:
            await site.start()
        except OSError as error:
            raise UserError(
                f"cannot listen on {self._plan.host}:{self._plan.port} ({error.strerror}): "
                "choose another --port, 0 takes a free one"
            ) from error

    async def _serve(self) -> None:
        chores: list[Callable[[], Awaitable[None]]] = [self._watch]
        if isinstance(self.clockwork, PacedClockwork):
            chores.append(self._pace)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_until_broken(chore, self._stop)) for chore in chores]
            await self._stop.wait()
            for task in tasks:
                task.cancel()

    async def _pace(self) -> None:
        """Tick by the wall clock; what was missed while the machine was busy is not made up for."""
        moving = self.clockwork
        if not isinstance(moving, PacedClockwork):
            return
        due = monotonic()
        while True:
            due = max(due + moving.interval_s, monotonic() - moving.interval_s)
            await asyncio.sleep(max(0.0, due - monotonic()))
            moving.tick()
            await self.floor.settled()

    async def _watch(self) -> None:
        """Let dead men fall whose time is up."""
        while True:
            await asyncio.sleep(_WATCH_S)
            self.floor.watch_dead_men()
            await self.floor.settled()

    def _resume(self, marketplace: Marketplace) -> Position:
        meta = self._store.meta()
        identity = self._market.model_dump_json(include={"symbols", "timeframe", "source"})
        if meta.get("identity", identity) != identity:
            raise UserError(
                f"{self._plan.state} holds an exchange on another market or other instruments: "
                "start it as before, or take another --state"
            )
        self.floor.committer.stage().meta |= {"identity": identity, SHIFT: str(self._shift_ns)}
        if "market" in meta:
            marketplace.load_market(meta["market"].encode())
        for account, state in self._store.accounts().items():
            marketplace.load(account, state)
            self.floor.resumed(account)
        return Position.of(meta["position"]) if "position" in meta else Position()

    def _open_accounts(self, marketplace: Marketplace) -> None:
        known = set(marketplace.accounts())
        for name, account in self._plan.config.accounts.items():
            if name not in known:
                marketplace.open_account(name, account.balances, account.account_kind)
                self.floor.opened(name)

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[around(self.floor, self.dialects, self._stop)])
        for name, dialect in self.dialects.items():
            app.add_routes(_below(f"/{name}", dialect.routes()))
        operator = Operator(self.floor, self.clockwork, self._plan.keys.operator_token, self.dialects)
        app.add_routes(_below("/practice", operator.routes()))
        return app


def _below(prefix: str, routes: Sequence[web.RouteDef]) -> list[web.RouteDef]:
    return [web.RouteDef(r.method, prefix + r.path, r.handler, r.kwargs) for r in routes]


async def _until_broken(chore: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Run a chore; when the ledger fails, everything stops."""
    try:
        await chore()
    except OutsideError as error:
        _log.error("%s", error)
        stop.set()
