"""A private PostgreSQL server for tests: its own cluster in its own folder, on a socket only."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: PostgreSQL refuses to run as root; packages create this user for it.
_SERVER_USER = "postgres"


def find_binaries() -> Path | None:
    """Return the folder with ``initdb`` and ``pg_ctl``, the newest version first; None without a server."""
    on_path = shutil.which("pg_ctl")
    if on_path is not None:
        return Path(on_path).parent
    versions = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    newest = max(versions, key=lambda path: int(path.parts[-3]), default=None)
    return None if newest is None else newest.parent


@contextmanager
def private_server(binaries: Path) -> Iterator[Path]:
    """Run a server for the length of the block; yields the folder of its socket."""
    user = _SERVER_USER if os.geteuid() == 0 else None
    # A socket's path holds 107 bytes: pytest's own folders are too long.
    folder = Path(tempfile.mkdtemp(prefix="tgpg", dir="/tmp"))
    if user is not None:
        shutil.chown(folder, user)

    def call(*command: str) -> None:
        subprocess.run(command, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL, timeout=120)

    data = str(folder / "data")
    try:
        call(str(binaries / "initdb"), "-D", data, "-U", "desk", "--auth=trust", "--no-sync", "-E", "UTF8")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        log = str(folder / "log")
        call(str(binaries / "pg_ctl"), "-D", data, "-l", log, "-o", options, "-w", "start")
        try:
            yield folder
        finally:
            call(str(binaries / "pg_ctl"), "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
