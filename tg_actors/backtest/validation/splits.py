"""Cut a sample into training and test without leaks: walk-forward and combinatorial purged cross-validation.

All of it speaks of *positions* 0 to ``n - 1`` in time. What is learned from position ``i`` is known only
``horizon`` positions later (a label, a trade that is still open), so a training position within ``horizon``
before a test window is **purged**; after a test window ``embargo`` more positions are left out, because what
is measured there depends on the past as well (López de Prado 2018, chapter 7).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


class Split(NamedTuple):
    """Positions to learn from and positions to be judged on, both rising."""

    train: Positions
    test: Positions


@dataclass(frozen=True, slots=True)
class WalkForward:
    """Learn on the past, judge on the next window, go on.

    ``folds`` test windows of equal length fill what is left after the first training window of ``train_min``
    positions (a remainder goes to the last window). ``rolling`` keeps the training window ``train_min`` long;
    else it is anchored at position 0 and grows. Purged positions are dropped from its end.
    """

    folds: int
    train_min: int
    horizon: int = 0
    embargo: int = 0
    rolling: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: no fold, no training window, or a purge that eats it.
        """
        if self.folds < 1 or self.horizon < 0 or self.embargo < 0 or self.train_min <= self.gap:
            raise ValueError(
                f"walk-forward needs a fold and more training than its gap of {self.gap}, got {self}"
            )

    @property
    def gap(self) -> int:
        """Positions left out between training and test: the test is judged from then on."""
        return self.horizon + self.embargo

    def split(self, n: int) -> Iterator[Split]:
        """Yield the folds of ``n`` positions in order of time.

        Raises:
            ValueError: there are too few positions for every fold to have one.
        """
        length = (n - self.train_min) // self.folds
        if length < 1:
            raise ValueError(
                f"{n} positions leave nothing to test in {self.folds} folds after {self.train_min}"
            )
        for fold in range(self.folds):
            begin = self.train_min + fold * length
            end = n if fold == self.folds - 1 else begin + length
            first = begin - self.train_min if self.rolling else 0
            yield Split(np.arange(first, begin - self.gap), np.arange(begin, end))


@dataclass(frozen=True, slots=True)
class CombinatorialPurged:
    """Every choice of ``test_groups`` among ``groups`` pieces of time is a test, the rest trains.

    Every piece is tested in several splits, so that there are many *paths* through the whole sample, each
    judged by models that never saw it (López de Prado 2018, chapter 12).
    """

    groups: int
    test_groups: int = 2
    horizon: int = 0
    embargo: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ValueError: nothing to train on or to test.
        """
        if not 0 < self.test_groups < self.groups or self.horizon < 0 or self.embargo < 0:
            raise ValueError(f"some of the groups must test and some train, got {self}")

    @property
    def splits(self) -> int:
        """How many ways to choose there are."""
        return comb(self.groups, self.test_groups)

    @property
    def paths(self) -> int:
        """How many times every piece is tested."""
        return comb(self.groups - 1, self.test_groups - 1)

    def split(self, n: int) -> Iterator[Split]:
        """Yield every split of ``n`` positions, in lexicographic order of the groups that test.

        Raises:
            ValueError: a group would be empty.
        """
        bounds = self._bounds(n)
        for chosen in self._choices():
            test = np.zeros(n, dtype=bool)
            train = np.ones(n, dtype=bool)
            for group in chosen:
                begin, end = bounds[group], bounds[group + 1]
                test[begin:end] = True
                train[max(0, begin - self.horizon) : end + self.horizon + self.embargo] = False
            yield Split(np.flatnonzero(train), np.flatnonzero(test))

    def path_of(self, n: int) -> list[list[tuple[int, Positions]]]:
        """Say how the splits make paths: per path, in order of time, a split's number and what it tests.

        Path ``p`` takes every piece from the ``p``-th split that tests it.
        """
        bounds = self._bounds(n)
        testing: list[list[int]] = [[] for _ in range(self.groups)]
        for number, chosen in enumerate(self._choices()):
            for group in chosen:
                testing[group].append(number)
        return [
            [
                (testing[group][path], np.arange(bounds[group], bounds[group + 1]))
                for group in range(self.groups)
            ]
            for path in range(self.paths)
        ]

    def _choices(self) -> Iterator[tuple[int, ...]]:
        return combinations(range(self.groups), self.test_groups)

    def _bounds(self, n: int) -> list[int]:
        """Pieces differ by one position at most; the first ones are the longer ones."""
        if n < self.groups:
            raise ValueError(f"{n} positions do not fill {self.groups} groups")
        length, longer = divmod(n, self.groups)
        return [group * length + min(group, longer) for group in range(self.groups + 1)]
