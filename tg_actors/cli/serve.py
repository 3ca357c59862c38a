"""``tg serve deploy|status|shutdown|swap-test``: models and signals over HTTP, behind Ray Serve."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tg_actors.cli.interrupts import Interrupts
from tg_actors.cli.screen import AsJson, err, out, print_json, show

if TYPE_CHECKING:
    from tg_actors.chaos.swap_load import SwapPlan
    from tg_actors.chaos.swap_verdict import SwapVerdict
    from tg_actors.runtime.cluster import Cluster
    from tg_actors.runtime.serving import Serving

app = typer.Typer(
    help="Signals and models over HTTP: deploy, status, shutdown, swap-test.", no_args_is_help=True
)
Address = Annotated[
    str | None, typer.Option("--address", help="Join this Ray cluster, e.g. that of 'tg run'.")
]
_POLL_S = 1.0


@app.command("deploy")
def deploy(
    config: Annotated[str, typer.Option("--config", help="File of the deployment.")] = "configs/serve.yaml",
    address: Address = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="HTTP port; 0 takes a free one.")
    ] = None,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
    json_: AsJson = False,
) -> None:
    """Serve until Ctrl-C on a Ray of its own, or with --address on that cluster until 'tg serve shutdown'."""
    from tg_actors.desk.files import find_config, load
    from tg_actors.runtime.home import home
    from tg_actors.runtime.serve_config import ServeConfig
    from tg_actors.runtime.serving import Deployed, check_alone, check_free, forget, is_there, remember
    from tg_actors.runtime.serving import deploy as deploy_on

    settings = load(ServeConfig, find_config(config))
    if port is not None:
        settings = settings.model_copy(update={"port": port})
    folder, stdout = home(), sys.stdout
    check_alone(folder, address)
    if address is None and settings.port:
        check_free(settings.host, settings.port)
    with _joined(address, dashboard=dashboard) as joined:
        with err.status("deploying (about fifteen seconds) …"):
            serving = deploy_on(settings, folder)
        remember(folder, Deployed(address=joined.address, url=serving.url, pid=os.getpid()))
        with redirect_stdout(stdout):
            _tell(joined, serving, folder, as_json=json_)
        if address is not None:
            err.print("it goes on until that cluster or 'tg serve shutdown' ends it", highlight=False)
            return
        try:
            with Interrupts() as presses:
                while not presses.count and is_there():
                    time.sleep(_POLL_S)
        finally:
            forget(folder, serving.url)


@app.command("status")
def status(address: Address = None, json_: AsJson = False) -> None:
    """Show deployments, the versions in force, and what was refused."""
    from tg_actors.runtime.home import home
    from tg_actors.runtime.serving import find
    from tg_actors.runtime.serving import status as seen

    known = None if address is not None else find(home())
    with _joined(address or (known.address if known else None), dashboard=False):
        found = seen()
    if json_:
        print_json({"url": known.url if known else None, **found})
        return
    if known is not None:
        out.print(known.url, highlight=False)
    if found["grpc"] is not None:
        out.print(f"gRPC for predictions: {found['grpc']}", highlight=False)
    show(
        found["deployments"],
        ("deployment", "status", "running", "replicas", "message"),
        f"Application {found['application']}",
        as_json=False,
    )
    _show_models(found["models"])


@app.command("shutdown")
def shutdown(address: Address = None, json_: AsJson = False) -> None:
    """End the application; whoever deployed it in the foreground ends with it."""
    from tg_actors.runtime.home import home
    from tg_actors.runtime.serving import find, forget
    from tg_actors.runtime.serving import shutdown as end

    folder = home()
    where = address or find(folder).address
    with _joined(where, dashboard=False):
        end()
    forget(folder)
    if json_:
        print_json({"shut_down": where})
        return
    err.print(f"the application on {where} has ended", highlight=False)


@app.command("swap-test")
def swap_test(
    swaps: Annotated[int, typer.Option("--swaps", min=2, max=2000, help="Versions promoted.")] = 200,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=3600, help="Time for all of them.")] = 60,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Callers at once.")] = 4,
    kill: Annotated[bool, typer.Option(help="Kill a replica on the way.")] = True,
    json_: AsJson = False,
) -> None:
    """Swap models under constant requests, in a home and a Ray of its own: nothing may fail or mix up."""
    from tempfile import TemporaryDirectory

    from tg_actors.chaos.swap_load import SwapPlan

    plan = SwapPlan(swaps, seconds, threads, kill)
    with TemporaryDirectory(prefix="tg-swap-", dir="/tmp") as folder:
        verdict = _swapped(Path(folder), plan)
    if json_:
        print_json({"ok": verdict.ok, **verdict.model_dump()})
    else:
        _show_verdict(verdict)
    if not verdict.ok:
        raise typer.Exit(1)


def _swapped(folder: Path, plan: "SwapPlan") -> "SwapVerdict":
    from tg_actors.chaos.swap_load import prepare, swap_under_load
    from tg_actors.desk.files import find_config, load
    from tg_actors.rl.registry import ModelRegistry
    from tg_actors.runtime.clock import wall_ns
    from tg_actors.runtime.serve_config import ServeConfig
    from tg_actors.runtime.serving import deploy as deploy_on
    from tg_actors.runtime.serving import models_status
    from tg_actors.runtime.tokens import Scope, TokenFile

    settings = load(ServeConfig, find_config("configs/serve.yaml")).model_copy(update={"port": 0})
    with err.status("registering versions …") as says:
        policies = prepare(ModelRegistry(folder / "models"), plan.swaps + 2)
        token = TokenFile(folder / "serve" / "tokens.json").create("swap-test", (Scope.READ,), wall_ns())
        with _joined(None, dashboard=False):
            says.update("deploying (about fifteen seconds) …")
            serving = deploy_on(settings, folder)
            says.update(f"{plan.swaps} promotions in {plan.seconds:.0f} s …")
            return swap_under_load(serving.url, token, folder / "models", policies, models_status, plan)


@contextmanager
def _joined(address: str | None, *, dashboard: bool) -> "Iterator[Cluster]":
    """Join the cluster at an address, or start one; what Ray prints goes to a file."""
    from tg_actors.runtime.cluster import ClusterSpec, cluster, ray_version
    from tg_actors.runtime.home import home, private_folder

    ray_version()
    log = private_folder(home() / "serve") / "serve.log"
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(stack.enter_context(log.open("a", encoding="utf-8"))))
        says = stack.enter_context(err.status("joining Ray …" if address else "starting Ray …"))
        joined = stack.enter_context(
            cluster(ClusterSpec("triplegain-serve", address, dashboard), says.update)
        )
        says.stop()
        yield joined


def _tell(joined: "Cluster", serving: "Serving", folder: Path, *, as_json: bool) -> None:
    """Say where things are, at once: a program waits for this line."""
    if as_json:
        where = {"url": serving.url, "grpc": serving.grpc}
        print_json({**where, "address": joined.address, "dashboard_url": joined.dashboard_url})
        return
    page = "its page asks for a token: 'tg serve tokens create NAME --scope read'"
    err.print(f"serving on {serving.url} ({page})", highlight=False)
    if serving.grpc:
        err.print(f"gRPC for predictions: {serving.grpc}", highlight=False)
    if joined.dashboard_url:
        err.print(f"Ray dashboard: {joined.dashboard_url} (token: {joined.token_path})", highlight=False)
    err.print(f"promotions are read from {folder / 'models'}", highlight=False)


def _show_models(models: dict[str, Any] | None) -> None:
    if models is None:
        out.print("the board of models does not answer", style="bold")
        return
    places = [{"model": name, **place} for name, place in models["models"].items()]
    show(
        places,
        ("model", "champion", "canary", "canary_share_frac", "shadow"),
        f"In force, {models['swaps']} swaps, {'settled' if models['settled'] else 'a swap is under way'}",
        as_json=False,
    )
    if models["record"] != "read":
        out.print(models["record"], style="bold", markup=False)
    for rows, columns, title in (
        (models["shadows"], ("champion", "shadow", "rows", "agreement_frac"), "Shadows"),
        (models["refused"], ("model", "version", "role", "reason"), "Refused, the version before stayed"),
    ):
        if rows:
            show(rows, columns, title, as_json=False)


def _show_verdict(verdict: "SwapVerdict") -> None:
    rows = [
        {"measured": name.replace("_", " "), **getattr(verdict, name).model_dump()}
        for name in ("overall", "blip", "swap_ms")
    ]
    show(rows, ("measured", "requests", "p50_ms", "p99_ms", "worst_ms"), "Latency", as_json=False)
    counts = ("failed", "unknown_version", "mixed_up", "bad_answers")
    wrong = ", ".join(f"{getattr(verdict, name)} {name.replace('_', ' ')}" for name in counts)
    out.print(f"{verdict.requests} requests ({verdict.per_s}/s), {verdict.swaps} swaps: {wrong}")
    if verdict.recovery_s is not None:
        out.print(f"a replica was killed: another took its place after {verdict.recovery_s:.1f} s")
    out.print("all is well" if verdict.ok else f"it failed: {verdict.first_failure or 'see the counts'}")
