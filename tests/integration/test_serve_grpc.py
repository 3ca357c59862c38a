"""Predictions over gRPC through the deployed application: the version that answers, a swap, a death."""

from collections.abc import Iterator

import pytest

from tests.ray_desks import poll_until
from tests.serve_words import Served, add_version, champion, observations, own_processes, tiny_arrays
from tg_actors.client.errors import ApiError
from tg_actors.client.predict import PredictClient
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.runtime.serving import models_status, status
from tg_actors.runtime.tokens import Scope, tokens_of

pytestmark = pytest.mark.ray

NAME = "rl-spoken"


@pytest.fixture(scope="module")
def client(served: Served) -> Iterator[PredictClient]:
    token = tokens_of(served.home).create("grpc", (Scope.READ,), 1)
    assert served.serving.grpc is not None
    with PredictClient(served.serving.grpc, token, timeout_s=20, tries=10) as talking:
        yield talking


def test_the_address_is_shown_and_on_the_loopback(served: Served) -> None:
    assert status()["grpc"] == served.serving.grpc
    assert str(served.serving.grpc).startswith("127.0.0.1:")


def test_a_swap_changes_who_answers_and_every_answer_names_who_did(
    served: Served, client: PredictClient
) -> None:
    rows, registry = observations(), served.registry
    actions = {
        add_version(registry, NAME, seed): tuple(
            map(tuple, NumpyPolicy(tiny_arrays(seed)).act(rows).tolist())
        )
        for seed in (21, 22)
    }
    assert actions[1] != actions[2]

    def in_force() -> int | None:
        place = models_status()["models"].get(NAME)
        return None if place is None else place["champion"]

    def answered_by() -> int:
        answer = client.predict(NAME, rows)
        version = int(answer.model.removeprefix(f"{NAME}@"))
        assert answer.actions == actions[version]
        return version

    champion(registry, NAME, 1)
    assert poll_until(in_force, 30) == 1
    assert answered_by() == 1
    champion(registry, NAME, 2)
    assert poll_until(lambda: answered_by() == 2 or None, 30)
    pinned = client.predict(NAME, rows, version=1)
    assert (pinned.model, pinned.role, pinned.actions) == (f"{NAME}@1", "pinned", actions[1])


@pytest.mark.parametrize(
    ("name", "version", "columns", "status_", "code"),
    [
        ("rl-nobody", 0, 16, 404, "unknown_model"),
        ("rl-balanced", 99, 16, 404, "unknown_model"),
        ("no name", 0, 16, 422, "refused"),
        ("rl-balanced", 0, 15, 422, "refused"),
    ],
)
def test_what_a_replica_refuses_has_its_status(
    client: PredictClient, name: str, version: int, columns: int, status_: int, code: str
) -> None:
    with pytest.raises(ApiError) as caught:
        client.predict(name, observations(features=columns), version=version)
    assert (caught.value.status, caught.value.code) == (status_, code)


def test_a_gateway_that_dies_comes_back_to_the_same_port(client: PredictClient) -> None:
    (gateway,) = own_processes("ray::ServeReplica:triplegain:GrpcGateway")
    gateway.kill()
    assert client.predict("rl-balanced", observations(), version=1).model == "rl-balanced@1"
