"""The kill switch over HTTP, over a real socket."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.desk_words import ticking_clock
from tg_actors.desk.door import control_door, read_token, token_file
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.runtime.home import RunFolder


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path)


@pytest.fixture
def url(folder: RunFolder) -> Iterator[str]:
    with control_door(folder, 0, ticking_clock()) as address:
        yield address


def ask(
    url: str, token: str | None, *, body: bytes | None = None, host: str | None = None
) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(url, data=body, method="GET" if body is None else "POST")
    if token is not None:
        request.add_header("Authorization", f"Bearer {token}")
    if host is not None:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, json.loads(refusal.read())


def test_a_halt_is_a_row_when_the_answer_comes(url: str, folder: RunFolder) -> None:
    status, said = ask(f"{url}/v1/halt", read_token(folder), body=b'{"reason": "fire drill"}')
    assert (status, said["trading_state"]) == (200, "HALTED")
    with JournalReader.read_only(folder.journal) as journal:
        control = journal.control()
    assert control.state is TradingState.HALTED
    assert control.reason == "fire drill"
    assert control.actor.endswith("(http)")


def test_flatten_leaves_a_request_for_the_desk(url: str, folder: RunFolder) -> None:
    assert ask(f"{url}/v1/flatten", read_token(folder), body=b"")[0] == 200
    with JournalReader.read_only(folder.journal) as journal:
        assert journal.trading_state() is TradingState.REDUCE_ONLY
        assert [request.verb for request in journal.pending_requests()] == ["flatten"]


def test_status_shows_the_switch(url: str, folder: RunFolder) -> None:
    status, said = ask(f"{url}/v1/status", read_token(folder))
    assert (status, said["control"]["state"]) == (200, "ACTIVE")


@pytest.mark.parametrize("path", ["/v1/status", "/v1/halt", "/v1/flatten", "/v1/resume", "/", "/nothing"])
@pytest.mark.parametrize("token", [None, "", "wrong"])
def test_nothing_is_said_or_done_without_the_token(
    url: str, folder: RunFolder, path: str, token: str | None
) -> None:
    body = None if path in {"/v1/status", "/"} else b"{}"
    assert ask(url + path, token, body=body)[0] == 401
    with JournalReader.read_only(folder.journal) as journal:
        assert journal.trading_state() is TradingState.ACTIVE


def test_no_resume_over_http(url: str, folder: RunFolder) -> None:
    status, said = ask(f"{url}/v1/resume", read_token(folder), body=b"{}")
    assert status == 403
    assert "tg resume" in said["error"]


def test_a_page_that_names_itself_our_host_is_turned_away(url: str, folder: RunFolder) -> None:
    assert ask(f"{url}/v1/halt", read_token(folder), body=b"{}", host="evil.example")[0] == 403


@pytest.mark.parametrize("body", [b'{"reason": 1}', b'{"raeson": "x"}', b"not json", b'{"reason": ""}'])
def test_a_body_it_does_not_understand_changes_nothing(url: str, folder: RunFolder, body: bytes) -> None:
    assert ask(f"{url}/v1/halt", read_token(folder), body=body)[0] == 400
    with JournalReader.read_only(folder.journal) as journal:
        assert journal.trading_state() is TradingState.ACTIVE


def test_a_body_beyond_all_measure_is_refused(url: str, folder: RunFolder) -> None:
    assert ask(f"{url}/v1/halt", read_token(folder), body=b"x" * 10_000)[0] == 413


def test_the_token_is_private_and_stays(folder: RunFolder) -> None:
    token = read_token(folder)
    assert read_token(folder) == token
    assert token_file(folder).stat().st_mode & 0o777 == 0o600


def test_a_taken_port_is_a_sentence(url: str, folder: RunFolder) -> None:
    port = int(url.rsplit(":", 1)[1])
    with pytest.raises(UserError, match="--control-port"), control_door(folder, port, ticking_clock()):
        pass
