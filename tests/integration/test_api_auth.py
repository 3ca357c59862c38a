"""Who may do what: every route of the API with no token, a wrong one, and one of each scope."""

from collections.abc import Iterator, Sequence

import pytest
import requests
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.routing import BaseRoute, Route, WebSocketRoute
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from serving.ingress.pages import PAGES
from tests.api_words import Api, running_api
from tg_actors.runtime.tokens import Scope, TokenFile

#: What each route asks for. A route that is not listed here fails the first test.
NEEDS = {
    ("GET", "/v1/signals"): "read",
    ("GET", "/v1/signals/{instrument:path}"): "read",
    ("POST", "/v1/signals:compute"): "read",
    ("GET", "/v1/stream"): "read",
    ("WS", "/v1/stream"): "read",
    ("GET", "/v1/portfolio"): "read",
    ("GET", "/v1/orders"): "read",
    ("GET", "/v1/decisions"): "read",
    ("GET", "/v1/decisions/{cycle}"): "read",
    ("GET", "/v1/agents"): "read",
    ("GET", "/v1/bandit"): "read",
    ("GET", "/v1/leaderboard"): "read",
    ("GET", "/v1/gates"): "read",
    ("GET", "/v1/approvals"): "read",
    ("GET", "/v1/models"): "read",
    ("POST", "/v1/policies/{name}:predict"): "read",
    ("POST", "/v1/models/{name}:promote"): "models",
    ("POST", "/v1/halt"): "trade",
    ("POST", "/v1/flatten"): "trade",
    ("POST", "/v1/resume"): "trade",
    ("POST", "/v1/approvals/{order}/approve"): "trade",
    ("POST", "/v1/approvals/{order}/reject"): "trade",
}
FILLED = {
    "{instrument:path}": "BTC-USDT",
    "{cycle}": "last",
    "{name}": "rl-fixed",
    "{order}": "00000000",
}
PUBLIC = {("GET", path) for path in (*PAGES, "/openapi.json")} | {
    ("HEAD", path) for path in (*PAGES, "/openapi.json")
}
REFUSED = {"no_token", "not_allowed"}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with running_api(tmp_path_factory.mktemp("home"), cycles=3) as running:
        yield running


def routes(api: Api) -> set[tuple[str, str]]:
    return set(_routes(api.app.routes))


def _routes(listed: Sequence[BaseRoute]) -> Iterator[tuple[str, str]]:
    for route in listed:
        if (router := getattr(route, "original_router", None)) is not None:
            yield from _routes(router.routes)
        elif isinstance(route, WebSocketRoute | APIWebSocketRoute):
            yield ("WS", route.path)
        else:
            assert isinstance(route, Route | APIRoute), "a mount would escape the matrix"
            yield from ((method, route.path) for method in route.methods or ())


def asked(api: Api, route: tuple[str, str], token: str | None) -> str:
    """What the guard says of one request: a code of refusal, or "passed"."""
    method, path = route
    for name, value in FILLED.items():
        path = path.replace(name, value)
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    if method == "WS":
        return _asked_socket(api, path, headers)
    answer = requests.request(
        method, api.url + path, headers=headers, data=b"{}", timeout=10, stream=True, allow_redirects=False
    )
    with answer:
        if answer.ok:
            return "passed"
        code = answer.json()["error"]["code"]
        return code if code in REFUSED else "passed"


def _asked_socket(api: Api, path: str, headers: dict[str, str]) -> str:
    try:
        with connect(api.url.replace("http", "ws") + path, additional_headers=headers) as socket:
            socket.recv(timeout=10)
    except InvalidStatus as refused:
        refusals = {403: "not_allowed" if "Authorization" in headers else "no_token"}
        return refusals.get(refused.response.status_code, "broken")
    return "passed"


def test_the_matrix_knows_every_route(api: Api) -> None:
    assert routes(api) == set(NEEDS) | PUBLIC


@pytest.mark.parametrize("route", sorted(NEEDS), ids=" ".join)
def test_a_route_asks_for_its_scope_and_for_nothing_less(api: Api, route: tuple[str, str]) -> None:
    assert asked(api, route, None) == "no_token"
    assert asked(api, route, "tg_" + "x" * 43) in REFUSED
    for scope in Scope:
        wanted = "passed" if scope.value == NEEDS[route] else "not_allowed"
        assert asked(api, route, api.tokens[scope.value]) == wanted, scope


@pytest.mark.parametrize("path", sorted(path for _, path in PUBLIC))
def test_pages_hold_no_data_and_need_no_token(api: Api, path: str) -> None:
    answer = requests.get(api.url + path, timeout=10)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in answer.text


def test_what_is_not_there_asks_for_the_token_as_well(api: Api) -> None:
    assert requests.get(f"{api.url}/v1/nothing", timeout=10).status_code == 401
    known = {"Authorization": f"Bearer {api.tokens['read']}"}
    answer = requests.get(f"{api.url}/v1/nothing", headers=known, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    wrong = requests.delete(f"{api.url}/v1/signals", headers=known, timeout=10)
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_a_name_that_is_not_ours_is_turned_away(api: Api, host: str) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['all']}", "Host": host}
    for path in ("/", "/v1/signals"):
        answer = requests.get(api.url + path, headers=headers, timeout=10)
        assert answer.status_code in {400, 403}
        if answer.status_code == 403:
            assert answer.json()["error"]["code"] == "wrong_host"


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8788", "DESK.example:443"])
def test_our_own_names_are_answered(api: Api, host: str) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['read']}", "Host": host}
    assert requests.get(f"{api.url}/v1/signals", headers=headers, timeout=10).status_code == 200


def test_a_revoked_token_is_worthless_at_once(api: Api) -> None:
    file = TokenFile(api.home / "serve" / "tokens.json")
    token = file.create("brief", (Scope.READ,), 1)
    assert asked(api, ("GET", "/v1/signals"), token) == "passed"
    file.revoke("brief")
    assert asked(api, ("GET", "/v1/signals"), token) == "no_token"
