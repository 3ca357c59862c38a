"""``tg exchange serve|keys|status|ledger``: the practice exchange as a process of its own."""

import asyncio
import base64
import json
import secrets
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.options import Data, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from tg_actors.desk.plan import Flags
    from tg_actors.exchange.server.config import PacedClock, ServerConfig, SteppedClock
    from tg_actors.exchange.server.keys import KeyFile
    from tg_actors.exchange.server.process import ServerPlan

app = typer.Typer(
    help="The practice exchange: a process that speaks Kraken, Binance and Alpaca to unmodified clients.",
    no_args_is_help=True,
)
_LOOPBACK = "127.0.0.1"
#: How often a server that ends with its parent looks for it.
_ORPHAN_S = 0.5
_KEYS, _ADDRESS, _LOCK = "keys.yaml", "address.json", "exchange.lock"
State = Annotated[Path, typer.Option("--state", help="Folder of the exchange's ledger and keys.")]


@app.command()
def serve(
    state: State,
    config: Annotated[str, typer.Option("--config", help="Exchange file.")] = "configs/exchange.yaml",
    clock: Annotated[
        str | None,
        typer.Option("--clock", help="paced: the market runs; stepped: POST /practice/advance moves it."),
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", min=0.001, help="Paced: multiple of real time.")
    ] = None,
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="A plan of faults (JSON) to start with.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = _LOOPBACK,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 7070,
    allow_remote: Annotated[
        bool, typer.Option("--allow-remote", help="Let --host be another than this machine.")
    ] = False,
    parent: Annotated[
        int | None, typer.Option("--parent", min=1, help="End with this process, which started it.")
    ] = None,
    json_: AsJson = False,
) -> None:
    """Serve until Ctrl-C. Orders live at market time; nonces, receive windows, deadlines at wall time.

    An address per dialect: /kraken, /binance, /alpaca; /practice is the operator's. Starting again on
    the same --state goes on where it ended, also after kill -9.
    """
    from tg_actors.desk.plan import Flags
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.lock import sole_holder

    if host != _LOOPBACK and not allow_remote:
        raise UserError(
            f"--host {host} would show the exchange to other machines: add --allow-remote if you mean it"
        )
    flags = Flags(market, data, instruments, timeframe, from_, to, seed)
    chosen, plan_of_faults = _configured(config, flags, clock, speed), _fault_plan(faults)
    folder = _folder(state.expanduser().absolute())
    with sole_holder(folder / _LOCK, "exchange", "stop it with Ctrl-C, or take another --state"):
        plan = _plan(chosen, folder, plan_of_faults, host, port)
        asyncio.run(_serve(plan, parent, as_json=json_))


@app.command()
def keys(state: State, json_: AsJson = False) -> None:
    """List accounts and API keys; secrets only with --json, since a screen is seen by others."""
    ring = _read_keys(state)
    rows: list[dict[str, Any]] = [key.model_dump(mode="json") for key in ring.keys]
    if json_:
        print_json({"operator_token": ring.operator_token, "keys": rows})
        return
    show(rows, ("name", "account", "permission", "api_key"), "keys", as_json=False)
    err.print(f"secrets: {state / _KEYS}", highlight=False)


@app.command()
def status(state: State, json_: AsJson = False) -> None:
    """Show where the market stands and which faults were injected."""
    import urllib.request

    from tg_actors.domain.errors import OutsideError

    url = _address(state)
    token = _read_keys(state).operator_token
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{url}/practice/status", headers={"Authorization": f"Bearer {token}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - our own address
            content = json.loads(answer.read())
    except OSError as error:
        raise OutsideError(f"the exchange at {url} does not answer: {error}", retryable=True) from error
    if json_:
        print_json({"url": url, **content})
        return
    rows = [{"what": name, "value": value} for name, value in {"url": url, **content}.items()]
    show(rows, ("what", "value"), "exchange", as_json=False)


@app.command()
def ledger(state: State, json_: AsJson = False) -> None:
    """Show every request for an order, every order and every fill: the exchange's own truth."""
    from tg_actors.exchange.server.process import LEDGER
    from tg_actors.exchange.server.store import read_ledger

    content = read_ledger(state / LEDGER)
    if json_:
        print_json(content)
        return
    columns = {
        "posts": ("seq", "account", "dialect", "client_order_id", "number", "code", "detail"),
        "orders": ("number", "account", "client_order_id", "symbol", "state", "filled_quantity", "reason"),
        "fills": ("seq", "account", "number", "symbol", "side", "quantity", "price", "fee"),
    }
    for table, names in columns.items():
        show(content[table], names, table, as_json=False)


async def _serve(plan: "ServerPlan", parent: int | None, *, as_json: bool) -> None:
    from tg_actors.exchange.server.process import ExchangeServer

    server = ExchangeServer(plan)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, server.stop)
    address = plan.state / _ADDRESS

    def announce(url: str) -> None:
        address.write_text(json.dumps({"url": url}))
        said = {
            "url": url,
            "state": str(plan.state),
            "keys": str(plan.state / _KEYS),
            "dialects": {name: f"{url}/{name}" for name in server.dialects},
        }
        if as_json:
            print_json(said)
        else:
            out.print(_greeting(plan, url, tuple(server.dialects)), highlight=False, markup=False)
            sys.stdout.flush()

    orphan = None if parent is None else asyncio.create_task(_end_with(parent, server.stop))
    try:
        await server.run(announce)
    finally:
        if orphan is not None:
            orphan.cancel()
        address.unlink(missing_ok=True)


async def _end_with(parent: int, stop: "Callable[[], None]") -> None:
    """Stop once the parent is gone: an orphan would keep the state's lock from its next parent."""
    import os

    while os.getppid() == parent:  # noqa: ASYNC110 - nobody tells of a parent's end
        await asyncio.sleep(_ORPHAN_S)
    stop()


def _greeting(plan: "ServerPlan", url: str, dialects: tuple[str, ...]) -> str:
    ws = url.replace("http", "ws", 1)
    account = next(iter(plan.config.accounts))
    return f"""The practice exchange listens on {url} ({plan.config.clock.kind} clock). Ctrl-C stops it.
  dialects: {", ".join(f"{url}/{name}" for name in dialects)}
  state:    {plan.state}
  keys:     {plan.state / _KEYS} (accounts: {", ".join(plan.config.accounts)})
  operator: {url}/practice, with the token of that file; 'tg exchange status --state {plan.state}'
Point ccxt at it, sync, async or pro, with api_key and secret of {account}-trade:
  ccxt.kraken({{"apiKey": …, "secret": …, "urls": {{"api": {{
      "public": "{url}/kraken", "private": "{url}/kraken",
      "ws": {{"publicV2": "{ws}/kraken/v2", "privateV2": "{ws}/kraken/v2"}}}}}}}})
  ccxt.binance({{"apiKey": …, "secret": …, "options": {{"fetchMarkets": {{"types": ["spot"]}}}},
    "urls": {{"api": {{
      "public": "{url}/binance/api/v3", "private": "{url}/binance/api/v3",
      "sapi": "{url}/binance/sapi/v1", "ws": {{
      "spot": "{ws}/binance/stream/ws", "ws-api": {{"spot": "{ws}/binance/ws-api/v3"}}}}}}}}}})
and alpaca-py:
  TradingClient(key, secret, url_override="{url}/alpaca")
  TradingStream(key, secret, url_override="{ws}/alpaca/stream")
  CryptoHistoricalDataClient(url_override="{url}/alpaca")
  CryptoDataStream(key, secret, url_override="{ws}/alpaca/v1beta3/crypto/us")
docs/exchange.md says the rest: faults, clocks, margin, what is not imitated."""


def _configured(path: str, flags: "Flags", clock: str | None, speed: float | None) -> "ServerConfig":
    """Read the exchange file and put the flags over it."""
    from tg_actors.desk.files import find_config, load
    from tg_actors.desk.plan import chosen_source, chosen_symbols, chosen_timeframe
    from tg_actors.domain.errors import UserError
    from tg_actors.exchange.server.config import ServerConfig
    from tg_actors.market.config import MarketConfig, VenueSource

    config = load(ServerConfig, find_config(path))
    market = config.market

    def live() -> VenueSource:
        if isinstance(market.source, VenueSource):
            return market.source
        raise UserError(f"--market venue: write a source {{kind: venue, exchange: NAME}} into {path}")

    symbols = config.instruments if flags.instruments is None else chosen_symbols(flags.instruments)
    timeframe = market.timeframe if flags.timeframe is None else chosen_timeframe(flags.timeframe)
    source = chosen_source(market, flags, live)
    changed = {
        "instruments": symbols,
        "market": MarketConfig(timeframe=timeframe, source=source),
        "clock": _clock(config, clock, speed),
    }
    return config.model_copy(update=changed)


def _clock(config: "ServerConfig", kind: str | None, speed: float | None) -> "PacedClock | SteppedClock":
    from tg_actors.domain.errors import UserError
    from tg_actors.exchange.server.config import PacedClock, SteppedClock

    kinds = {"paced": PacedClock, "stepped": SteppedClock}
    if kind is not None and kind not in kinds:
        raise UserError(f"--clock {kind!r} is unknown: it is paced or stepped")
    clock = config.clock if kind in {None, config.clock.kind} else kinds[kind or ""]()
    if speed is None:
        return clock
    if not isinstance(clock, PacedClock):
        raise UserError("--speed belongs to the paced clock: leave it out, or add --clock paced")
    return clock.model_copy(update={"speed": speed})


def _plan(config: "ServerConfig", folder: Path, faults: Any, host: str, port: int) -> "ServerPlan":
    from tg_actors.desk.config import VenueConfig
    from tg_actors.desk.files import find_named, load
    from tg_actors.exchange.server.process import ServerPlan
    from tg_actors.market.config import market_spec
    from tg_actors.market.filters import instrument

    venue = load(VenueConfig, find_named("venues", config.venue))
    chosen = {"margin": config.margin, "funding": config.funding}
    costs = venue.exchange.model_copy(update={k: v for k, v in chosen.items() if v is not None})
    return ServerPlan(
        config=config,
        exchange=costs,
        instruments=tuple(instrument(symbol, venue.instruments) for symbol in config.instruments),
        market=market_spec(config.market, config.instruments, venue.instruments),
        keys=_made_keys(folder, config),
        faults=faults,
        state=folder,
        host=host,
        port=port,
    )


def _folder(state: Path) -> Path:
    """Make the state folder, or take one that an exchange has made; others' files are left alone."""
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.home import private_folder

    try:
        strange = (
            state.exists() and any(state.iterdir()) and not any((state / n).exists() for n in (_LOCK, _KEYS))
        )
    except OSError as error:
        raise UserError(f"--state {state} cannot be used ({error.strerror}): name another folder") from error
    if strange:
        raise UserError(f"--state {state} holds other files and no exchange: name a new folder")
    try:
        return private_folder(state)
    except UserError as error:
        raise UserError(f"--state {state} cannot be made or written: name another folder") from error


def _address(state: Path) -> str:
    """Where the exchange on this state listens, as it wrote it down."""
    from tg_actors.domain.errors import UserError

    try:
        return str(json.loads((state / _ADDRESS).read_text())["url"])
    except FileNotFoundError as error:
        raise UserError(f"no exchange runs on {state}: start one with 'tg exchange serve'") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{state / _ADDRESS} is not what an exchange wrote: remove it and start the exchange again"
        ) from error


def _fault_plan(path: Path | None) -> Any:
    from tg_actors.desk.files import load
    from tg_actors.exchange.server.faults import FaultPlan

    return FaultPlan() if path is None else load(FaultPlan, path)


def _made_keys(folder: Path, config: "ServerConfig") -> "KeyFile":
    """Read the keys, or make them at the first start; accounts that came later get theirs too."""
    from tg_actors.exchange.server.keys import KeyFile, Secrets, new_key_file

    path = folder / _KEYS
    old = _read_keys(folder) if path.exists() else KeyFile(operator_token=secrets.token_hex(32), keys=())
    known = {key.account for key in old.keys}
    new = [account for account in config.accounts if account not in known]
    drawn = (
        Secrets(secrets.token_hex(28), base64.b64encode(secrets.token_bytes(64)).decode())
        for _ in range(2 * len(new))
    )
    made = new_key_file(new, old.operator_token, drawn)
    both = KeyFile(operator_token=old.operator_token, keys=(*old.keys, *made.keys))
    if new:
        _write_keys(path, both)
    return both


def _write_keys(path: Path, ring: "KeyFile") -> None:
    import os

    import yaml

    scratch = path.with_suffix(".new")
    scratch.unlink(missing_ok=True)
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("# Keys of the practice exchange. Whoever reads this file can trade there.\n")
        yaml.safe_dump(ring.model_dump(mode="json"), file, sort_keys=False)
    scratch.replace(path)


def _read_keys(state: Path) -> "KeyFile":
    from tg_actors.desk.files import load
    from tg_actors.domain.errors import UserError
    from tg_actors.exchange.server.keys import KeyFile

    path = state / _KEYS
    if not path.exists():
        raise UserError(f"no exchange has run in {state}: there is no {_KEYS}")
    return load(KeyFile, path)
