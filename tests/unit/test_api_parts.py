"""Parts of the API without a socket: kept answers, the watcher, views, server-sent events, retries."""

import asyncio
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from serving import board as board_module
from serving.app import Gateway
from serving.board import Board, NoDesk
from serving.desks import Desks
from serving.ingress.answers import KEPT_NS, Answers
from serving.ingress.errors import Refused
from serving.ingress.room import Views, open_room
from tests.api_words import RUN, scripted_desk, services_of
from tests.desk_words import BTC
from tg_actors.client.client import TripleGainClient
from tg_actors.client.errors import ApiError
from tg_actors.client.sse import events
from tg_actors.client.words import CycleNote, Signal
from tg_actors.domain.errors import UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.runtime.lock import sole_desk
from tg_actors.runtime.serve_config import ServeConfig


class HandClock:
    def __init__(self) -> None:
        self.now_ns = 10**18

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


class Effects:
    """Counts how often it was done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> tuple[int, str]:
        self.done += 1
        return 200, f'{{"time": {self.done}}}'


def test_an_answer_is_given_again_until_it_is_too_old(tmp_path: Path, clock: HandClock) -> None:
    answers, effects = Answers(tmp_path, clock), Effects()
    first = answers.once("ada", "k", b"body", effects)
    assert answers.once("ada", "k", b"body", effects) == first
    assert Answers(tmp_path, clock).once("ada", "k", b"body", effects) == first
    assert answers.once("bob", "k", b"body", effects).body == '{"time": 2}'
    with pytest.raises(Refused) as refused:
        answers.once("ada", "k", b"other", effects)
    assert refused.value.code == "key_reused"
    clock.now_ns += KEPT_NS
    assert answers.once("ada", "k", b"other", effects).body == '{"time": 3}'


def test_an_effect_that_failed_outside_is_done_again(tmp_path: Path, clock: HandClock) -> None:
    answers, effects = Answers(tmp_path, clock), Effects()

    def fails() -> tuple[int, str]:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        answers.once("ada", "k", b"body", fails)
    assert answers.once("ada", "k", b"body", effects).body == '{"time": 1}'


def test_a_torn_answer_counts_as_none_and_old_ones_are_removed(tmp_path: Path, clock: HandClock) -> None:
    answers, effects = Answers(tmp_path, clock), Effects()
    answers.once("ada", "k", b"body", effects)
    [kept] = tmp_path.glob("*.json")
    kept.write_text('{"request_sha')
    assert answers.once("ada", "k", b"body", effects).body == '{"time": 2}'
    os.utime(kept, ns=(0, 0))
    Answers(tmp_path, clock).once("ada", "another", b"body", effects)
    assert not kept.exists()
    assert len(list(tmp_path.glob("*.json"))) == 1


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1)))
def test_events_are_read_as_they_were_sent(sent: list[list[str]]) -> None:
    lines: list[bytes] = []
    for event in sent:
        lines += [b": alive", b"", b"event: cycle", *(b"data: " + line.encode() for line in event), b""]
    assert list(events(lines)) == ["\n".join(event) for event in sent]
    assert list(events([b"data: torn"])) == []


def look(board: Board) -> bool:
    return board.look()


def test_the_board_follows_the_journal(tmp_path: Path) -> None:
    models: dict[str, str] = {}
    board = Board(Desks(tmp_path).find, lambda: dict(models))
    assert not look(board)
    with pytest.raises(NoDesk, match="no desk has run"):
        _ = board.newest
    with scripted_desk(tmp_path, cycles=2) as desk:
        assert look(board)
        first = board.newest
        assert (first.run, first.cycle) == (RUN, 1)
        assert not look(board)
        desk.run(1)
        assert look(board)
        assert (board.newest.cycle, board.newest.version) == (2, 2)
        desk.journal.set_trading_state(TradingState.HALTED, "x", "ada", 0)
        assert look(board)
        assert Signal.model_validate_json(board.newest.signal(BTC, 10**19) or b"").trading_state == "HALTED"
        desk.journal.set_trading_state(TradingState.ACTIVE, "y", "ada", 0)
        assert look(board)
        assert board.newest.control.state.value == "ACTIVE"
        (tmp_path / "runs" / RUN / "HALT").write_text("by hand")
        assert look(board)
        assert board.newest.control.state.value == "HALTED"
        models["rl-balanced"] = "rl-balanced@2"
        assert look(board)
        said = Signal.model_validate_json(board.newest.signal(BTC, 10**19) or b"")
        assert said.models == {"rl-balanced": "rl-balanced@2"}
        assert CycleNote.model_validate_json(board.newest.note().model_dump_json()).cycle == 2
    board.close()


def test_a_desk_that_has_ended_is_shown_as_ended(tmp_path: Path) -> None:
    board = Board(Desks(tmp_path).find)
    with scripted_desk(tmp_path, cycles=1):
        with sole_desk(tmp_path / "runs" / RUN / "desk.lock"):
            look(board)
            running = board.newest
        assert [look(board) for _ in range(2 * board_module._FIND_EVERY_LOOKS)].count(True) == 1
        ended = board.newest
    for view, is_running in ((running, True), (ended, False)):
        assert view.note().running is is_running
        assert json.loads(view.signals(1))["running"] is is_running
        assert json.loads(view.signal(BTC, 1) or b"")["running"] is is_running
    board.close()


def test_another_journal_under_the_same_name_is_another_journal(tmp_path: Path) -> None:
    board = Board(Desks(tmp_path).find)
    with scripted_desk(tmp_path, cycles=3):
        look(board)
        assert board.newest.cycle == 2
    shutil.rmtree(tmp_path / "runs" / RUN)
    with scripted_desk(tmp_path, cycles=2):
        for _ in range(2 * board_module._FIND_EVERY_LOOKS):
            look(board)
        assert board.newest.cycle == 1
    board.close()


def test_a_journal_of_another_version_leaves_the_watcher_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_version(_: JournalReader, __: int) -> None:
        Signal.model_validate_json(b"{}")

    board = Board(Desks(tmp_path).find)
    with scripted_desk(tmp_path, cycles=1):
        with monkeypatch.context() as patched:
            patched.setattr(JournalReader, "decision", other_version)
            assert not look(board)
            with pytest.raises(NoDesk, match="cycle 0 of scripted cannot be read: another version"):
                _ = board.newest
        assert look(board)
        assert board.newest.cycle == 0
    board.close()


def test_a_gateway_that_nobody_keeps_informed_is_unwell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = [False]  # the second look is a bug
    monkeypatch.setattr(board_module, "LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(Board, "look", lambda _: looks.pop())
    port: Any = None  # nobody is asked
    gateway = Gateway(ServeConfig(), str(tmp_path), port, port, port)
    board = gateway.__serve_build_asgi_app__().state.room.board

    async def play() -> None:
        async with board.watched():
            gateway.check_health()
            with pytest.raises(NoDesk):
                await board.after(0)
            with pytest.raises(RuntimeError, match="no longer watched"):
                gateway.check_health()

    with pytest.raises(IndexError):
        asyncio.run(play())


def test_signals_outlive_a_damaged_record_of_models(tmp_path: Path) -> None:
    room = open_room(services_of(tmp_path), None)
    with scripted_desk(tmp_path, cycles=1):
        look(room.board)
        models = room.board.newest.models
        (tmp_path / "models").mkdir(exist_ok=True)
        (tmp_path / "models" / "record.jsonl").write_text("torn\n")
        look(room.board)
        assert room.board.newest.models == models
    room.board.close()


def test_an_answer_is_written_once_a_cycle_and_only_its_age_changes(tmp_path: Path) -> None:
    board = Board(Desks(tmp_path).find)
    with scripted_desk(tmp_path, cycles=1):
        look(board)
        early, late = (json.loads(board.newest.signals(at)) for at in (0, 10**19))
    assert early["age_ms"] == 0
    assert late.pop("age_ms") > early.pop("age_ms")
    assert early == late
    board.close()


def test_a_desk_that_has_decided_nothing_says_so(tmp_path: Path) -> None:
    board = Board(Desks(tmp_path).find)
    with scripted_desk(tmp_path, cycles=0):
        assert not look(board)
        with pytest.raises(NoDesk, match="has decided nothing yet"):
            _ = board.newest
    board.close()


def test_the_running_desk_comes_first_then_the_latest_never_a_backtest(tmp_path: Path) -> None:
    with scripted_desk(tmp_path, cycles=0, run="old"), scripted_desk(tmp_path, cycles=0, run="new"):
        with scripted_desk(tmp_path, cycles=0, run="tested") as tested:
            identity = tested.journal.identity() or {}
            tested.journal.set_identity({**identity, "kind": "backtest"})
        os.utime(tmp_path / "runs" / "old" / "journal.sqlite", (1, 1))
        desks = Desks(tmp_path)
        assert desks.find().name == "new"
        with sole_desk(tmp_path / "runs" / "old" / "desk.lock"):
            assert desks.find().name == "old"
            with (
                sole_desk(tmp_path / "runs" / "new" / "desk.lock"),
                pytest.raises(UserError, match="several desks are running \\(new, old\\)"),
            ):
                desks.find()
        assert Desks(tmp_path, "old").find().name == "old"
        with pytest.raises(UserError, match="no desk is called 'tested'"):
            Desks(tmp_path, "tested").find()


def test_a_view_is_worked_out_once_for_many_and_again_after_news(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: HandClock
) -> None:
    monkeypatch.setattr("serving.ingress.room.wall_ns", clock)
    worked: list[int] = []

    def build(journal: JournalReader) -> int:
        worked.append(journal.last_seq())
        return len(worked)

    async def play() -> None:
        board = Board(Desks(tmp_path).find)
        with scripted_desk(tmp_path, cycles=1) as desk:
            look(board)
            views = Views(board)
            many = await asyncio.gather(*(views.read("q", build) for _ in range(50)))
            assert set(many) == {b"1"}
            clock.now_ns += 2 * 10**9
            assert await views.read("q", build) == b"1"  # nothing has happened
            desk.run(1)
            assert await views.read("q", build) == b"1"  # not yet
            clock.now_ns += 2 * 10**9
            assert await views.read("q", build) == b"2"
        board.close()

    asyncio.run(play())


def test_the_newest_orders_are_the_last_of_all(tmp_path: Path) -> None:
    with scripted_desk(tmp_path, cycles=12) as desk:
        everything = desk.journal.orders()
        assert len(everything) > 3
        assert desk.journal.newest_orders(3) == everything[-3:]
        assert desk.journal.newest_cycle() == 11
        event = desk.journal.decided(11)
        assert event is not None
        assert (event.type, event.cycle) == ("CycleDecided", 11)
        assert desk.journal.decided(12) is None
        assert desk.journal.last_seq() == [e.seq for e in desk.journal.events()][-1]


def test_an_empty_journal_has_no_newest_cycle(tmp_path: Path, clock: HandClock) -> None:
    with Journal.open(tmp_path / "j.sqlite", clock_ns=clock) as journal:
        assert (journal.newest_cycle(), journal.last_seq(), journal.newest_orders(5)) == (None, 0, [])


class Answering(requests.adapters.BaseAdapter):
    """Answers from a list; what is an exception is raised."""

    def __init__(self, answers: list[tuple[int, str] | Exception]) -> None:
        super().__init__()
        self.answers, self.asked = answers, list[requests.PreparedRequest]()

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # as little as the test asks
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code, response._content = answer[0], answer[1].encode()
        response.headers["Content-Type"] = "application/json" if answer[1].startswith("{") else "text/plain"
        return response

    def close(self) -> None:
        """Nothing is open."""


BUSY = (
    503,
    '{"error": {"code": "unavailable", "message": "the journal is away", "what_to_do": "try again"}}',
)
HALTED = (200, '{"run": "r", "trading_state": "HALTED", "reason": "x", "running": true}')


@pytest.fixture
def answering() -> Iterator[Callable[..., tuple[TripleGainClient, Answering]]]:
    clients: list[TripleGainClient] = []

    def make(*answers: tuple[int, str] | Exception, tries: int = 3) -> tuple[TripleGainClient, Answering]:
        client = TripleGainClient("http://desk", "t", tries=tries, wait_s=0.0)
        adapter = Answering(list(answers))
        client._session.mount("http://", adapter)
        clients.append(client)
        return client, adapter

    yield make
    for client in clients:
        client.close()


def test_a_repeat_carries_the_same_key(answering: Callable[..., tuple[TripleGainClient, Answering]]) -> None:
    client, adapter = answering(BUSY, requests.ConnectionError("reset"), HALTED)
    assert client.halt("x").trading_state == "HALTED"
    keys = {request.headers["Idempotency-Key"] for request in adapter.asked}
    assert len(adapter.asked) == 3
    assert len(keys) == 1


def test_what_stays_wrong_is_told_in_the_servers_words(
    answering: Callable[..., tuple[TripleGainClient, Answering]],
) -> None:
    client, adapter = answering(BUSY, BUSY, tries=2)
    with pytest.raises(ApiError, match="the journal is away") as refused:
        client.portfolio()
    assert (refused.value.code, refused.value.retryable, len(adapter.asked)) == ("unavailable", True, 2)
    client, adapter = answering((422, BUSY[1]))
    with pytest.raises(ApiError):
        client.portfolio()
    assert len(adapter.asked) == 1
    client, adapter = answering((500, BUSY[1]))  # a bug says so in our words, and is not asked again
    with pytest.raises(ApiError, match="the journal is away"):
        client.portfolio()
    assert len(adapter.asked) == 1
    client, adapter = answering((500, "a replica died"), (500, "a replica died"), tries=2)
    with pytest.raises(ApiError, match="HTTP 500"):
        client.portfolio()
    assert len(adapter.asked) == 2
    client, _ = answering((200, '{"other": 1}'))
    with pytest.raises(ApiError, match="another version"):
        client.signals()


def test_an_api_error_crosses_processes() -> None:
    import pickle

    error = ApiError("m", status=503, code="c", what_to_do="w", retryable=True)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (str(copy), copy.status, copy.code, copy.what_to_do, copy.retryable) == ("m", 503, "c", "w", True)
