"""Reading vendors' JSON: one strict door, whose only failure is a fault of the vendor."""

import json
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from tg_actors.llm.faults import FaultKind, ProviderError, fault, fault_of

_OK = 200


class VendorAnswer(BaseModel):
    """The part of an answer that is read: strict about that, indifferent to what vendors add."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


M = TypeVar("M", bound=VendorAnswer)


def checked(model: type[M], text: str) -> M:
    """Read a successful answer as its model.

    Raises:
        ProviderError: it carries an error in spite of its status, or is something else.
    """
    content = parsed(text)
    if isinstance(content, dict) and content.get("error"):
        raise ProviderError(fault_of(_OK, {}, text))
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the answer"
        raise ProviderError(fault(FaultKind.MALFORMED, f"{place}: {first['msg']}", status=_OK)) from None


def parsed(text: str) -> Any:
    """Read JSON without its surprises.

    Raises:
        ProviderError: it is not JSON, or holds NaN or infinity.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        said = " ".join(text.split())[:80]
        raise ProviderError(fault(FaultKind.MALFORMED, f"not JSON: {said!r}", status=_OK)) from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
