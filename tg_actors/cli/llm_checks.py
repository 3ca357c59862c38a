"""``tg llm faults|fuzz``: what models and vendors can do wrong, tried out on this machine, without a key."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.llm.catalogue import ModelsConfig
    from tg_actors.llm.rehearsal.faults import FaultRow

Answers = Annotated[int, typer.Option("--n", min=1, max=1_000_000, help="Spoilt answers to try.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of what is spoilt.")]

_FAULTS = (
    "provider",
    "fault",
    "outcome",
    "kind",
    "attempts",
    "total_s",
    "cost_usd",
    "circuit",
    "as_expected",
)


def faults(json_: AsJson = False) -> None:
    """Try every way to fail on every vendor's dialect: real clients, real sockets, a vendor on loopback.

    Exits with 1 when a row is not as it must be.
    """
    rows = _rows()
    sound = all(row.is_as_expected for row in rows)
    if json_:
        print_json({"is_sound": sound, "rows": [_row(row) for row in rows]})
    else:
        shown = [
            {
                **_row(row),
                "total_s": f"{row.total_s:.2f}",
                "as_expected": "yes" if row.is_as_expected else "NO",
            }
            for row in rows
        ]
        show(shown, _FAULTS, f"Faults, deadline {rows[0].deadline_s:g} s", as_json=False)
    if not sound:
        raise typer.Exit(1)


def _row(row: "FaultRow") -> dict[str, Any]:
    return {**row.model_dump(mode="json"), "is_as_expected": row.is_as_expected}


def _rows() -> "list[FaultRow]":
    import time

    from tg_actors.desk.files import find_config, load
    from tg_actors.llm.catalogue import ModelsConfig
    from tg_actors.llm.live import Clocks
    from tg_actors.llm.prompts import read_prompt
    from tg_actors.llm.rehearsal.faults import fault_table
    from tg_actors.runtime.clock import wall_ns

    path = find_config("configs/prompts/signal.md")
    prompt = read_prompt(path.read_text(encoding="utf-8"), str(path))
    config = with_own_model(load(ModelsConfig, find_config("configs/models.yaml")))
    with err.status("asking a vendor on loopback …"):
        return asyncio.run(fault_table(config, prompt, Clocks(wall_ns, time.monotonic_ns)))


def with_own_model(config: "ModelsConfig") -> "ModelsConfig":
    """Return the models with one of an own server, so that the generic vendor is rehearsed as well."""
    from decimal import Decimal

    from tg_actors.llm.catalogue import ModelSpec
    from tg_actors.llm.providers.spec import Price

    own = ModelSpec(
        provider="generic",
        id="own-model",
        context_tokens=32_768,
        answer_tokens_max=4096,
        base_url="http://127.0.0.1",
    )
    price = Price(input_usd=Decimal("0.1"), output_usd=Decimal("0.2"))
    return config.model_copy(
        update={
            "models": {**config.models, "own-model": own},
            "prices": {**config.prices, "own-model": price},
        }
    )


def fuzz(answers: Answers = 10_000, seed: Seed = 1, json_: AsJson = False) -> None:
    """Spoil thousands of answers: nothing may escape the parser, nothing invalid may become a view.

    Exits with 1 when anything did.
    """
    from tg_actors.llm.rehearsal.fuzz import fuzz as run
    from tg_actors.llm.rehearsal.scene import observation

    with err.status(f"reading {answers:,} spoilt answers …"):
        report = run(observation(), answers, seed)
    if json_:
        print_json({**report.model_dump(mode="json"), "is_sound": report.is_sound})
    else:
        out.print(
            f"{report.answers:,} spoilt answers: {report.escaped_exceptions} exceptions escaped, "
            f"{report.invalid_accepted} invalid views accepted ({report.accepted:,} views in all)",
            highlight=False,
        )
        out.print(
            f"{report.corpus_texts:,} messy answers: {100 * report.corpus_parsed_frac:.1f} % read as they "
            f"were meant; {report.bad_texts} bad ones: {len(report.bad_accepted)} accepted",
            highlight=False,
        )
        for example in report.examples:
            out.print(f"  {example}", highlight=False, markup=False)
    if not report.is_sound:
        raise typer.Exit(1)
