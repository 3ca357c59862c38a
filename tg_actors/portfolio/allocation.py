"""Exact splitting of amounts: the parts always sum to the whole, to the last decimal."""

import decimal
from collections.abc import Sequence
from decimal import Decimal

from tg_actors.domain.money import ZERO, to_step


def allocate(total: Decimal, weights: Sequence[Decimal], step: Decimal) -> list[Decimal]:
    """Split ``total`` (any sign) in proportion to ``weights``.

    Parts are multiples of ``step``, save one when ``total`` itself is none. A part never lies more
    than one step from its exact proportion, and a weight of zero gets nothing.

    Args:
        total: the amount to split.
        weights: not negative, at least one positive.
        step: resolution of the parts, > 0.
    """
    whole = sum(weights, ZERO)
    return round_to_total([total * weight / whole for weight in weights], total, step)


def round_to_total(exact: Sequence[Decimal], total: Decimal, step: Decimal) -> list[Decimal]:
    """Round amounts to ``step`` so that they sum to ``total`` (largest remainder, Hamilton's method).

    ``total`` must be the sum of ``exact``, rounded to ``step`` or not at all. Ties go to the first.
    """
    parts = [to_step(amount, step, decimal.ROUND_FLOOR) for amount in exact]
    rest = total - sum(parts, ZERO)
    by_remainder = sorted(range(len(exact)), key=lambda i: parts[i] - exact[i])
    for i in by_remainder:
        if rest <= ZERO:
            break
        parts[i] += min(step, rest)
        rest -= min(step, rest)
    return parts
