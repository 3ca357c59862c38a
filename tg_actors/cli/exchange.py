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
    from tg_actors.exchange.server.config import ServerConfig
    from tg_actors.exchange.server.keys import KeyFile
    from tg_actors.exchange.server.process import ServerPlan

app = typer.Typer(
    help="The practice exchange: a process that speaks Kraken, Binance and Alpaca to unmodified clients.",
    no_args_is_help=True,
)
_LOOPBACK = "127.0.0.1"
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
    json_: AsJson = False,
) -> None:
    """Serve until Ctrl-C. Orders live at market time; nonces, receive windows, deadlines at wall time.

    An address per dialect: /kraken, /binance, /alpaca; /practice is the operator's. Starting again on
    the same --state goes on where it ended, also after kill -9.
    """
    from tg_actors.domain.errors import UserError
    from tg_actors.runtime.home import private_folder
    from tg_actors.runtime.lock import sole_holder

    if host != _LOOPBACK and not allow_remote:
        raise UserError(
            f"--host {host} would show the exchange to other machines: add --allow-remote if you mean it"
        )
    folder = private_folder(state.expanduser().absolute())
    flags = {"market": market, "data": data, "timeframe": timeframe, "from": from_, "to": to, "seed": seed}
    chosen = _configured(config, flags, instruments, clock, speed)
    with sole_holder(folder / _LOCK, "exchange", "stop it with Ctrl-C, or take another --state"):
        plan = _plan(chosen, folder, _fault_plan(faults), host, port)
        asyncio.run(_serve(plan, as_json=json_))


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

    from tg_actors.domain.errors import OutsideError, UserError

    try:
        url = json.loads((state / _ADDRESS).read_text())["url"]
    except FileNotFoundError as error:
        raise UserError(f"no exchange runs on {state}: start one with 'tg exchange serve'") from error
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


async def _serve(plan: "ServerPlan", *, as_json: bool) -> None:
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

    try:
        await server.run(announce)
    finally:
        address.unlink(missing_ok=True)


def _greeting(plan: "ServerPlan", url: str, dialects: tuple[str, ...]) -> str:
    ws = url.replace("http", "ws", 1)
    account = next(iter(plan.config.accounts))
    return f"""The practice exchange listens on {url} ({plan.config.clock.kind} clock). Ctrl-C stops it.
  dialects: {", ".join(f"{url}/{name}" for name in dialects)}
  state:    {plan.state}
  keys:     {plan.state / _KEYS} (accounts: {", ".join(plan.config.accounts)})
  operator: {url}/practice, with the token of that file; 'tg exchange status --state {plan.state}'
Point ccxt at it, sync, async or pro:
  ccxt.kraken({{"apiKey": …, "secret": …,  # of {account}-trade
    "urls": {{"api": {{"public": "{url}/kraken", "private": "{url}/kraken",
      "ws": {{"publicV2": "{ws}/kraken/v2", "privateV2": "{ws}/kraken/v2"}}}}}}}})
and alpaca-py:
  TradingClient(key, secret, url_override="{url}/alpaca")"""


def _configured(
    path: str, flags: dict[str, Any], instruments: str | None, clock: str | None, speed: float | None
) -> "ServerConfig":
    """Read the exchange file and put the flags over it."""
    from tg_actors.desk.files import find_config, load, read_yaml
    from tg_actors.exchange.server.config import ServerConfig

    found = find_config(path)
    content: dict[str, Any] = read_yaml(found) or {}
    if instruments is not None:
        content["instruments"] = [symbol.strip() for symbol in instruments.split(",")]
    if clock is not None and content.get("clock", {}).get("kind") != clock:
        content["clock"] = {"kind": clock}
    if speed is not None:
        content["clock"] = {**content.get("clock", {}), "speed": speed}
    content["market"] = _market(content.get("market", {}), flags)
    return load(ServerConfig, found, content)


def _market(market: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    source = dict(market.get("source", {}))
    kind = flags["market"]
    if kind is not None and kind != source.get("kind"):
        source = {"kind": kind, **({"seed": 7} if kind == "simulated" else {})}
    named = {"data": "data", "from": "from_utc", "to": "to_utc", "seed": "seed"}
    for flag, key in named.items():
        if flags[flag] is not None:
            source[key] = str(flags[flag]) if flag == "data" else flags[flag]
    changed = {**market, "source": source}
    return changed if flags["timeframe"] is None else {**changed, "timeframe": flags["timeframe"]}


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
