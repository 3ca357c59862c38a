"""A Ray cluster of several raylets on this host, started with Ray's own command."""

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tg_actors.chaos.household import Household, send
from tg_actors.domain.errors import OutsideError

#: Nodes that may carry actors offer this; the head, where the drivers are, does not.
RESOURCE = "desk"
_STORE_BYTES = 80_000_000
_START_S_MAX = 90.0
#: A node that does not answer for about this long is dead to Ray, which then restarts its actors elsewhere.
HEALTH = {
    "RAY_health_check_initial_delay_ms": "3000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1500",
    "RAY_health_check_failure_threshold": "3",
    # Raylets and actors give up a dead head after this, not after a minute.
    "RAY_gcs_rpc_server_reconnect_timeout_s": "20",
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(slots=True)
class Node:
    """One raylet with everybody below it; ``is_paused`` once its end has begun."""

    folder: Path
    raylet: psutil.Process
    is_paused: bool = False

    def is_alive(self) -> bool:
        """Whether its raylet runs or is paused."""
        return self.raylet.is_running() and self.raylet.status() != psutil.STATUS_ZOMBIE

    def everybody(self) -> list[psutil.Process]:
        """The raylet and all its workers."""
        with contextlib.suppress(psutil.Error):
            return [self.raylet, *self.raylet.children(recursive=True)]
        return []

    def workers(self) -> list[psutil.Process]:
        """Processes that hold actors, not those of Ray itself."""
        return [process for process in self.everybody() if is_actor(process)]


def is_actor(process: psutil.Process) -> bool:
    """Whether a process holds one of our actors: Ray titles them ``ray::ClassName``."""
    with contextlib.suppress(psutil.Error):
        command = process.cmdline()
        return bool(command) and command[0].startswith("ray::") and "Actor" in command[0]
    return False


class Raylets:
    """A head without actors and some nodes with them; nodes die and are replaced."""

    def __init__(self, household: Household, folder: Path) -> None:
        self._household = household
        self._folder = folder
        self._started = 0
        self._heads = 0
        self.address = ""
        self.nodes: list[Node] = []

    def start_head(self) -> None:
        """Start GCS and a raylet that carries no actors.

        Raises:
            OutsideError: Ray did not start.
        """
        self._heads += 1
        folder = self._folder / f"h{self._heads}"
        self._ray(
            folder,
            *("--head", "--port=0", "--num-cpus=0", "--include-dashboard=false"),
            f"--ray-client-server-port={_free_port()}",
        )
        self.address = (folder / "ray_current_cluster").read_text().strip()

    def head(self) -> list[psutil.Process]:
        """The GCS of the newest head."""
        folder = str(self._folder / f"h{self._heads}")
        return [p for p in self._household.everybody() if _runs(p, "gcs_server", folder)]

    def add_node(self) -> Node:
        """Start one more raylet that carries actors.

        Raises:
            OutsideError: Ray did not start.
        """
        self._started += 1
        folder = self._folder / f"n{self._started}"
        resources = json.dumps({RESOURCE: 1})
        self._ray(folder, f"--address={self.address}", "--num-cpus=1", f"--resources={resources}")
        raylets = [p for p in self._household.everybody() if _runs(p, "raylet", str(folder))]
        if not raylets:
            raise OutsideError("a raylet died while it started", retryable=True)
        node = Node(folder, raylets[0])
        self.nodes.append(node)
        return node

    def bury(self, node: Node) -> None:
        """Forget a node, with whatever is left of it."""
        self.nodes.remove(node)
        send(signal.SIGKILL, node.everybody())
        shutil.rmtree(node.folder, ignore_errors=True)

    def _ray(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *arguments]
        command += [f"--temp-dir={folder}", f"--object-store-memory={_STORE_BYTES}", "--disable-usage-stats"]
        command += ["--include-log-monitor=false"]
        log = self._folder / "ray.log"
        child = self._household.start(command, log)
        try:
            code = child.wait(_START_S_MAX)
        except subprocess.TimeoutExpired:
            code = -1
        if code != 0:
            raise OutsideError(f"Ray did not start (exit status {code}): see {log}", retryable=True)


def _runs(process: psutil.Process, program: str, folder: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == program and any(f"{folder}/" in word for word in process.cmdline())
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_gone(processes: Sequence[psutil.Process], timeout_s: float) -> bool:
    """Wait until all have ended; False when some have not."""
    end = time.monotonic() + timeout_s
    _, alive = psutil.wait_procs(list(processes), timeout=max(0.0, end - time.monotonic()))
    return not alive
