"""When a decision becomes a fill: the fill rules by name, the same for the kernel and the event path."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from tg_actors.exchange.config import FillRule

__all__ = ["FILL_RULES", "FillRule", "FillTraits", "kernel_lag_bars"]


@dataclass(frozen=True, slots=True)
class FillTraits:
    """What a rule means.

    ``lag_bars`` is how many bars after the decision the fill stands. ``is_optimistic`` marks a rule that
    no venue can offer. ``in_kernel`` says whether bars alone are enough for it.
    """

    lag_bars: int
    is_optimistic: bool
    in_kernel: bool
    meaning: str


FILL_RULES: Mapping[FillRule, FillTraits] = MappingProxyType(
    {
        FillRule.SIGNAL_CLOSE: FillTraits(
            lag_bars=0,
            is_optimistic=True,
            in_kernel=True,
            meaning="fills at the close that the decision was made on: optimistic, nobody can trade there",
        ),
        FillRule.NEXT_OPEN: FillTraits(
            lag_bars=1,
            is_optimistic=False,
            in_kernel=True,
            meaning="fills at the open of the next bar of the instrument",
        ),
        FillRule.BOOK_WALK: FillTraits(
            lag_bars=0,
            is_optimistic=False,
            in_kernel=False,
            meaning="walks the levels of the book that was shown with the close",
        ),
    }
)


def kernel_lag_bars(rule: FillRule) -> int:
    """Return the bars between decision and fill.

    Raises:
        ValueError: the rule needs books, which the kernel does not have.
    """
    traits = FILL_RULES[rule]
    if not traits.in_kernel:
        raise ValueError(f"the kernel has bars only and cannot fill by {rule.value}: use the event path")
    return traits.lag_bars
