import fcntl
import os
from pathlib import Path

import pytest

from tg_actors.domain.errors import UserError
from tg_actors.runtime.home import existing_run, home, run_folder, runs_folder
from tg_actors.runtime.lock import holder, sole_desk


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TG_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def _start(name: str) -> None:
    run_folder(name).journal.touch()


def test_the_home_is_private(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    assert home() == folder
    assert {path.stat().st_mode & 0o777 for path in (folder, runs_folder(), run_folder("a").path)} == {0o700}


def test_a_home_that_is_a_file_is_refused(folder: Path) -> None:
    folder.write_text("")
    with pytest.raises(UserError, match="TG_HOME"):
        home()


def test_the_latest_run_is_found_without_its_name(folder: Path) -> None:
    with pytest.raises(UserError, match="no desk has run yet"):
        existing_run(None)
    for name in ("b", "a"):
        _start(name)
    assert existing_run(None).name == "a"
    assert existing_run("b").name == "b"
    with pytest.raises(UserError, match=r"'c'.*a, b"):
        existing_run("c")
    (folder / "latest").unlink()
    assert existing_run(None).name in {"a", "b"}


def test_a_status_is_replaced_whole_and_read_back(folder: Path) -> None:
    run = run_folder("a")
    assert run.read_status() == {}
    run.write_status({"cycle": 1})
    run.write_status({"cycle": 2})
    assert run.read_status() == {"cycle": 2}
    assert sorted(path.name for path in run.path.iterdir()) == ["status.json"]
    run.status.write_text("{half")
    assert run.read_status() == {}


def test_a_forgotten_journal_leaves_nothing_of_sqlite_behind(folder: Path) -> None:
    run = run_folder("a")
    for suffix in ("", "-wal", "-shm"):
        run.path.joinpath(f"journal.sqlite{suffix}").touch()
    run.status.touch()
    run.forget_journal()
    assert [path.name for path in run.path.iterdir()] == ["status.json"]


def test_one_desk_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "desk.lock"
    assert holder(lock) is None
    with sole_desk(lock):
        assert holder(lock) == os.getpid()
        with pytest.raises(UserError, match=str(os.getpid())), sole_desk(lock):
            pytest.fail("two desks hold one lock")
        assert holder(lock) == os.getpid(), "a refused desk takes nothing away"
    assert holder(lock) is None
    with sole_desk(lock):
        assert lock.stat().st_mode & 0o777 == 0o600


def test_a_desk_waits_for_somebody_who_only_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "desk.lock"
    lock.touch()
    looking = os.open(lock, os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    monkeypatch.setattr("tg_actors.runtime.lock.time.sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
    with sole_desk(lock):
        assert holder(lock) == os.getpid()
    os.close(looking)
