from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tests.portfolio_words import fractions
from tg_actors.portfolio.allocation import allocate

totals = st.decimals("-1e6", "1e6", places=8)
weights = st.lists(st.one_of(st.just(Decimal(0)), fractions), min_size=1, max_size=6).filter(any)
steps = st.sampled_from([Decimal(1), Decimal("0.01"), Decimal("1e-6"), Decimal("1e-12")])


@given(total=totals, parts=weights, step=steps)
def test_parts_sum_to_the_whole_and_keep_to_their_proportion(
    total: Decimal, parts: list[Decimal], step: Decimal
) -> None:
    split = allocate(total, parts, step)
    assert sum(split) == total
    whole = Fraction(sum(parts))
    for part, weight in zip(split, parts, strict=True):
        exact = Fraction(total) * Fraction(weight) / whole
        assert abs(Fraction(part) - exact) <= Fraction(step)
        assert weight != 0 or part == 0
    # Everything but one part lies on the grid.
    assert sum(part % step != 0 for part in split) <= 1


@given(parts=weights)
def test_weights_that_fit_are_returned_unchanged(parts: list[Decimal]) -> None:
    assert allocate(sum(parts, Decimal(0)), parts, Decimal("1e-4")) == parts
