"""Record and replay: the same bytes without a network, and the first difference by its name."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.llm_words import KEY, Bench, at_bench, bad_at, failing, in_turn, models, prompt, replaying, saying
from tg_actors.domain.errors import UserError
from tg_actors.domain.keys import Key
from tg_actors.llm.cassette import CassetteMiss, CassetteMode
from tg_actors.llm.outcome import DecisionOutcome
from tg_actors.llm.prompts import Prompt
from tg_actors.llm.providers.spec import Dialect
from tg_actors.llm.rehearsal.scene import observation
from tg_actors.llm.rehearsal.vendor import Act, Behaviour, error_text
from tg_actors.llm.wires.opening import open_sender

SHOWN = observation()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in this process connect to anything."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", refuse)


def recorded(path: Path, behave: Behaviour, times: int = 1, **changes: Any) -> list[DecisionOutcome]:
    async def work(made: Bench) -> list[DecisionOutcome]:
        decider = made.decider(CassetteMode.RECORD, path)
        return [await decider.decide(SHOWN) for _ in range(times)]

    return at_bench("gpt-4o", behave, work, models(**changes))


def replay(path: Path, times: int = 1, asked: Prompt | None = None) -> list[DecisionOutcome]:
    async def run() -> list[DecisionOutcome]:
        decider = replaying(path, asked=asked)
        return [await decider.decide(SHOWN) for _ in range(times)]

    return asyncio.run(run())


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return tmp_path / "tape.jsonl"


def as_bytes(outcomes: list[DecisionOutcome]) -> list[bytes]:
    return [outcome.model_dump_json().encode() for outcome in outcomes]


TROUBLES: dict[str, Behaviour] = {
    "sound": saying(),
    "repaired": in_turn(saying(bad_at("ETH/USDT")), saying()),
    "retried": in_turn(failing(500), failing(529), saying()),
    "refused": failing(401, error_text(Dialect.CHAT, "invalid_api_key", "no")),
    "nonsense": saying("I would buy."),
    "dropped": in_turn(
        failing(400, json.dumps({"error": {"message": "no", "param": "reasoning_effort"}})), saying()
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_replay_is_byte_identical_without_a_network(
    trouble: str, tape: Path, request: pytest.FixtureRequest
) -> None:
    live = recorded(tape, TROUBLES[trouble], times=2)
    request.getfixturevalue("no_network")
    assert as_bytes(replay(tape, times=2)) == as_bytes(live)
    assert KEY not in tape.read_text()


def test_the_block_of_the_network_blocks(no_network: None, tape: Path) -> None:
    tape.touch()

    async def run() -> None:
        sender = open_sender(models().models["gpt-4o"].row, "http://127.0.0.1:9/v1", Key("openai", KEY, ""))
        try:
            await sender.send(replaying(tape).request(SHOWN))
        finally:
            await sender.close()

    with pytest.RaisesGroup(pytest.RaisesExc(AssertionError, match="network was asked")):
        asyncio.run(run())


def test_a_deadline_is_replayed_too(tape: Path) -> None:
    live = recorded(tape, lambda *_: Act(misdeed="hang"), deadline_s=0.5)
    assert live[0].counts() == {"deadline": 3}
    assert live[0].cost_is_floor
    again = asyncio.run(replaying(tape, deadline_s=0.5).decide(SHOWN))
    assert as_bytes([again]) == as_bytes(live)


def test_a_changed_prompt_fails_and_says_where(tape: Path) -> None:
    recorded(tape, saying())
    parts = {**prompt().parts, "system": prompt().parts["system"].replace("analyst", "Analyst", 1)}
    with pytest.raises(
        CassetteMiss, match=r"body\.messages\.0\.content differs at character 11: 'You are an Anal"
    ):
        replay(tape, asked=prompt().model_copy(update={"parts": parts}))


def test_a_changed_repair_fails_at_the_repair(tape: Path) -> None:
    recorded(tape, TROUBLES["repaired"])
    parts = {**prompt().parts, "repair": prompt().parts["repair"].replace("Answer again", "Try again", 1)}
    with pytest.raises(CassetteMiss, match=r"asks something else: body\.messages\.3\.content differs"):
        replay(tape, asked=prompt().model_copy(update={"parts": parts}))


def test_other_attempts_than_were_recorded_fail(tape: Path) -> None:
    recorded(tape, failing(500), attempts_max=2)
    for attempts_max, said in ((1, "holds 1 more attempts"), (3, "asks once more than the recording")):
        decider = replaying(tape, attempts_max=attempts_max)
        with pytest.raises(CassetteMiss, match=said):
            asyncio.run(decider.decide(SHOWN))


def test_a_replay_that_asks_more_often_fails(tape: Path) -> None:
    recorded(tape, saying())
    with pytest.raises(CassetteMiss, match="holds 1 takes of this question"):
        replay(tape, times=2)


def test_what_is_missing_is_recorded_and_what_is_there_is_not_asked_again(tape: Path) -> None:
    recorded(tape, saying())

    async def work(made: Bench) -> tuple[int, int]:
        decider = made.decider(CassetteMode.REPLAY_OR_RECORD, tape)
        await decider.decide(SHOWN)
        first = len(made.vendor.calls)
        await decider.decide(SHOWN)
        return first, len(made.vendor.calls)

    assert at_bench("gpt-4o", saying(), work) == (0, 1)
    assert len(tape.read_text().splitlines()) == 2


def test_a_recording_that_was_changed_is_refused(tape: Path) -> None:
    recorded(tape, saying())
    tape.write_text(tape.read_text().replace("You are an analyst", "You are an oracle", 1))
    with pytest.raises(UserError, match="line 1 was changed"):
        replay(tape)
