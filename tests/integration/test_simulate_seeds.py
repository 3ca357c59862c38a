"""The real desk in simulated disasters: no seed breaks an invariant, and every seed can be played again."""

from pathlib import Path

import pytest

from tests.simulation_words import json_of, play, regressions, simulate, told

#: From here on, so that CI does not only repeat what developers look at.
FIRST, COUNT = 1_000, 40
FIGURES = {
    "seeds",
    "seconds",
    "virtual_hours",
    "orders",
    "kills",
    "zombies",
    "faults",
    "duplicates",
    "lost_fills",
    "drift",
    "permits_after_halt",
    "unresolved",
    "violations",
    "trace_hash",
}


def test_no_seed_breaks_an_invariant(tmp_path: Path) -> None:
    outcomes = play(tmp_path, range(FIRST, FIRST + COUNT))
    assert told(outcomes) == []
    # A quiet world would prove nothing.
    for figure in ("orders", "kills", "zombies", "faults"):
        assert sum(getattr(outcome, figure) for outcome in outcomes) > COUNT, figure


def test_seeds_that_once_failed_hold(tmp_path: Path) -> None:
    assert told(play(tmp_path, regressions())) == []


def test_a_seed_is_the_same_in_every_process(tmp_path: Path) -> None:
    here = play(tmp_path, [7])[0].trace_hash
    again = play(tmp_path, [3, 7])[1].trace_hash
    runs = [simulate("--seeds", "4", "--json", hash_seed=seed) for seed in ("1", "2")]
    hashes = {json_of(run)["trace_hash"] for run in runs}
    assert here == again
    assert len(hashes) == 1


@pytest.mark.parametrize("guard", ["fence", "at_most_one_post", "reconciliation", "hard_limits"])
def test_a_guard_that_is_missing_is_missed(guard: str, tmp_path: Path) -> None:
    assert told(play(tmp_path, range(30), guard)), f"nobody noticed that {guard} was gone"


def test_guards_are_back_after_they_were_gone(tmp_path: Path) -> None:
    assert told(play(tmp_path, range(3), "hard_limits"))
    assert told(play(tmp_path, range(3))) == []


def test_the_command_speaks_to_programs() -> None:
    content = json_of(simulate("--seeds", "2", "--json"))
    assert content.keys() >= FIGURES
    assert content["seeds"] == 2
    assert content["violations"] == 0


def test_the_command_tells_what_happened_in_one_seed(tmp_path: Path) -> None:
    trace = tmp_path / "trace.txt"
    run = simulate("--seed", "0", "--without", "fence", "--trace", str(trace), "--json")
    content = json_of(run)
    assert run.returncode == 0
    assert content["guard"] == "fence"
    assert content["broken"], "this seed needs its fence"
    lines = trace.read_text().splitlines()
    assert any("commit OrderPermitted" in line for line in lines)
    assert lines[-1] == content["broken"][-1]


def test_a_found_guard_is_reported_and_an_unknown_one_refused() -> None:
    content = json_of(simulate("--seeds", "30", "--without", "reconciliation", "--json"))
    assert content["guard"] == "reconciliation"
    assert 1 <= content["found_after_seeds"] <= 30
    refused = simulate("--without", "gravity")
    assert refused.returncode == 2
    assert "there is no guard 'gravity'" in refused.stderr
    names = [row["name"] for row in json_of(simulate("--list-guards", "--json"))]
    assert {"fence", "lookup", "expiry_wait"} <= set(names)
