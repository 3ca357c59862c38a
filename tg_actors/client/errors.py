"""What can go wrong between a caller and a desk's API."""

import functools

from tg_actors.domain.errors import OutsideError


class ApiError(OutsideError):
    """The API refused, or gave no usable answer.

    Attributes:
        status: of HTTP; 0 when no answer came.
        code: the API's word for it, such as ``not_allowed``; ``unreachable`` when no answer came.
        what_to_do: one sentence.
    """

    def __init__(
        self, message: str, *, status: int, code: str, what_to_do: str = "", retryable: bool = False
    ) -> None:
        super().__init__(message, retryable=retryable)
        self.status = status
        self.code = code
        self.what_to_do = what_to_do

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Pickle with the keyword arguments."""
        made = functools.partial(
            type(self),
            status=self.status,
            code=self.code,
            what_to_do=self.what_to_do,
            retryable=self.retryable,
        )
        return (made, (str(self),))
