"""Column types that keep money exact on SQLite and PostgreSQL alike."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, Integer, Numeric, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from tg_actors.domain.message import Message
from tg_actors.domain.money import MONEY, money_text
from tg_actors.journal.chain import canonical

SCALE = 18
_QUANTUM = Decimal(1).scaleb(-SCALE)
_MAX = Decimal("9" * (38 - SCALE) + "." + "9" * SCALE)

#: 64 bits everywhere; on SQLite only the exact word INTEGER makes a primary key the row id.
Ordinal = BigInteger().with_variant(Integer(), "sqlite")


def fit(amount: Decimal) -> Decimal:
    """Round half-even to the 18 decimals of a money column; the event keeps every digit.

    Raises:
        ValueError: the amount is not finite or has more than 20 digits before the point.
    """
    if not amount.is_finite() or amount.copy_abs() > _MAX:
        raise ValueError(f"{amount} does not fit a money column of 20 digits before the point")
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -SCALE:
        return amount.quantize(_QUANTUM, rounding=ROUND_HALF_EVEN, context=MONEY)
    return amount


class ExactDecimal(TypeDecorator[Decimal]):
    """Decimal as canonical TEXT on SQLite and as NUMERIC(38, 18) on PostgreSQL.

    SQLite has no decimal type and would store a double. Both databases give back the same
    canonical number, so that a reader cannot tell them apart. TEXT does not sort by value.
    """

    impl = Numeric(38, SCALE)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column of the dialect."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric(38, SCALE))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | Decimal | None:
        """Turn a Decimal into what the driver stores."""
        if value is None:
            return None
        return money_text(fit(value)) if dialect.name == "sqlite" else fit(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002
        """Turn what the driver read into the canonical Decimal."""
        return None if value is None else Decimal(money_text(Decimal(value)))


class CanonicalText(TypeDecorator[Message]):
    """A message as its canonical JSON; it becomes text only when its row is written.

    Read the text with ``model_validate_json`` of the message's type, which the column does not know.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Message | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Turn a message into text."""
        return None if value is None else canonical(value)
