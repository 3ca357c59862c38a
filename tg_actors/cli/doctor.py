"""``tg doctor``: is this machine fit to run a desk, and if not, what to do."""

import shutil
import socket
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tg_actors.cli.screen import AsJson, out, print_json, show

_PACKAGES = ("ray", "numpy", "pydantic", "sqlalchemy", "duckdb", "TA-Lib", "torch", "ccxt", "alpaca-py")
_DISK_FREE_GIB_MIN = 2
_MEMORY_FREE_GIB_MIN = 3
_DASHBOARD_PORT = 8265
_GIB = 1024**3
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at."""

    check: str
    ok: bool
    detail: str


def doctor(json_: AsJson = False) -> None:
    """Check versions, ports, disk, memory, Ray, key files, the journal and the clock."""
    findings = [_look(name, check) for name, check in _CHECKS.items()]
    rows = [{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings]
    healthy = all(finding.ok for finding in findings)
    if json_:
        print_json({"healthy": healthy, "checks": rows})
    else:
        marked = [{**row, "ok": "yes" if row["ok"] else "NO"} for row in rows]
        show(marked, ("check", "ok", "detail"), "Doctor", as_json=False)
        out.print("[green]fit to run a desk[/green]" if healthy else "[red]see the rows marked NO[/red]")
    if not healthy:
        sys.exit(1)


def _look(name: str, check: Callable[[], tuple[bool, str]]) -> Finding:
    from tg_actors.domain.errors import OutsideError, UserError

    try:
        ok, detail = check()
    except (UserError, OutsideError, OSError) as error:
        ok, detail = False, str(error)
    return Finding(name, ok, detail)


def _python() -> tuple[bool, str]:
    return (3, 11) <= sys.version_info < (3, 15), sys.version.split()[0]


def _packages() -> tuple[bool, str]:
    from importlib.metadata import PackageNotFoundError, version

    found, missing = [], []
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    return not missing, f"missing {', '.join(missing)}: install again" if missing else ", ".join(found)


def _ports() -> tuple[bool, str]:
    with socket.socket() as probe:
        taken = probe.connect_ex(("127.0.0.1", _DASHBOARD_PORT)) == 0
    if taken:
        return True, f"port {_DASHBOARD_PORT} is in use: Ray's dashboard will take the next free one"
    return True, f"port {_DASHBOARD_PORT} is free for Ray's dashboard"


def _disk() -> tuple[bool, str]:
    from tg_actors.runtime.home import home

    free = shutil.disk_usage(home()).free / _GIB
    return free >= _DISK_FREE_GIB_MIN, f"{free:.1f} GiB free in {home()}, {_DISK_FREE_GIB_MIN} wanted"


def _memory() -> tuple[bool, str]:
    import psutil

    free = psutil.virtual_memory().available / _GIB
    return free >= _MEMORY_FREE_GIB_MIN, f"{free:.1f} GiB available, {_MEMORY_FREE_GIB_MIN} wanted"


def _ray() -> tuple[bool, str]:
    from tg_actors.runtime.cluster import ray_version, require_token

    path = require_token()
    return True, f"Ray {ray_version()}, token {'from the environment' if path is None else path}"


def _journal() -> tuple[bool, str]:
    from tg_actors.domain.errors import UserError
    from tg_actors.journal.readers import JournalReader
    from tg_actors.journal.verify import verify
    from tg_actors.runtime.home import existing_run

    try:
        folder = existing_run(None)
    except UserError:
        return True, "no run yet"
    with JournalReader.read_only(folder.journal) as journal:
        report = verify(journal)
    problem = "; ".join(report.problems)
    return report.ok, f"{folder.name}: {problem or f'{report.events} events, the chain is whole'}"


def _models() -> tuple[bool, str]:
    from tg_actors.desk.models import home_registry

    registry = home_registry()
    roles = registry.all_roles()
    if not roles:
        return True, "none yet, learned agents abstain: 'tg train all' makes them"
    champions = [(name, one.champion) for name, one in roles.items() if one.champion is not None]
    for name, version in champions:
        registry.probe(name, version)
    idle = [name for name in roles if roles[name].champion is None]
    told = ", ".join(f"{name}@{version}" for name, version in champions) or "no champion"
    more = f"; without champion: {', '.join(idle)} ('tg models promote' names one)" if idle else ""
    return True, told + more


def _keys() -> tuple[bool, str]:
    from tg_actors.runtime.home import home, runs_folder

    files = [*home().glob("keys/*.yaml"), *runs_folder().glob("*/exchange/keys.yaml")]
    files += runs_folder().glob("*/control.token")
    shown = [path for path in sorted(files) if stat.S_IMODE(path.stat().st_mode) & _OTHERS]
    if not shown:
        return True, f"{len(files)} files with keys, readable by you alone"
    more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
    return False, f"others may read {shown[0]}{more}: chmod 600 it, and think of new keys"


def _clock() -> tuple[bool, str]:
    import time

    from tg_actors.runtime.clock import wall_ns

    before_wall, before_mono = wall_ns(), time.monotonic_ns()
    time.sleep(0.1)
    drift_ms = abs((wall_ns() - before_wall) - (time.monotonic_ns() - before_mono)) / 1e6
    return drift_ms < 50, f"wall and monotonic clock drift {drift_ms:.1f} ms in 100 ms"  # noqa: PLR2004 - ms


_CHECKS: dict[str, Callable[[], tuple[bool, str]]] = {
    "python": _python,
    "packages": _packages,
    "ports": _ports,
    "disk": _disk,
    "memory": _memory,
    "ray": _ray,
    "keys": _keys,
    "journal": _journal,
    "models": _models,
    "clock": _clock,
}
