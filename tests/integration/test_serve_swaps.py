import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ray_desks import poll_until
from tests.serve_words import (
    FEATURES,
    Served,
    add_version,
    champion,
    observations,
    own_processes,
    tiny_arrays,
)
from tg_actors.chaos.swap_load import SwapPlan, prepare, swap_under_load
from tg_actors.client import TripleGainClient
from tg_actors.client.words import PredictRequest
from tg_actors.domain.errors import UserError
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.runtime.clock import wall_ns
from tg_actors.runtime.serve_config import ServeConfig
from tg_actors.runtime.serving import deploy, models_status, status
from tg_actors.runtime.tokens import Scope, TokenFile

pytestmark = pytest.mark.ray


def test_twenty_swaps_a_bad_version_and_a_dead_replica_lose_no_request(served: Served) -> None:
    policies = prepare(served.registry, 22)
    tokens = TokenFile(served.home / "serve" / "tokens.json")
    token = tokens.create("swap-test", (Scope.READ,), wall_ns())
    verdict = swap_under_load(
        served.url, token, served.home / "models", policies, models_status, SwapPlan(20, 5.0, threads=2)
    )
    assert (verdict.failed, verdict.first_failure) == (0, "")
    assert (verdict.unknown_version, verdict.mixed_up, verdict.bad_answers) == (0, 0, 0)
    assert verdict.bad_refused
    assert verdict.swaps == 20
    assert verdict.killed == 1
    assert verdict.recovery_s is not None
    assert verdict.ok


def test_a_gateway_that_dies_costs_its_callers_time_and_no_answer(served: Served) -> None:
    token = TokenFile(served.home / "serve" / "tokens.json").create("caller", (Scope.READ,), wall_ns())
    request = PredictRequest(observed=((0.0,) * FEATURES,))
    answers: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        with TripleGainClient(served.url, token, timeout_s=60, tries=8) as client:
            while not stop.is_set():
                answers.append(client.predict("rl-balanced", request).model)

    with ThreadPoolExecutor(2) as callers:
        asking = [callers.submit(ask) for _ in range(2)]
        try:
            assert poll_until(lambda: len(answers) > 20 or None, 30)
            (gateway,) = own_processes("ray::ServeReplica:triplegain:Gateway")
            gateway.kill()
            before = len(answers)
            assert poll_until(lambda: len(answers) > before + 20 or None, 60)
        finally:
            stop.set()
        for one in asking:
            one.result(60)
    assert set(answers) == {"rl-balanced@1"}


def test_deployments_have_names_that_the_dashboard_shows(served: Served) -> None:
    assert served.url.startswith("http://127.0.0.1:")
    found = status()
    wanted = {"Gateway", "GrpcGateway", "Models", "Policies", "Regimes"}
    assert {row["deployment"] for row in found["deployments"]} == wanted
    assert found["models"]["models"]["rl-balanced"]["champion"] == 1


def test_a_policy_answers_by_handle_and_names_its_version(served: Served) -> None:
    rows = observations()
    answer = served.serving.policies.predict.remote("rl-balanced", rows).result(timeout_s=30)
    assert (answer["model"], answer["version"], answer["role"]) == ("rl-balanced", 1, "champion")
    assert (answer["actions"] == NumpyPolicy(tiny_arrays(1)).act(rows)).all()


def test_a_version_registered_after_the_start_can_be_pinned(served: Served) -> None:
    version = add_version(served.registry, "rl-newcomer", 8)
    champion(served.registry, "rl-newcomer", version)
    answer = served.serving.policies.predict.remote(f"rl-newcomer@{version}", observations()).result(
        timeout_s=30
    )
    assert (answer["version"], answer["role"]) == (version, "pinned")


def test_the_same_serve_does_not_move_to_another_port(served: Served) -> None:
    with pytest.raises(UserError, match=r"Serve already answers on 127\.0\.0\.1"):
        deploy(ServeConfig(port=1), served.home)
