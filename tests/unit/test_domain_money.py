import decimal
import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.domain.money import MONEY, ONE, ZERO, from_float, money_text, to_step, trap_floats


def test_the_context_is_exact_to_38_digits_and_rounds_half_even() -> None:
    assert (MONEY.prec, MONEY.rounding) == (38, decimal.ROUND_HALF_EVEN)
    assert decimal.getcontext().prec == 38
    assert (Decimal(0), Decimal(1)) == (ZERO, ONE)


@pytest.mark.parametrize(
    ("signal", "act"),
    [
        (decimal.FloatOperation, lambda: Decimal(1) < 0.5),
        (decimal.FloatOperation, lambda: Decimal(0.1)),  # noqa: RUF032 - the trap itself
        (decimal.InvalidOperation, lambda: Decimal("NaN") < ONE),
        (decimal.DivisionByZero, lambda: ONE / ZERO),
        (decimal.Overflow, lambda: Decimal("1e999999") * 10),
    ],
)
def test_what_is_no_money_raises(signal: type[Exception], act: object) -> None:
    with pytest.raises(signal):
        act()  # type: ignore[operator]  # a lambda


def test_threads_and_copied_contexts_trap_floats_too() -> None:
    caught: list[str] = []

    def compare() -> None:
        try:
            caught.append(str(Decimal(1) < 2.0))
        except decimal.FloatOperation:
            caught.append(f"trapped at {decimal.getcontext().prec} {decimal.getcontext().rounding}")

    decimal.setcontext(decimal.Context(prec=5, traps=[]))
    trap_floats()
    assert decimal.getcontext().prec == 38
    thread = threading.Thread(target=compare)
    thread.start()
    thread.join()
    assert caught == ["trapped at 38 ROUND_HALF_EVEN"]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_float_that_is_no_number_never_enters(number: float) -> None:
    with pytest.raises(ValueError, match=f"money must be finite, got {number}"):
        from_float(number)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_enters_by_its_shortest_text(number: float) -> None:
    money = from_float(number)
    assert float(money) == number
    assert str(money) == str(Decimal(repr(number)))


def test_a_numpy_scalar_enters_like_a_float() -> None:
    import numpy as np

    assert from_float(np.float64(0.1)) == Decimal("0.1")


@pytest.mark.parametrize(
    ("amount", "step", "rounding", "expected"),
    [
        ("1.29", "0.1", decimal.ROUND_FLOOR, "1.2"),
        ("1.21", "0.1", decimal.ROUND_CEILING, "1.3"),
        ("7", "5", decimal.ROUND_FLOOR, "5"),
        ("0.30", "0.10", decimal.ROUND_FLOOR, "0.30"),
    ],
)
def test_an_amount_becomes_whole_steps(amount: str, step: str, rounding: str, expected: str) -> None:
    assert str(to_step(Decimal(amount), Decimal(step), rounding)) == expected


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("-0.00", "0"),
        ("1E+3", "1000"),
        ("100", "100"),
        ("1.500", "1.5"),
        ("2.000", "2"),
        ("-0.10", "-0.1"),
        ("1E-20", "0.00000000000000000001"),
    ],
)
def test_the_text_of_an_amount_is_plain(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=12))
def test_the_text_of_an_amount_is_the_amount(amount: Decimal) -> None:
    text = money_text(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not ("." in text and text[-1] in "0.")
