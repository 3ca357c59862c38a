"""No split lets the training know the test."""

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.backtest.validation.splits import CombinatorialPurged, WalkForward

small = st.integers(0, 6)


@given(
    folds=st.integers(1, 8),
    extra=st.integers(1, 30),
    horizon=small,
    embargo=small,
    rolling=st.booleans(),
    n=small,
)
def test_walk_forward_learns_on_the_past_alone(
    folds: int, extra: int, horizon: int, embargo: int, rolling: bool, n: int
) -> None:
    walk = WalkForward(folds, horizon + embargo + extra, horizon, embargo, rolling)
    size = walk.train_min + folds * 3 + n
    splits = list(walk.split(size))
    assert len(splits) == folds
    for train, test in splits:
        assert train[-1] + horizon + embargo < test[0]
        assert len(test) >= 3
        assert len(train) == (extra if rolling else test[0] - walk.gap)
    tested = np.concatenate([test for _, test in splits])
    assert np.array_equal(tested, np.arange(walk.train_min, size))


@given(groups=st.integers(2, 7), horizon=small, embargo=small, n=st.integers(0, 40), data=st.data())
def test_combinatorial_splits_purge_and_embargo(
    groups: int, horizon: int, embargo: int, n: int, data: st.DataObject
) -> None:
    chosen = data.draw(st.integers(1, groups - 1))
    cut = CombinatorialPurged(groups, chosen, horizon, embargo)
    size = groups + n
    splits = list(cut.split(size))
    assert len(splits) == cut.splits == math.comb(groups, chosen)
    for train, test in splits:
        assert not set(train) & set(test)
        tested = set(test)
        for position in train:
            # Its label is known before a test begins, and it lies past the embargo of a test that ended.
            assert not tested & set(range(position, position + horizon + 1))
            assert not tested & set(range(position - horizon - embargo, position + 1))
    everything = np.bincount(np.concatenate([test for _, test in splits]), minlength=size)
    assert (everything == cut.paths).all()


@given(groups=st.integers(2, 7), n=st.integers(0, 40), data=st.data())
def test_every_path_crosses_the_whole_sample_once(groups: int, n: int, data: st.DataObject) -> None:
    chosen = data.draw(st.integers(1, groups - 1))
    cut, size = CombinatorialPurged(groups, chosen), groups + n
    splits = list(cut.split(size))
    used = set()
    paths = cut.path_of(size)
    assert len(paths) == cut.paths
    for path in paths:
        assert np.array_equal(np.concatenate([positions for _, positions in path]), np.arange(size))
        for number, positions in path:
            assert set(positions) <= set(splits[number].test)
            used.add((number, int(positions[0])))
    assert len(used) == cut.splits * chosen


def test_groups_are_chosen_in_lexicographic_order() -> None:
    starts = [tuple(test[::2] // 2) for _, test in CombinatorialPurged(5, 2).split(10)]
    assert starts == list(combinations(range(5), 2))


@pytest.mark.parametrize("wrong", [(0, 10, 0, 0), (2, 10, -1, 0), (2, 3, 2, 1)])
def test_a_walk_without_training_is_refused(wrong: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="walk-forward needs"):
        WalkForward(*wrong)


def test_too_few_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="leave nothing to test"):
        list(WalkForward(3, 10).split(12))
    with pytest.raises(ValueError, match="do not fill 5 groups"):
        list(CombinatorialPurged(5).split(4))
    with pytest.raises(ValueError, match="some of the groups"):
        CombinatorialPurged(3, 3)
