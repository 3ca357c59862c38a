"""Predictions over gRPC on a real socket: who may ask, what is refused and how, and the client."""

import socket
from collections.abc import Iterator

import grpc
import numpy as np
import psutil
import pytest

from serving import rpc as rpc_module
from serving.ingress.predict import PredictRoom
from serving.ports import TooLate
from tests.rpc_words import Rpc, running_rpc, started
from tg_actors.client.errors import ApiError
from tg_actors.client.predict import PredictClient
from tg_actors.client.predict_wire import REFUSAL_KEY, Question, parse_answer, question_bytes
from tg_actors.client.words import Refusal
from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.rl.manifest import NoSuchModel
from tg_actors.runtime.tokens import Scope

ROWS = np.arange(6, dtype=np.float32).reshape(2, 3)
GOOD = question_bytes(Question("rl-fixed", ROWS))
MIB = 2**20


@pytest.fixture(scope="module")
def rpc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rpc]:
    with running_rpc(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture
def client(rpc: Rpc) -> Iterator[PredictClient]:
    with PredictClient(rpc.address, rpc.tokens["read"], wait_s=0.01) as talking:
        yield talking


def refused(rpc: Rpc, body: bytes, *metadata: tuple[str, str]) -> tuple[str, str]:
    """Status and our own code of a question that is turned away."""
    with pytest.raises(grpc.RpcError) as caught:
        rpc.send(body, metadata)
    failure = caught.value
    problem = Refusal.model_validate_json(dict(failure.trailing_metadata())[REFUSAL_KEY]).error
    assert failure.details() == problem.message
    assert problem.what_to_do
    return failure.code().name, problem.code


def bearer(token: str) -> tuple[str, str]:
    return ("authorization", f"Bearer {token}")


def test_a_policy_answers_and_its_version_is_named(rpc: Rpc, client: PredictClient) -> None:
    answer = client.predict("rl-fixed", ROWS, request_id="me")
    assert (answer.model, answer.role, answer.actions) == ("rl-fixed@3", "champion", ((1, 4), (1, 4)))
    model, observed, request_id = rpc.policies.asked[-1]
    assert (model, request_id) == ("rl-fixed", "me")
    assert (observed == ROWS).all()
    assert client.predict("rl-fixed", ROWS, version=7).model == "rl-fixed@7"


def test_it_listens_on_the_loopback_alone(rpc: Rpc) -> None:
    port = int(rpc.address.rpartition(":")[2])
    listening = [
        one.laddr.ip.removeprefix("::ffff:")
        for one in psutil.Process().net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port
    ]
    assert listening == ["127.0.0.1"]


@pytest.mark.parametrize(
    "metadata",
    [(), (bearer(""),), (bearer("tg_" + "x" * 43),), (("authorization", "Basic Zm9v"),), (("token", "x"),)],
)
def test_without_a_good_token_nobody_is_answered(rpc: Rpc, metadata: tuple[tuple[str, str], ...]) -> None:
    assert refused(rpc, GOOD, *metadata) == ("UNAUTHENTICATED", "no_token")


@pytest.mark.parametrize("scope", [scope.value for scope in Scope if scope is not Scope.READ])
def test_no_other_scope_includes_reading(rpc: Rpc, scope: str) -> None:
    assert refused(rpc, GOOD, bearer(rpc.tokens[scope])) == ("PERMISSION_DENIED", "not_allowed")


def test_the_first_of_two_tokens_counts_as_over_http(rpc: Rpc) -> None:
    two = (bearer("tg_wrong"), bearer(rpc.tokens["read"]))
    assert refused(rpc, GOOD, *two) == ("UNAUTHENTICATED", "no_token")


def test_a_revoked_token_is_worthless_at_once(rpc: Rpc) -> None:
    token = rpc.file.create("brief", (Scope.READ,), 1)
    assert parse_answer(rpc.send(GOOD, (bearer(token),))).model == "rl-fixed@3"
    rpc.file.revoke("brief")
    assert refused(rpc, GOOD, bearer(token)) == ("UNAUTHENTICATED", "no_token")


def test_the_token_is_looked_at_before_the_question(rpc: Rpc) -> None:
    before = len(rpc.policies.asked)
    assert refused(rpc, b"\xff") == ("UNAUTHENTICATED", "no_token")
    assert refused(rpc, b"\xff", bearer(rpc.tokens["read"])) == ("INVALID_ARGUMENT", "bad_protobuf")
    assert len(rpc.policies.asked) == before


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        (Question("m" * 65, ROWS), "model"),
        (Question("m", ROWS, request_id="x" * 129), "request_id"),
        (Question("m", np.zeros((1, 513), dtype=np.float32)), "columns: more than 512"),
        (Question("m", np.zeros((4097, 1), dtype=np.float32)), "more than 4096 rows"),
    ],
)
def test_what_is_too_large_is_no_question(rpc: Rpc, question: Question, sentence: str) -> None:
    with pytest.raises(grpc.RpcError, match=sentence) as caught:
        rpc.ask(question_bytes(question))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("squeezed", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_body_beyond_eight_mib_is_not_taken_in(rpc: Rpc, squeezed: grpc.Compression) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        rpc.ask(bytes(9 * MIB), compression=squeezed)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NoSuchModel("rl-fixed has no version 9: there are 1, 2"), "NOT_FOUND", "unknown_model"),
        (UserError("rl-fixed@3 takes 16 columns"), "INVALID_ARGUMENT", "refused"),
        (TooLate("Policies did not answer in time", retryable=True), "DEADLINE_EXCEEDED", "too_late"),
        (OutsideError("Policies is away", retryable=True), "UNAVAILABLE", "unavailable"),
        (ZeroDivisionError("a secret"), "INTERNAL", "internal"),
        (UserError("\N{GRINNING FACE}" * 5000), "INVALID_ARGUMENT", "refused"),
    ],
)
def test_every_failure_has_its_status(rpc: Rpc, error: Exception, status: str, code: str) -> None:
    rpc.policies.errors[:] = [error]
    assert refused(rpc, GOOD, bearer(rpc.tokens["read"])) == (status, code)


def test_a_bug_does_not_tell_what_happened(rpc: Rpc) -> None:
    rpc.policies.errors[:] = [ZeroDivisionError("a secret")]
    with pytest.raises(grpc.RpcError) as caught:
        rpc.ask(GOOD)
    assert "secret" not in f"{caught.value.details()} {caught.value.trailing_metadata()}"


def test_a_port_that_is_taken_is_one_sentence(rpc: Rpc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "_BIND_TRIES", 2)
    room = PredictRoom(rpc.policies, rpc.file)
    with (
        pytest.raises(OutsideError, match="somebody else does: put another grpc_port"),
        started(room, int(rpc.address.rpartition(":")[2])),
    ):
        pass


def test_the_client_asks_again_where_it_may_help(rpc: Rpc, client: PredictClient) -> None:
    rpc.policies.errors[:] = [OutsideError("Policies is away", retryable=True)] * 2
    assert client.predict("rl-fixed", ROWS).model == "rl-fixed@3"
    rpc.policies.errors[:] = [NoSuchModel("no version of 'rl-none' is in force")] * 2
    with pytest.raises(ApiError, match="no version of 'rl-none'") as caught:
        client.predict("rl-none", ROWS)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (404, "unknown_model", False)
    assert len(rpc.policies.errors) == 1
    rpc.policies.errors.clear()


def test_a_client_that_nobody_answers_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            PredictClient(address, "tg_x", timeout_s=5, tries=2, wait_s=0.01) as client,
            pytest.raises(ApiError, match=f"{address} gave no answer") as caught,
        ):
            client.predict("rl-fixed", ROWS)
    assert (caught.value.status, caught.value.code, caught.value.retryable) == (0, "unreachable", True)
