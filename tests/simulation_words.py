"""Play seeds of the simulator in tests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tg_actors.simulation.arena import Arena
from tg_actors.simulation.run import Outcome

ROOT = Path(__file__).parents[1]


def play(folder: Path, seeds: Iterable[int], guard: str | None = None) -> list[Outcome]:
    """Play seeds in this process; with a guard switched off only until its absence is noticed."""
    outcomes = []
    for outcome in Arena(folder).play(seeds, guard):
        outcomes.append(outcome)
        if guard is not None and outcome.verdict.violations:
            break
    return outcomes


def told(outcomes: Iterable[Outcome]) -> list[str]:
    """Every broken invariant as a sentence that says how to see it again."""
    return [
        f"tg simulate --seed {outcome.seed}: {violation.invariant} {violation.kind}: {violation.sentence}"
        for outcome in outcomes
        for violation in outcome.verdict.violations
    ]


def regressions() -> list[int]:
    """The seeds that once failed."""
    lines = (ROOT / "tests" / "simulation_regressions.txt").read_text().splitlines()
    return [int(line.split()[0]) for line in lines if line and not line.startswith("#")]


def simulate(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tg_actors.cli.main", "simulate", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def json_of(run: subprocess.CompletedProcess[str]) -> Any:
    """What a command printed for programs."""
    assert run.stdout, run.stderr
    return json.loads(run.stdout)
