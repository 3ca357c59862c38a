"""The ``tg`` command called in this process, in a home of its own: fixtures, and how a command ended."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tg_actors.cli.main import main


class Answer(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Tg = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("TG_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def tg(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tg:
    del home

    def run(*arguments: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["tg", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        text = capfd.readouterr()
        code = ended.value.code
        return Answer(code if isinstance(code, int) else 0, text.out, text.err)

    return run
