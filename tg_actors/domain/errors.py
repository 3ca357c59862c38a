"""Errors in three kinds, never mixed.

Answers (``Denied``, ``Abstained``) are messages, not exceptions. *Outside failures* are
:class:`OutsideError` and say whether a repeat may help. *User errors* are :class:`UserError`: one
clear sentence saying what is wrong, where, and what to do. Everything else is a bug and crashes.
"""

import functools


class UserError(Exception):
    """Something the user can put right; its text is one sentence for the terminal."""


class OutsideError(Exception):
    """The world outside failed: disk, network, venue, another process.

    Attributes:
        retryable: whether the same call may succeed later without anybody's help.
    """

    def __init__(self, message: str, *, retryable: bool) -> None:
        super().__init__(message)
        self.retryable = retryable

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        """Pickle with the keyword argument, so that the error crosses process borders."""
        return (functools.partial(type(self), retryable=self.retryable), (str(self),))


class JournalError(OutsideError):
    """The journal cannot be read or written; nothing may be sent until it can."""


class Fenced(OutsideError):  # noqa: N818 - a state of the writer, not a mistake
    """A newer epoch holds the lease: this writer must stop at once and for good."""


class VenueError(OutsideError):
    """The venue gave no usable answer; what it did is unknown."""


class AccountSuspect(VenueError):  # noqa: N818 - a state of the account, not a mistake
    """The venue refused our key or nonce, or showed another account: the desk must halt."""
