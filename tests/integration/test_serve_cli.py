"""``tg serve`` as a person starts it: a process with a Ray of its own, ended by another command."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli_words import Tg
from tests.serve_words import add_version, champion
from tg_actors.domain.errors import UserError
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.serving import Deployed, check_alone, check_free, find, forget, recall, remember

pytestmark = pytest.mark.ray

_TG = (sys.executable, "-m", "tg_actors.cli.main")


def test_deploy_status_and_shutdown(tmp_path: Path) -> None:
    home = tmp_path / "home"
    registry = ModelRegistry(home / "models")
    champion(registry, "rl-balanced", add_version(registry, "rl-balanced", 1))
    with _deployed(home) as (url, deploying):
        assert url.startswith("http://127.0.0.1:")
        found = _answer(home, "serve", "status", "--json")
        assert found["url"] == url
        assert found["application"] == "RUNNING"
        # gRPC is off until a port for it is written down.
        assert found["grpc"] is None
        assert "GrpcGateway" not in {row["deployment"] for row in found["deployments"]}
        assert found["models"]["models"]["rl-balanced"]["champion"] == 1
        assert len(found["models"]["replicas"]) == 2
        _answer(home, "serve", "shutdown", "--json")
        assert deploying.wait(60) == 0


def test_nothing_deployed_is_one_sentence(tg: Tg) -> None:
    for verb in ("status", "shutdown"):
        answer = tg("serve", verb)
        assert answer.code == 2
        assert "'tg serve deploy' does it" in answer.err


def test_a_deployment_that_has_ended_is_one_sentence_at_once(tg: Tg, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        for verb in ("status", "shutdown"):
            answer = tg("serve", verb, "--address", f"127.0.0.1:{port}")
            assert answer.code == 2
            assert "nobody answers there" in answer.err
        remember(tmp_path, Deployed(address=f"127.0.0.1:{port}", url=f"http://127.0.0.1:{port}", pid=1))
        check_alone(tmp_path, None)  # nothing stands in the way of another one
        with pytest.raises(UserError, match="has ended: 'tg serve deploy' starts it again"):
            find(tmp_path)


def test_a_second_deployment_of_a_home_is_refused_and_forgets_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        address = f"127.0.0.1:{there.getsockname()[1]}"
        first = Deployed(address=address, url=f"http://{address}", pid=1)
        remember(tmp_path, first)
        with pytest.raises(UserError, match="end that with 'tg serve shutdown' first"):
            check_alone(tmp_path, None)
        check_alone(tmp_path, address)  # the same cluster: it is deployed anew
        forget(tmp_path, "http://127.0.0.1:1")
        assert recall(tmp_path) == find(tmp_path) == first


def test_a_port_at_which_somebody_listens_is_refused() -> None:
    with socket.socket() as there:
        there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # as Serve's proxy does
        there.bind(("127.0.0.1", 0))
        there.listen()
        with pytest.raises(UserError, match="take another port"):
            check_free("127.0.0.1", there.getsockname()[1])


def test_a_misspelt_key_is_refused_before_ray_starts(tg: Tg, tmp_path: Path) -> None:
    file = tmp_path / "serve.yaml"
    file.write_text("policies:\n  replica: 3\n")
    answer = tg("serve", "deploy", "--config", file)
    assert answer.code == 2
    assert "unknown key 'policies.replica': did you mean 'replicas'?" in answer.err


@contextmanager
def _deployed(home: Path) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """Deploy in a process of its own, which ends with the block whatever happens."""
    words = ("serve", "deploy", "--port", "0", "--no-dashboard", "--json")
    deploying = subprocess.Popen((*_TG, *words), env=_env(home), stdout=subprocess.PIPE, text=True)
    try:
        assert deploying.stdout is not None
        line = deploying.stdout.readline()
        assert line, f"it ended with {deploying.wait(60)}"
        yield json.loads(line)["url"], deploying
    finally:
        if deploying.poll() is None:
            deploying.terminate()
        deploying.communicate(timeout=60)


def _answer(home: Path, *words: str) -> Any:
    done = subprocess.run(
        (*_TG, *words), check=False, env=_env(home), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _env(home: Path) -> dict[str, str]:
    return {**os.environ, "TG_HOME": str(home)}
