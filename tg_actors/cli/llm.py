"""``tg llm``: ask one model about a desk's market, and show which models there are."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.config import DEFAULT_DESK
from tg_actors.cli.llm_checks import faults, fuzz
from tg_actors.cli.options import Data, Desk, From, Instruments, Market, Seed, Timeframe, To
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.llm.cassette import Cassette
    from tg_actors.llm.catalogue import ModelsConfig, ModelSpec
    from tg_actors.llm.contract.observation import Observation
    from tg_actors.llm.deciding import Decider
    from tg_actors.llm.outcome import DecisionOutcome
    from tg_actors.llm.wires.opening import ClosingSender

app = typer.Typer(help="Language models: ask one, list them, rehearse their failures.", no_args_is_help=True)
app.command("faults")(faults)
app.command("fuzz")(fuzz)

ModelName = Annotated[str, typer.Option("--model", help="A name in configs/models.yaml, e.g. gpt-4o.")]
Mode = Annotated[str, typer.Option("--mode", help="signal: the market alone. trader: an account as well.")]
Cycle = Annotated[int | None, typer.Option("--cycle", min=0, help="Another cycle than the newest one.")]
Record = Annotated[
    Path | None, typer.Option("--record", help="Keep the whole talk in this file (added at its end).")
]
Replay = Annotated[Path | None, typer.Option("--replay", help="Answer from this file: no network, no key.")]
Every = Annotated[float, typer.Option("--every", min=1.0, help="Seconds between two questions.")]
TokensIn = Annotated[int, typer.Option("--tokens-in", min=1, help="Tokens of one question.")]
TokensOut = Annotated[int, typer.Option("--tokens-out", min=1, help="Tokens of one answer.")]

_DECISIONS = ("symbol", "provenance", "action", "conviction", "horizon_bars", "why")
_MODELS = (
    "name",
    "provider",
    "asked_id",
    "key",
    "retires_on",
    "trained_until",
    "input_usd",
    "output_usd",
    "usd_per_day",
)
_DAY_S = 86_400


@app.command("ask")
def ask(
    model: ModelName,
    desk: Desk = DEFAULT_DESK,
    mode: Mode = "signal",
    market: Market = None,
    data: Data = None,
    instruments: Instruments = None,
    timeframe: Timeframe = None,
    from_: From = None,
    to: To = None,
    seed: Seed = None,
    cycle: Cycle = None,
    record: Record = None,
    replay: Replay = None,
    json_: AsJson = False,
) -> None:
    """Ask one model about the newest snapshot of a desk's market. Nothing is traded.

    Exits with 1 when the vendor gave no answer.
    """
    from tg_actors.desk.config import load_desk
    from tg_actors.desk.llm_scene import look
    from tg_actors.desk.plan import Flags, flagged
    from tg_actors.llm.catalogue import resolution
    from tg_actors.runtime.clock import wall_ns

    config = _models()
    spec, chosen = config.model(model), _mode(mode)
    if said := resolution(model, spec):
        err.print(said, highlight=False)
    flags = Flags(market, data, instruments, timeframe, from_, to, seed)
    scene = look(flagged(load_desk(desk), flags), chosen, wall_ns(), cycle)
    outcome, request = asyncio.run(_decide(config, model, scene.observation, record, replay))
    if json_:
        print_json(
            {
                "resolution": said,
                "cycle": scene.cycle,
                "observation": scene.observation.plain(),
                "request": request,
                "outcome": outcome.model_dump(mode="json"),
            }
        )
    else:
        _print(outcome, spec)
    if outcome.served_id is None:
        raise typer.Exit(1)


async def _decide(
    config: "ModelsConfig", model: str, observation: "Observation", record: Path | None, replay: Path | None
) -> "tuple[DecisionOutcome, dict[str, Any]]":
    from tg_actors.llm.deciding import Decider

    cassette, sender = _cassette(config, model, record, replay)
    decider = Decider(model, config, _prompt(observation.mode.value), cassette)
    if sender is not None:
        _announce(config, decider, observation, model)
    try:
        outcome = await decider.decide(observation)
    finally:
        if sender is not None:
            await sender.close()
    return outcome, decider.request(observation).model_dump(mode="json")


def _cassette(
    config: "ModelsConfig", model: str, record: Path | None, replay: Path | None
) -> "tuple[Cassette, ClosingSender | None]":
    """The cassette of a question, and the sender behind it; a replay has none and needs no key."""
    import time

    from tg_actors.domain.errors import UserError
    from tg_actors.llm.cassette import Cassette, CassetteMode
    from tg_actors.llm.ledger import SpendingLedger
    from tg_actors.llm.live import Clocks, LiveWire
    from tg_actors.llm.wires.opening import open_sender
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.home import home, private_folder
    from tg_actors.runtime.vendor_keys import vendor_key, vendor_url

    if replay is not None and record is not None:
        raise UserError("--record and --replay exclude each other: give one of them")
    if replay is not None:
        return Cassette(CassetteMode.REPLAY, replay), None
    spec = config.model(model)
    row = spec.row
    url = spec.base_url or vendor_url(row.url_variable)
    sender = open_sender(row, url, vendor_key(row.name, row.key_variable))
    purse = SpendingLedger(private_folder(home() / "llm-spending"), config.budget)
    wire = LiveWire(row, model, sender, purse, Clocks(wall_ns, time.monotonic_ns), config.prices)
    mode = CassetteMode.LIVE if record is None else CassetteMode.RECORD
    return Cassette(mode, record, wire), sender


def _announce(config: "ModelsConfig", decider: "Decider", observation: "Observation", model: str) -> None:
    from tg_actors.domain.money import money_text
    from tg_actors.llm.cost import worst_request_usd
    from tg_actors.runtime.clock import wall_ns

    row = config.model(model).row
    most = worst_request_usd(row, decider.request(observation), wall_ns(), config.prices)
    said = "an unknown price" if most is None else f"at most {money_text(most)} USD"
    err.print(f"asking {config.model(model).id} at {row.name} for {said} an attempt", highlight=False)


@app.command("models")
def models(
    every: Every = 300.0, tokens_in: TokensIn = 4000, tokens_out: TokensOut = 700, json_: AsJson = False
) -> None:
    """List the models: what their names mean today, whether there is a key, what they cost.

    Prices are dollars per million tokens now; the last column is a day of questions as the options say.
    """
    from tg_actors.llm.catalogue import resolution

    config = _models()
    rows = [_row(config, name, every, (tokens_in, tokens_out)) for name in config.models]
    if json_:
        print_json(rows)
        return
    show(
        rows,
        _MODELS,
        f"Models, asked every {every:g} s ({tokens_in} tokens in, {tokens_out} out)",
        as_json=False,
    )
    for name, spec in config.models.items():
        if said := resolution(name, spec):
            out.print(f"  {said}", highlight=False)


def _row(config: "ModelsConfig", name: str, every: float, tokens: tuple[int, int]) -> dict[str, Any]:
    from tg_actors.domain.money import money_text
    from tg_actors.llm.catalogue import retires_in_days
    from tg_actors.llm.cost import forecast_usd
    from tg_actors.llm.providers.spec import Usage
    from tg_actors.market.timeframes import instant_text
    from tg_actors.runtime.clock import wall_ns

    spec, now_ns = config.model(name), wall_ns()
    # By the thousand: a million tokens in one question would be another tier.
    thousand = {"input_usd": Usage(input_tokens=1000), "output_usd": Usage(output_tokens=1000)}
    calls = int(_DAY_S / every)
    used = Usage(input_tokens=tokens[0], output_tokens=tokens[1])
    prices = {
        key: forecast_usd(spec.row, spec.id, 1000, usage, now_ns, config.prices)
        for key, usage in thousand.items()
    }
    prices["usd_per_day"] = forecast_usd(spec.row, spec.id, calls, used, now_ns, config.prices)
    return {
        "name": name,
        "provider": spec.provider,
        "asked_id": spec.id,
        "stands_for": spec.stands_for,
        "stands_for_retires_on": spec.stands_for_retires_on,
        "key": _key(spec),
        "retires_on": spec.retires_on,
        "retires_in_days": retires_in_days(spec, instant_text(now_ns)[:10]),
        "trained_until": spec.trained_until,
        "context_tokens": spec.context_tokens,
        **{key: None if usd is None else money_text(usd) for key, usd in prices.items()},
    }


def _key(spec: "ModelSpec") -> str:
    """Whether there is a key, never which."""
    from tg_actors.runtime.vendor_keys import vendor_key

    row = spec.row
    if row.key_variable is None:
        return "not needed"
    if vendor_key(row.name, row.key_variable) is not None:
        return "set"
    return f"missing: set {row.key_variable}" if row.needs_key else "none"


def _print(outcome: "DecisionOutcome", spec: "ModelSpec") -> None:
    from tg_actors.domain.money import money_text

    rows = [
        {
            "symbol": one.symbol,
            "provenance": one.provenance.value,
            "why": one.why or (one.decision.reasoning if one.decision else ""),
            **(
                {}
                if one.decision is None
                else one.decision.model_dump(mode="json", include={"action", "conviction", "horizon_bars"})
            ),
        }
        for one in outcome.symbols
    ]
    show(rows, _DECISIONS, f"{outcome.model} ({outcome.served_id or spec.id})", as_json=False)
    cost = "unknown" if outcome.cost_usd is None else f"{money_text(outcome.cost_usd)} USD"
    floor = " at least" if outcome.cost_is_floor else ""
    used = outcome.usage
    out.print(
        f"  {outcome.attempts} attempts in {outcome.elapsed_s:.2f} s, {used.input_tokens} tokens in, "
        f"{used.output_tokens} out, cost {cost}{floor}; prompt {outcome.prompt}",
        highlight=False,
    )
    if outcome.fault is not None:
        out.print(f"  {outcome.fault.kind.value}: {outcome.fault.detail}", highlight=False, markup=False)


def _models() -> "ModelsConfig":
    from tg_actors.desk.files import find_config, load
    from tg_actors.llm.catalogue import ModelsConfig

    return load(ModelsConfig, find_config("configs/models.yaml"))


def _prompt(name: str) -> Any:
    from tg_actors.desk.files import find_config
    from tg_actors.llm.prompts import read_prompt

    path = find_config(f"configs/prompts/{name}.md")
    return read_prompt(path.read_text(encoding="utf-8"), str(path))


def _mode(text: str) -> Any:
    from tg_actors.domain.errors import UserError
    from tg_actors.llm.contract.observation import Mode as ObservationMode

    try:
        return ObservationMode(text)
    except ValueError:
        raise UserError(f"--mode {text!r} is unknown: it is signal or trader") from None
