"""Hierarchical clusters of correlated names. Pure, deterministic: ties go to the first name."""

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.portfolio.correlation import Threshold

#: The label of a name whose correlations are not known: it may belong to any cluster.
UNKNOWN = -1

#: One step of a tree: the two nodes that are joined, at which distance. Leaves are 0..n-1, the k-th step
#: makes node n + k; the node that holds the smaller leaf stands first.
Merge = tuple[int, int, float]
_DIGITS = 9
#: Means of equal distances differ in the last places: they are at the threshold, not beyond it.
_TIE = 1e-9


def distance(matrix: F64) -> F64:
    """Return ``sqrt((1 - rho) / 2)``, a metric: 0 together, 0.71 strangers, 1 opposites."""
    square: F64 = np.maximum((1.0 - matrix) / 2.0, 0.0)
    apart: F64 = np.sqrt(square)
    return np.round(apart, _DIGITS)


def link(distances: F64, *, average: bool) -> list[Merge]:
    """Join the nearest two again and again; ``n - 1`` merges.

    Args:
        distances: ``(n, n)``, symmetric, finite.
        average: distance of two groups is the mean of their pairs (UPGMA); else of the nearest pair.
    """
    n = len(distances)
    between = distances + np.diag(np.full(n, np.inf))
    node, size = list(range(n)), np.ones(n)
    merges: list[Merge] = []
    for step in range(n - 1):
        # Row-major argmin: of equals the pair of the smallest leaves.
        i, j = divmod(int(between.argmin()), n)
        merges.append((node[i], node[j], float(between[i, j])))
        if average:
            row = (size[i] * between[i] + size[j] * between[j]) / (size[i] + size[j])
        else:
            row = np.minimum(between[i], between[j])
        row[[i, j]] = np.inf
        between[i], between[:, i] = row, row
        between[j], between[:, j] = np.inf, np.inf
        size[i] += size[j]
        node[i] = n + step
    return merges


def leaves(merges: list[Merge]) -> list[int]:
    """Return the leaves in the order of the tree, near ones beside each other (quasi-diagonal)."""
    groups: dict[int, list[int]] = {k: [k] for k in range(len(merges) + 1)}
    for step, (left, right, _) in enumerate(merges, start=len(merges) + 1):
        groups[step] = groups.pop(left) + groups.pop(right)
    return next(iter(groups.values()))


def find_clusters(matrix: F64, threshold: Threshold) -> tuple[int, ...]:
    """Label every name with its cluster; names that correlate with nobody stand alone.

    Clusters are groups whose mean distance lies within that of the threshold. They are numbered by their
    first member, so that 0 is the cluster of the first known name. ``UNKNOWN`` where the matrix is NaN.

    Args:
        matrix: ``(n, n)``, NaN rows and columns of unknown names.
        threshold: from which correlation on two names belong together.
    """
    labels = [UNKNOWN] * len(matrix)
    known = np.flatnonzero(np.isfinite(matrix.diagonal())).tolist()
    if not known:
        return tuple(labels)
    inside = matrix[np.ix_(known, known)]
    height = float(distance(np.array(threshold.of(matrix))))
    groups = {k: [k] for k in range(len(known))}
    for step, (left, right, far) in enumerate(link(distance(inside), average=True), start=len(known)):
        # Mean distances never shrink from step to step: from the first that is too far on, all are.
        if far > height + _TIE:
            break
        groups[step] = groups.pop(left) + groups.pop(right)
    for label, members in enumerate(sorted(groups.values(), key=min)):
        for member in members:
            labels[known[member]] = label
    return tuple(labels)
