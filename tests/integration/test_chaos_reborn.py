"""What a failing start costs: Ray brings back what died, never an actor whose constructor raised."""

from pathlib import Path

import pytest
import ray

from tests.ray_desks import poll_until
from tg_actors.domain.errors import JournalError
from tg_actors.runtime.actors import DEATHS, Handle, get, kill_for_good, reborn, spawn

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("local_ray"), pytest.mark.timeout(300)]


def fragile(folder: Path, *, retryable: bool) -> Handle:
    """An actor that finds its journal held at its first two starts."""

    class Fragile:
        @reborn(JournalError)
        def __init__(self) -> None:
            starts = len(list(folder.iterdir()))
            (folder / str(starts)).touch()
            if starts < 2:
                raise JournalError("the journal is held", retryable=retryable)

        @ray.method
        def starts(self) -> int:
            return len(list(folder.iterdir()))

    return spawn(Fragile, f"Fragile-{folder.name}")


def test_a_failure_that_passes_costs_starts_not_the_actor(tmp_path: Path) -> None:
    actor = fragile(tmp_path, retryable=True)

    def look() -> int | None:
        try:
            return int(get(actor.starts.remote(), 60))
        except DEATHS:
            return None

    assert poll_until(look, timeout_s=120) == 3
    kill_for_good(actor)


def test_a_failure_that_stays_is_raised_where_a_person_sees_it(tmp_path: Path) -> None:
    actor = fragile(tmp_path, retryable=False)
    with pytest.raises(DEATHS, match="the journal is held"):
        get(actor.starts.remote(), 60)
    assert len(list(tmp_path.iterdir())) == 1
