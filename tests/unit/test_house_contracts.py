"""The import contracts and banned calls of pyproject.toml hold, and each of them can fail."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]

#: For every contract one module that breaks it: where it is planted, and its one import.
PLANTED = {
    "layers": ("tg_actors/indicators/planted.py", "import tg_actors.desk"),
    "serving": ("tg_actors/cli/planted.py", "import serving"),
    "ray": ("tg_actors/risk/planted_ray.py", "import ray"),
    "runtime": ("tg_actors/meta/planted.py", "import tg_actors.runtime"),
    "brain": ("tg_actors/desk/cycle.py", "import tg_actors.runtime"),
    "sql": ("tg_actors/market/planted_sql.py", "import sqlite3"),
    "duckdb": ("tg_actors/portfolio/planted.py", "import duckdb"),
    "talib": ("tg_actors/technical/planted.py", "import talib"),
    "optuna": ("tg_actors/backtest/planted.py", "import optuna"),
    "learning": ("tg_actors/meta/planted_torch.py", "from torch import nn"),
    "vendors": ("tg_actors/execution/planted.py", "import ccxt.pro"),
    "grpc": ("tg_actors/meta/planted_grpc.py", "import grpc"),
    "metrics": ("tg_actors/desk/planted.py", "import prometheus_client"),
    "terminal": ("tg_actors/risk/planted.py", "from rich import print"),
}

#: What a core may not do, one line each; the rule that refuses it.
BANNED = [
    ("import time; time.time_ns()", "TID251"),
    ("import time; time.monotonic()", "TID251"),
    ("import datetime; datetime.datetime.now(datetime.UTC)", "TID251"),
    ("import random", "TID251"),
    ("import secrets", "TID251"),
    ("import socket", "TID251"),
    ("import threading", "TID251"),
    ("import uuid; uuid.uuid4()", "TID251"),
    ("import os; os.environ['HOME']", "TID251"),
    ("import os; os.getenv('HOME')", "TID251"),
    ("import decimal; decimal.Decimal.from_float(0.1)", "TID251"),
    ("import numpy as np; np.random.seed(1)", "TID251"),
    ("import numpy as np; np.random.normal()", "NPY002"),
    ("print('hello')", "T201"),
    ("from .limits import Limits", "TID252"),
]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", str(folder / "pyproject.toml")],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def ruff(code: str, place: str) -> str:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--no-cache",
            "--output-format=concise",
            "--stdin-filename",
            place,
            "-",
        ],
        cwd=ROOT,
        input=code,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not run.stderr, run.stderr
    return run.stdout


def test_every_contract_is_planted_once() -> None:
    assert [contract["id"] for contract in CONTRACTS] == list(PLANTED)


def test_every_contract_breaks_on_its_planted_import(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("tg_actors", "serving"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    for place, line in PLANTED.values():
        with (tmp_path / place).open("a") as module:
            module.write(f"\n{line}\n")

    run = lint_imports(tmp_path)

    assert run.returncode == 1, run.stdout + run.stderr
    kept = [contract["name"] for contract in CONTRACTS if f"{contract['name']} BROKEN" not in run.stdout]
    assert not kept, run.stdout
    unreported = [place for place, _ in PLANTED.values() if _module_name(place) not in run.stdout]
    assert not unreported, run.stdout


def _module_name(place: str) -> str:
    return place.removesuffix(".py").replace("/", ".")


@pytest.mark.parametrize(("code", "rule"), BANNED)
def test_ruff_refuses_in_a_core(code: str, rule: str) -> None:
    assert f" {rule} " in ruff(code + "\n", "tg_actors/risk/planted.py")


def test_ruff_lets_a_shell_read_the_clock() -> None:
    code = "import time; time.time_ns()\n"
    assert " TID251 " not in ruff(code, "tg_actors/risk/actor.py")
    assert " TID251 " not in ruff(code, "tg_actors/runtime/clock.py")
