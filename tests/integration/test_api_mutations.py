"""Words of people over HTTP: in the journal once, whatever is repeated, by whichever replica."""

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from serving.ingress.api import build_api
from tests.api_words import Api, running_api, scripted_desk, served, services_of
from tests.desk_words import UP, XRP, says
from tests.serve_words import add_version
from tg_actors.client.client import TripleGainClient
from tg_actors.client.errors import ApiError
from tg_actors.client.words import ApprovalWord, Promotion
from tg_actors.domain.approvals import ApprovalState
from tg_actors.domain.orders import TradingState
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.tokens import Scope, tokens_of

CHANGED = "TradingStateChanged"


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with running_api(tmp_path / "home", cycles=3) as running:
        yield running


def halts(api: Api) -> list[dict[str, Any]]:
    return [event.content() for event in api.desk.journal.events({CHANGED})]


def test_a_halt_is_in_the_journal_before_the_answer(api: Api) -> None:
    with api.client("trade") as client:
        answer = client.halt("too wild")
    assert (answer.trading_state, answer.running) == ("HALTED", False)
    assert api.desk.journal.trading_state() is TradingState.HALTED
    assert halts(api) == [{"state": "HALTED", "reason": "too wild", "actor": "trade (http)"}]
    report = api.desk.run(4)[-1]
    assert report.execution.permitted == ()


def test_readers_see_a_halt_that_no_cycle_followed(api: Api) -> None:
    with api.client("all") as client:
        notes = client.stream()
        first = next(notes)
        client.halt("now")
        second = next(notes)
    assert (first.trading_state, second.trading_state) == ("ACTIVE", "HALTED")
    assert first.cycle == second.cycle


def test_a_repeated_key_gets_the_same_answer_and_does_nothing(api: Api) -> None:
    with api.client("trade") as client:
        first = client.halt("once", key="k")
        assert client.halt("once", key="k") == first
        with pytest.raises(ApiError) as refused:
            client.halt("another", key="k")
        assert (refused.value.status, refused.value.code) == (409, "key_reused")
        with pytest.raises(ApiError, match="another request"):
            client.flatten("once", key="k")
    assert len(halts(api)) == 1


def test_that_there_was_no_desk_is_forgotten_when_there_is_one(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    token = tokens_of(home).create("t", (Scope.TRADE,), 1)
    with (
        served(build_api(services_of(home))) as url,
        TripleGainClient(url, token, tries=1) as client,
    ):
        with pytest.raises(ApiError) as refused:
            client.halt("stop", key="k")
        assert (refused.value.status, refused.value.code) == (503, "no_desk")
        with scripted_desk(home, cycles=1) as desk:
            assert client.halt("stop", key="k").trading_state == "HALTED"
            assert desk.journal.trading_state() is TradingState.HALTED


def test_two_owners_may_use_the_same_key(api: Api) -> None:
    with api.client("trade") as one, api.client("all") as other:
        one.halt("mine", key="k")
        other.halt("theirs", key="k")
    assert [said["actor"] for said in halts(api)] == ["trade (http)", "owner (http)"]


def test_a_key_holds_across_replicas_and_restarts(api: Api) -> None:
    with served(build_api(services_of(api.home))) as second:
        ready, answers = threading.Barrier(8), []

        def ask(url: str) -> None:
            ready.wait()
            answer = requests.post(
                f"{url}/v1/halt",
                data=b'{"reason": "together"}',
                headers={"Authorization": f"Bearer {api.tokens['trade']}", "Idempotency-Key": "k"},
                timeout=30,
            )
            answers.append((answer.status_code, answer.text))

        threads = [threading.Thread(target=ask, args=((api.url, second)[k % 2],)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(set(answers)) == 1
    assert answers[0][0] == 200
    assert len(halts(api)) == 1
    with served(build_api(services_of(api.home))) as third:
        api.url = third
        with api.client("trade") as client:
            client.halt("together", key="k")
    assert len(halts(api)) == 1


def test_a_mutation_without_a_key_is_refused(api: Api) -> None:
    for key in (None, "", "with blank", "x" * 129):
        headers = {"Authorization": f"Bearer {api.tokens['trade']}"}
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = requests.post(f"{api.url}/v1/halt", headers=headers, timeout=10)
        assert answer.status_code == 422
        assert "Idempotency-Key" in answer.json()["error"]["message"]
    assert halts(api) == []


def test_flatten_reduces_only_and_asks_the_desk_to_close(api: Api) -> None:
    with api.client("trade") as client:
        assert client.flatten("enough").trading_state == "REDUCE_ONLY"
    [request] = api.desk.journal.pending_requests()
    assert (request.verb, request.actor) == ("flatten", "trade (http)")


def test_nobody_resumes_over_http(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['all']}", "Idempotency-Key": "k"}
    with api.client("trade") as client:
        client.halt("stop")
    answer = requests.post(f"{api.url}/v1/resume", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "at_the_machine_only")
    assert api.desk.journal.trading_state() is TradingState.HALTED


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Api]:
    policy = ApprovalPolicy(above_notional=Decimal(0), ttl_s=3_600)
    changes: dict[str, Any] = {"cycles": 1, "script": says({0: {XRP: UP}}), "executor": {"approval": policy}}
    with running_api(tmp_path / "home", **changes) as running:
        yield running


def test_an_order_is_approved_once_as_it_was_shown(waiting: Api) -> None:
    with waiting.client("all") as client:
        [row] = client.approvals()
        with pytest.raises(ApiError, match="not the one you were shown"):
            client.approve(row.order, ApprovalWord(content_hash="other"))
        said = client.approve(row.order, ApprovalWord(content_hash=row.content_hash), key="a")
        assert (said.state, said.user) == ("granted", "owner (http)")
        assert client.approve(row.order, ApprovalWord(content_hash=row.content_hash), key="a") == said
        with pytest.raises(ApiError, match="granted already"):
            client.approve(row.order, ApprovalWord(content_hash=row.content_hash), key="b")
    [approval] = waiting.desk.journal.approvals()
    assert approval.state is ApprovalState.GRANTED


def test_an_order_is_refused_for_good(waiting: Api) -> None:
    with waiting.client("all") as client:
        [row] = client.approvals()
        client.reject(row.order, ApprovalWord(reason="no"))
        with pytest.raises(ApiError, match="refused already"):
            client.approve(row.order, ApprovalWord())
        assert client.approvals(everything=True)[0].reason == "no"
        with pytest.raises(ApiError, match="no order waits"):
            client.approve("ffffffff", ApprovalWord())


def test_a_promotion_is_recorded_under_the_same_rules_as_at_the_machine(api: Api) -> None:
    registry = ModelRegistry(api.home / "models")
    assert add_version(registry, "rl-fixed", seed=1) == 1
    with api.client("all") as client:
        with pytest.raises(ApiError, match="no out-of-sample evidence"):
            client.promote("rl-fixed", Promotion(version=1))
        with pytest.raises(ApiError, match="no version 9"):
            client.promote("rl-fixed", Promotion(version=9, role="shadow"))
        act = client.promote("rl-fixed", Promotion(version=1, override="a test"), key="p")
        assert client.promote("rl-fixed", Promotion(version=1, override="a test"), key="p") == act
        [listed] = [model for model in client.models()["models"] if model["name"] == "rl-fixed"]
    assert listed["roles"]["champion"] == 1
    [kept] = registry.history("rl-fixed")
    assert kept.actor == "owner (http)"
    assert kept.override is not None
    assert "no out-of-sample evidence" in kept.override
