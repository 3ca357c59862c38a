"""What a family of baselines is: one causal rule, and the grid of its parameters."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from tg_actors.backtest.baselines.studies import Studies
from tg_actors.domain.blocks import F64

Parameter = float | int | str
Parameters = tuple[Parameter, ...]
#: Studies and parameters in, targets ``(n, T)`` out: -1 to 1, NaN leaves a position alone.
Rule = Callable[..., F64]

#: Only up, or up and down.
SIDES = ("long", "both")


@dataclass(frozen=True, slots=True)
class Family:
    """One rule and where it comes from.

    ``holds`` says that a target is meant at the bar on which it stands and nowhere else (rebalancing): it
    is ordered again although it is the same number. ``is_seasonal`` needs bars shorter than a day.
    """

    name: str
    rule: Rule
    grid: tuple[Parameters, ...]
    source: str
    holds: bool = False
    is_seasonal: bool = False


@dataclass(frozen=True, slots=True)
class Baseline:
    """One member of a family. Its name says all: ``sma_cross(20,100,long)``."""

    family: Family
    parameters: Parameters

    @property
    def name(self) -> str:
        """Family and parameters."""
        words = (f"{p:g}" if isinstance(p, float) else str(p) for p in self.parameters)
        return f"{self.family.name}({','.join(words)})"

    def targets(self, studies: Studies) -> F64:
        """Return targets ``(T, n)``, signed fractions of equity; NaN leaves alone."""
        targets: F64 = self.family.rule(studies, *self.parameters)
        return targets.T


def grid(*axes: Iterable[Parameter]) -> tuple[Parameters, ...]:
    """Every combination of the parameters of each axis."""
    return tuple(itertools.product(*axes))


def rising(parameters: Iterable[Parameters], first: int = 0, second: int = 1) -> tuple[Parameters, ...]:
    """Keep combinations whose second number is at least 1.5 times the first: a fast one and a slow one."""
    return tuple(p for p in parameters if float(p[second]) >= _APART * float(p[first]))


_APART = 1.5


def sided(stance: F64, side: str) -> F64:
    """Leave out the short side unless it is asked for."""
    return stance if side == "both" else np.maximum(stance, 0.0)


def switch(score: F64, side: str) -> F64:
    """Long where a score is positive, short where negative, flat before it is known."""
    return sided(np.sign(np.nan_to_num(score)), side)
