"""The search alone: a pure function of its name and seed, whatever interrupts it."""

from pathlib import Path

import numpy as np

from tg_actors.backtest.tuning_space import Knob
from tg_actors.backtest.tuning_study import STARTUP_TRIALS, Search, Studies

KNOBS = (Knob("x", 0.0, 4.0), Knob("ratio", 0.1, 10.0, is_log=True), Knob("count", 1, 9, is_whole=True))
FIRST = {"x": 0.5, "ratio": 1.0, "count": 2}
TRIALS = STARTUP_TRIALS + 12


def worth(values: dict[str, float]) -> float:
    return -((values["x"] - 3.0) ** 2) - 0.1 * abs(values["count"] - 7)


def advance(search: Search, until: int, batch: int = 1) -> list[dict[str, float]]:
    tried = []
    while search.done < until:
        asked = search.ask(min(batch, until - search.done))
        search.tell([worth(values) for values in asked])
        tried += asked
    return tried


def whole(identity: str = "a", batch: int = 1, seed: int = 5) -> list[dict[str, float]]:
    studies = Studies(None)
    tried = advance(studies.open(identity, KNOBS, FIRST, (seed,)), TRIALS, batch)
    studies.close()
    return tried


def test_the_same_words_and_seed_search_the_same_way() -> None:
    assert whole() == whole()
    assert whole(batch=3) == whole(batch=3)
    assert whole()[1] != whole(seed=6)[1]


def test_the_search_begins_with_what_is_there_and_learns() -> None:
    tried = whole()
    assert tried[0] == FIRST
    scores = [worth(values) for values in tried]
    assert np.mean(scores[STARTUP_TRIALS:]) > np.mean(scores[:STARTUP_TRIALS])


def test_a_search_that_was_stopped_in_the_middle_of_a_trial_goes_on_as_if_it_had_not_been(
    tmp_path: Path,
) -> None:
    file = tmp_path / "trials.sqlite"
    studies = Studies(file)
    search = studies.open("a", KNOBS, FIRST, (5,))
    before = advance(search, STARTUP_TRIALS + 5)
    search.ask(1)  # its process dies before it can tell
    studies.close()
    studies = Studies(file)
    after = advance(studies.open("a", KNOBS, FIRST, (5,)), TRIALS)
    studies.close()
    assert before + after == whole()


def test_another_identity_is_another_search(tmp_path: Path) -> None:
    studies = Studies(tmp_path / "trials.sqlite")
    advance(studies.open("a", KNOBS, FIRST, (5,)), 4)
    assert studies.open("b", KNOBS, FIRST, (5,)).done == 0
    assert studies.open("a", KNOBS, FIRST, (5,)).done == 4
    studies.close()


def test_the_best_is_the_first_of_equals() -> None:
    studies = Studies(None)
    search = studies.open("a", KNOBS, FIRST, (5,))
    first, *_ = search.ask(3)
    search.tell([1.0, 1.0, 0.5])
    assert search.best() == (first, 1.0)
    studies.close()
