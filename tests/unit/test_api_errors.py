"""What each error is as an answer, over HTTP and gRPC alike."""

import pytest

from serving.board import NoDesk
from serving.ingress.errors import Refused, as_refused
from serving.ports import TooLate
from tg_actors.client.predict_wire import CODES
from tg_actors.domain.errors import JournalError, OutsideError, UserError, VenueError
from tg_actors.rl.manifest import NoSuchModel


@pytest.mark.parametrize(
    ("error", "status", "code", "advice"),
    [
        (Refused(409, "key_reused", "used", "take a new key"), 409, "key_reused", "take a new key"),
        (NoDesk("no desk has run"), 503, "no_desk", "start a desk with 'tg run'"),
        (NoSuchModel("rl-x has no version 9: there are 1, 2"), 404, "unknown_model", "there are 1, 2"),
        (UserError("the reason is too long: shorten it"), 422, "refused", "shorten it"),
        (TooLate("Policies did not answer", retryable=True), 504, "too_late", "try again"),
        (OutsideError("Policies is away", retryable=True), 503, "unavailable", "try again"),
        (VenueError("no answer", retryable=False), 503, "unavailable", "ask the desk's owner"),
        (JournalError("the disk is full", retryable=True), 503, "journal_unavailable", "try again"),
        (ZeroDivisionError("a secret"), 500, "internal", "the log of the Gateway"),
    ],
)
def test_the_nearest_class_decides(error: Exception, status: int, code: str, advice: str) -> None:
    refused = as_refused(error)
    assert (refused.status, refused.code) == (status, code)
    assert refused.what_to_do.startswith(advice)
    assert "secret" not in f"{refused} {refused.what_to_do}"


@pytest.mark.parametrize(
    "error", [UserError("u"), NoSuchModel("n"), TooLate("t", retryable=True), KeyError()]
)
def test_grpc_has_a_word_for_it(error: Exception) -> None:
    assert as_refused(error).status in CODES
