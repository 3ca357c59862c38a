from collections import Counter

import pytest
from pydantic import ValidationError

from tg_actors.chaos.faults import FaultKind, FaultMix, draw

MIX = FaultMix(delay=0.2, cut=0.1, late=0.05, delay_s_max=0.5, late_s_max=9.0)


def drawn(seed: int) -> list[FaultKind | None]:
    return [draw(MIX, seed, connection, turn).kind for connection in range(40) for turn in range(50)]


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


def test_every_fault_comes_about_as_often_as_its_share() -> None:
    counts = Counter(drawn(3))
    assert set(counts) == {None, FaultKind.DELAY, FaultKind.CUT, FaultKind.LATE}
    assert counts[FaultKind.DELAY] == pytest.approx(400, abs=80)
    assert counts[FaultKind.CUT] == pytest.approx(200, abs=60)
    assert counts[FaultKind.LATE] == pytest.approx(100, abs=45)


def test_a_slow_fault_takes_no_longer_than_its_longest() -> None:
    faults = [draw(MIX, 4, 1, turn) for turn in range(500)]
    longest = {
        kind: max(f.wait_s for f in faults if f.kind is kind) for kind in (FaultKind.DELAY, FaultKind.LATE)
    }
    assert 0.3 < longest[FaultKind.DELAY] < 0.5
    assert 4 < longest[FaultKind.LATE] < 9
    assert all(f.wait_s == 0 for f in faults if f.kind in {None, FaultKind.CUT})


def test_shares_above_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="more than 1"):
        FaultMix(delay=0.6, cut=0.6)
