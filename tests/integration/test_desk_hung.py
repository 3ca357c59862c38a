"""A process that lives and answers nobody costs the desk its patience, not its life."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import ray

from tg_actors.desk.remote import RemoteActor
from tg_actors.domain.errors import OutsideError
from tg_actors.runtime.actors import look_up, spawn

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray"), pytest.mark.timeout(180)]
NAME = "Stuck"


class Stuck:
    """Hangs for ever in its first lives."""

    def __init__(self, lives: Path, hanging: int) -> None:
        self._hangs = len(list(lives.iterdir())) < hanging
        (lives / str(os.getpid())).touch()

    @ray.method
    def ready(self) -> bool:
        return True

    @ray.method
    def answer(self) -> int:
        if self._hangs:
            threading.Event().wait()
        return os.getpid()


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "lives"
    folder.mkdir()
    yield folder
    if (handle := look_up(NAME)) is not None:
        ray.kill(handle, no_restart=True)


@pytest.mark.parametrize(("hanging", "patience_s"), [(1, 8.0), (99, 3.0)])
def test_a_process_that_answers_nobody_is_ended_and_its_successor_asked(
    lives: Path, hanging: int, patience_s: float
) -> None:
    handle = spawn(Stuck, NAME, lives, hanging)
    assert ray.get(handle.ready.remote(), timeout=60)
    deaths: list[str] = []
    actor = RemoteActor(NAME, handle, deaths.append, patience_s)
    if hanging == 1:
        answered = actor.ask(handle.answer.remote)
        assert str(answered) in {path.name for path in lives.iterdir()}
        assert len(list(lives.iterdir())) == 2
    else:
        with pytest.raises(OutsideError, match="within 3 s"):
            actor.ask(handle.answer.remote)
