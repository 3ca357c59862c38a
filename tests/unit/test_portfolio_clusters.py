"""Trees and clusters against a slow and obvious method."""

from itertools import product

import numpy as np
import pytest

from tests.correlation_words import walks
from tg_actors.domain.blocks import F64
from tg_actors.portfolio.clusters import UNKNOWN, distance, find_clusters, leaves, link
from tg_actors.portfolio.correlation import Threshold, correlate

ABSOLUTE = Threshold(0.6, 0.6)


def obvious(d: F64, *, average: bool) -> list[tuple[frozenset[int], float]]:
    """All groups with the distance at which they came to be, by looking at every pair of groups each time."""
    groups = [frozenset([k]) for k in range(len(d))]
    found = []
    measure = np.mean if average else np.min
    while len(groups) > 1:
        ways = [
            (float(measure([d[i, j] for i, j in product(a, b)])), min(a), min(b), a, b)
            for a in groups
            for b in groups
            if min(a) < min(b)
        ]
        far, _, _, a, b = min(ways, key=lambda way: (round(way[0], 12), way[1], way[2]))
        groups = [g for g in groups if g not in (a, b)] + [a | b]
        found.append((a | b, far))
    return found


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_tree_is_that_of_the_obvious_method(seed: int, average: bool) -> None:
    rng = np.random.default_rng(seed)
    d = rng.random((9, 9))
    d = np.round((d + d.T) / 2, 6)
    np.fill_diagonal(d, 0.0)
    members = {k: frozenset([k]) for k in range(9)}
    found = []
    for step, (left, right, far) in enumerate(link(d, average=average), start=9):
        assert min(members[left]) < min(members[right])
        members[step] = members[left] | members[right]
        found.append((members[step], far))
    want = obvious(d, average=average)
    assert [far for _, far in found] == pytest.approx([far for _, far in want])
    assert [group for group, _ in found] == [group for group, _ in want]


def test_of_equal_distances_the_first_names_are_joined_first() -> None:
    d = 1.0 - np.eye(4)
    assert link(d, average=True) == [(0, 1, 1.0), (4, 2, 1.0), (5, 3, 1.0)]


def test_leaves_keep_groups_together() -> None:
    d = distance(np.array([[1, 0, 0.9, 0], [0, 1, 0, 0.8], [0.9, 0, 1, 0], [0, 0.8, 0, 1]]))
    assert leaves(link(d, average=True)) == [0, 2, 1, 3]
    assert leaves([]) == [0]


def test_two_blocks_are_two_clusters_named_by_their_first_member() -> None:
    closes = walks([[0.9, 0], [0, 0.9], [0.9, 0], [0, 0.9], [0, 0]], seed=2)
    assert find_clusters(correlate(closes, 90).matrix, ABSOLUTE) == (0, 1, 0, 1, 2)
    shuffled = closes[:, [4, 3, 2, 1, 0]]
    assert find_clusters(correlate(shuffled, 90).matrix, ABSOLUTE) == (0, 1, 2, 1, 2)


def test_who_is_not_known_has_no_cluster() -> None:
    closes = walks([[0.9], [0.9], [0.9]], seed=2)
    closes[:-20, 1] = np.nan
    assert find_clusters(correlate(closes, 90).matrix, ABSOLUTE) == (0, UNKNOWN, 0)
    assert find_clusters(np.full((2, 2), np.nan), ABSOLUTE) == (UNKNOWN, UNKNOWN)


def test_a_market_where_everybody_is_equally_close_is_one_cluster() -> None:
    matrix = np.full((30, 30), 0.58)
    np.fill_diagonal(matrix, 1.0)
    assert set(find_clusters(matrix, Threshold(0.5, 0.8))) == {0}
    # Strangers are no cluster, however equal.
    matrix[matrix < 1] = 0.1
    assert find_clusters(matrix, Threshold(0.5, 0.8)) == tuple(range(30))


def test_in_a_crash_everything_is_one_cluster_whatever_the_mean() -> None:
    rng = np.random.default_rng(1)
    matrix = 0.9 + rng.uniform(-0.05, 0.05, (12, 12))
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    assert set(find_clusters(matrix, Threshold(0.5, 0.8))) == {0}
    assert len(set(find_clusters(matrix, Threshold(0.5, 1.0)))) > 1
