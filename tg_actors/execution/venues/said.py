"""What a venue says, read strictly: exact numbers, no duplicate keys, no NaN, no guessed types.

Fields that we do not know are passed over, for venues add some every month; what we use must be there
and make sense. Anything else is no answer.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError

from tg_actors.domain.instruments import Side

T = TypeVar("T")


_DIGITS_MAX = 30


class Senseless(ValueError):  # noqa: N818 - says what the answer is
    """The body is not what the venue documents."""


class Said(BaseModel):
    """Base of what is read from a venue's answer."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


def _amount(value: object) -> object:
    """Venues write amounts as text or as number; a float never comes this far."""
    if isinstance(value, str) and value.strip() == value:
        return Decimal(value) if value else value
    return Decimal(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _plausible(amount: Decimal) -> Decimal:
    """Nothing on earth has more digits; an exponent of a billion would stop the process."""
    if amount and not -_DIGITS_MAX <= amount.adjusted() <= _DIGITS_MAX:
        raise ValueError("no amount of anything")
    return amount


#: An exact amount, from text or from a number of the JSON.
Amount = Annotated[Decimal, BeforeValidator(_amount), AfterValidator(_plausible)]


#: A side by its name in small letters.
SaidSide = Annotated[Side, BeforeValidator(lambda value: Side(value) if isinstance(value, str) else value)]


def plain(body: str) -> Any:
    """Decode JSON without its surprises; numbers with a point become ``Decimal``.

    Raises:
        Senseless: not JSON, a key twice, or a number that is none.
    """
    try:
        return json.loads(
            body, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_without_duplicates
        )
    except (ValueError, RecursionError) as error:
        raise Senseless(str(error)) from None


def read(shape: type[T] | TypeAdapter[T], data: Any) -> T:
    """Validate plain data.

    Raises:
        Senseless: something that we use is missing or is not what it should be.
    """
    adapter = shape if isinstance(shape, TypeAdapter) else TypeAdapter(shape)
    try:
        return adapter.validate_python(data)
    except (ValidationError, ArithmeticError) as error:
        raise Senseless(type(error).__name__) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found
