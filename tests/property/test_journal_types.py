from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url
from sqlalchemy.engine import Dialect

from tg_actors.journal.types import SCALE, ExactDecimal, fit

DIALECTS = tuple(make_url(f"{name}://").get_dialect()() for name in ("sqlite", "postgresql+psycopg"))
COLUMN = ExactDecimal()
#: Twenty digits before the point and more after it than a column holds.
money = st.builds(
    lambda digits, shift: Decimal(digits).scaleb(-shift),
    st.integers(1 - 10**37, 10**37 - 1),
    st.integers(17, 37),
)


def _round_trip(amount: Decimal, dialect: Dialect) -> Decimal | None:
    return COLUMN.process_result_value(COLUMN.process_bind_param(amount, dialect), dialect)


@given(amount=money)
def test_both_databases_give_back_the_same_number_to_18_decimals(amount: Decimal) -> None:
    back, other = (_round_trip(amount, dialect) for dialect in DIALECTS)
    assert back is not None
    assert str(back) == str(other)
    assert abs(back - amount) <= Decimal(5).scaleb(-SCALE - 1)


@given(amount=st.decimals("-1e19", "1e19", places=SCALE))
def test_what_fits_comes_back_exactly(amount: Decimal) -> None:
    assert all(_round_trip(amount, dialect) == amount for dialect in DIALECTS)


@pytest.mark.parametrize(
    "amount",
    ["NaN", "Infinity", "1e20", "-100000000000000000000.5", "99999999999999999999.9999999999999999999"],
)
def test_what_cannot_fit_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        fit(Decimal(amount))


def test_null_stays_null() -> None:
    assert all(_round_trip_null(dialect) is None for dialect in DIALECTS)


def _round_trip_null(dialect: Dialect) -> Decimal | None:
    return COLUMN.process_result_value(COLUMN.process_bind_param(None, dialect), dialect)
