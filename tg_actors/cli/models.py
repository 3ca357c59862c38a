"""``tg models``: versions of learned policies, who serves in which role, and who put them there."""

import getpass
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.improve import gate, improve
from tg_actors.cli.screen import AsJson, err, out, print_json, show, utc

if TYPE_CHECKING:
    from tg_actors.rl.acts import Act, Role, Roles
    from tg_actors.rl.manifest import Manifest, OutOfSample
    from tg_actors.rl.registry import ModelRegistry

app = typer.Typer(
    help="Versions of learned policies: list, show, promote, rollback, compare.", no_args_is_help=True
)
app.command("gate")(gate)
app.command("improve")(improve)
Version = Annotated[str, typer.Argument(help="A version, e.g. rl-aggressive@7.")]
Model = Annotated[str, typer.Argument(help="A model, e.g. rl-aggressive.")]
Canary = Annotated[
    float | None,
    typer.Option(
        "--canary", help="Serve this share of the requests, above 0 and below 1; decide nothing else."
    ),
]
Shadow = Annotated[bool, typer.Option("--shadow", help="Be asked beside the champion, without effect.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for the record.")]
Override = Annotated[
    str | None,
    typer.Option("--override", help="Promote against the evidence, for this reason, which is recorded."),
]
_SHA_CHARS = 12
_LIST = ("version", "role", "sharpe", "days", "trained", "created", "sha256")
_HISTORY = ("when", "what", "role", "version", "who", "reason", "override")


@app.command("list")
def list_models(json_: AsJson = False) -> None:
    """List all versions with role, out-of-sample evidence and what they were trained on."""
    from tg_actors.desk.models import home_registry

    registry = home_registry()
    rows = list(_versions(registry))
    if json_ or rows:
        shown = rows if json_ else [_readable(row) for row in rows]
        show(shown, _LIST, "Models", as_json=json_)
        return
    err.print("no model yet: 'tg train all' makes them", highlight=False)


@app.command("show")
def show_model(
    model: Annotated[str, typer.Argument(help="A model or one of its versions: rl-aggressive[@7].")],
    json_: AsJson = False,
) -> None:
    """Show the manifest of a version, the champion's if none is named, and the model's history."""
    from tg_actors.desk.models import home_registry

    registry = home_registry()
    name, version = _named(registry, model)
    manifest, roles = registry.manifest(name, version), registry.roles(name)
    history = [_act(act) for act in registry.history(name)]
    if json_:
        content = {**manifest.model_dump(mode="json"), "role": _role(roles, version)}
        print_json({**content, "roles": roles.model_dump(mode="json"), "history": history})
        return
    show([_readable(_row(manifest, roles))], _LIST, manifest.id, as_json=False)
    for line in _lines(manifest):
        out.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)
    shown = [{**act, "when": utc(act["at_ns"])} for act in history]
    show(shown, _HISTORY, f"History of {name}", as_json=False)


@app.command("promote")
def promote(
    version: Version,
    canary: Canary = None,
    shadow: Shadow = False,
    reason: Reason = "",
    override: Override = None,
    json_: AsJson = False,
) -> None:
    """Make a version champion, canary or shadow; running desks and servers follow, nobody restarts."""
    from tg_actors.backtest import model_comparison
    from tg_actors.desk.models import home_registry
    from tg_actors.domain.errors import UserError
    from tg_actors.rl.acts import Role
    from tg_actors.runtime.clock import wall_ns

    if canary is not None and shadow:
        raise UserError("--canary and --shadow are two roles: give one of them")
    role = Role.SHADOW if shadow else Role.CHAMPION if canary is None else Role.CANARY
    registry = home_registry()
    name, number = _parsed(version)
    act = model_comparison.promote(
        registry,
        name,
        number,
        role,
        reason=reason,
        actor=_who(),
        at_ns=wall_ns(),
        share_frac=canary,
        override=override,
        how="--override REASON",
    )
    _tell(registry, act, as_json=json_)


@app.command("rollback")
def rollback(
    model: Model,
    canary: Annotated[bool, typer.Option("--canary", help="Take the canary's role back instead.")] = False,
    shadow: Annotated[bool, typer.Option("--shadow", help="Take the shadow's role back instead.")] = False,
    reason: Reason = "",
    json_: AsJson = False,
) -> None:
    """Go back to the champion before; with --canary or --shadow take that role back."""
    from tg_actors.desk.models import home_registry
    from tg_actors.domain.errors import UserError
    from tg_actors.rl.acts import Role
    from tg_actors.runtime.clock import wall_ns

    if canary and shadow:
        raise UserError("--canary and --shadow are two roles: give one of them")
    role = Role.SHADOW if shadow else Role.CANARY if canary else Role.CHAMPION
    registry = home_registry()
    act = registry.rollback(model, role, reason=reason, actor=_who(), at_ns=wall_ns())
    _tell(registry, act, as_json=json_)


@app.command("compare")
def compare(one: Version, other: Version, json_: AsJson = False) -> None:
    """Hold the out-of-sample days of one version against another's: the same days, in pairs."""
    from tg_actors.backtest.model_comparison import compare_versions
    from tg_actors.desk.models import home_registry

    registry = home_registry()
    first, second = (registry.manifest(*_parsed(text)) for text in (one, other))
    found = compare_versions(first, second)
    if json_:
        print_json({**found.model_dump(mode="json"), "sentence": found.sentence})
        return
    rows = [_readable(_row(manifest, registry.roles(manifest.name))) for manifest in (first, second)]
    show(rows, _LIST, "Versions", as_json=False)
    out.print(found.sentence, highlight=False, soft_wrap=True)


def _versions(registry: "ModelRegistry") -> Iterator[dict[str, Any]]:
    from tg_actors.domain.errors import UserError

    for name, roles in registry.all_roles().items():
        for version in registry.versions(name):
            try:
                manifest = registry.manifest(name, version)
            except UserError as error:  # the others are there all the same
                err.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
                continue
            yield _row(manifest, roles)


def _row(manifest: "Manifest", roles: "Roles") -> dict[str, Any]:
    return {
        "version": manifest.id,
        "role": _role(roles, manifest.version),
        "market": manifest.market,
        "instruments": list(manifest.instruments),
        "from_ns": manifest.from_ns,
        "to_ns": manifest.to_ns,
        "reward": manifest.reward,
        "parents": list(manifest.parents),
        "evidence": None if manifest.evidence is None else _proof(manifest.evidence),
        "created_at_ns": manifest.created_at_ns,
        "sha256": manifest.sha256,
    }


def _proof(proof: "OutOfSample") -> dict[str, Any]:
    return {**proof.model_dump(mode="json", exclude={"returns_frac"}), "days": proof.days}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    proof = row["evidence"] or {}
    sharpe = proof.get("sharpe_daily_365")
    low, high = proof.get("sharpe_low"), proof.get("sharpe_high")
    around = "" if low is None else f" [{low:.2f}, {high:.2f}]"
    return {
        **row,
        "sharpe": "no evidence" if not proof else "" if sharpe is None else f"{sharpe:.2f}{around}",
        "days": proof.get("days"),
        "trained": f"{utc(row['from_ns'])[:10]} to {utc(row['to_ns'])[:10]}",
        "created": utc(row["created_at_ns"]),
        "sha256": row["sha256"][:_SHA_CHARS],
    }


def _role(roles: "Roles", version: int) -> str | None:
    from tg_actors.rl.acts import Role

    role = next((role for role in Role if roles.version_of(role) == version), None)
    if role is Role.CANARY and roles.canary_share_frac is not None:
        return f"{role} {roles.canary_share_frac:.0%}"
    return None if role is None else role.value


def _lines(manifest: "Manifest") -> Iterator[str]:
    yield f"market {manifest.market}, {', '.join(manifest.instruments)}, bars of {manifest.bar_ns // 10**9} s"
    yield f"reward {manifest.reward}, {'with' if manifest.shorts else 'without'} shorts, seed {manifest.seed}"
    if manifest.parents:
        yield f"made from {', '.join(manifest.parents)}"
    yield f"trials {manifest.trials}, code {manifest.code_version}, sha256 {manifest.sha256}"
    yield f"{len(manifest.features)} columns: {', '.join(manifest.features)}"
    if manifest.trainer:
        yield "trainer: " + ", ".join(f"{key} {_short(value)}" for key, value in manifest.trainer.items())
    if manifest.evidence is not None:
        proof = manifest.evidence
        said = (proof.verdict or "no verdict").removesuffix(f" ({proof.market})")
        yield f"judged on {proof.days} days of {proof.market}: {said} ({proof.costs})"


def _short(value: object) -> object:
    """A figure as a person reads it; ``--json`` has all its digits."""
    return f"{value:.4g}" if isinstance(value, float) else value


def _act(act: "Act") -> dict[str, Any]:
    return {
        "at_ns": act.at_ns,
        "what": act.verb.value,
        "role": act.role.value if act.share_frac is None else f"{act.role.value} {act.share_frac:.0%}",
        "version": act.version,
        "who": act.actor,
        "reason": act.reason,
        "override": act.override,
    }


def _tell(registry: "ModelRegistry", act: "Act", *, as_json: bool) -> None:
    roles = registry.roles(act.model)
    if as_json:
        print_json({"model": act.model, "act": _act(act), "roles": roles.model_dump(mode="json")})
        return
    told = _sentence(act.role, act.version)
    err.print(f"{act.model}: {told}", highlight=False, markup=False, soft_wrap=True)


def _sentence(role: "Role", version: int | None) -> str:
    if version is None:
        return f"nobody is {role} any more"
    who = {"champion": "running desks follow with their next cycle, servers at once"}
    return f"version {version} is {role} now; {who.get(role, 'desks stay with their champion')}"


def _named(registry: "ModelRegistry", text: str) -> tuple[str, int]:
    """Read a version, or take the champion of a model, else its newest version."""
    from tg_actors.domain.errors import UserError

    if "@" in text:
        return _parsed(text)
    known = registry.versions(text)
    if not known:
        there = ", ".join(registry.names()) or "none yet: 'tg train all' makes them"
        raise UserError(f"there is no model {text!r}: there are {there}")
    return text, registry.roles(text).champion or known[-1]


def _parsed(text: str) -> tuple[str, int]:
    from tg_actors.domain.errors import UserError
    from tg_actors.rl.manifest import parse_model_id

    try:
        return parse_model_id(text)
    except ValueError as error:
        raise UserError(str(error)) from error


def _who() -> str:
    return f"{getpass.getuser()} (cli)"
