"""Decimal money: one context that traps floats, and the conversions allowed at the border."""

import decimal
from decimal import Decimal

#: 38 digits fit NUMERIC(38, 18) exactly. FloatOperation turns any mixing of float and Decimal
#: into an exception, so that a float price can never become an order unnoticed.
MONEY = decimal.Context(
    prec=38,
    rounding=decimal.ROUND_HALF_EVEN,
    traps=[
        decimal.InvalidOperation,
        decimal.DivisionByZero,
        decimal.Overflow,
        decimal.FloatOperation,
    ],
)

ZERO = Decimal(0)
ONE = Decimal(1)


def trap_floats() -> None:
    """Make :data:`MONEY` the context of this thread and of every thread started after it."""
    default = decimal.DefaultContext
    default.prec, default.rounding = MONEY.prec, MONEY.rounding
    for signal in MONEY.traps:
        default.traps[signal] = MONEY.traps[signal]
    decimal.setcontext(MONEY.copy())


def from_float(number: float) -> Decimal:
    """Convert a research-side float by its shortest text, the only sanctioned float entrance.

    Raises:
        ValueError: the number is NaN or infinite.
    """
    # float() first: repr of a numpy scalar is "np.float64(…)".
    money = Decimal(repr(float(number)))
    if not money.is_finite():
        raise ValueError(f"money must be finite, got {number}")
    return money


def to_step(amount: Decimal, step: Decimal, rounding: str) -> Decimal:
    """Round ``amount`` to a whole multiple of ``step`` (> 0), keeping the exponent of ``step``."""
    return (amount / step).to_integral_value(rounding=rounding) * step


def money_text(amount: Decimal) -> str:
    """Canonical decimal text: plain notation, no exponent, no trailing zeros, never ``-0``."""
    if amount == 0:
        return "0"
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


trap_floats()
