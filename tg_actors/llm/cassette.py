"""Every talk with a vendor as a line of a file, found again by what was asked: record once, replay for free.

A *take* is all that one decision asked and got: retries, failures and the repair as well. It is found by the
SHA-256 of its first request, canonical, without keys or addresses. The k-th time that a session asks the same
question it gets the k-th take: that is how several samples of one question are kept. A replay opens no wire,
needs no key, and fails at the first request that differs from what was recorded, naming the difference.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.llm.exchange import Exchange, Wire
from tg_actors.llm.providers.spec import WireRequest

_AROUND = 24
_NS_PER_MS = 1e6


class CassetteMode(StrEnum):
    """Ask and forget; ask and keep; only what is kept; what is kept, and ask for the rest."""

    LIVE = "live"
    RECORD = "record"
    REPLAY = "replay"
    REPLAY_OR_RECORD = "replay_or_record"


class CassetteMiss(UserError):  # noqa: N818 - a state of a recording, not a mistake of ours
    """A replay asks what was never recorded; the sentence names the first difference."""


class Take(Message):
    """One recorded talk.

    ``key`` is that of ``asked``, the first request before any parameter was dropped; ``dropped`` were left
    out from the start; ``requests`` are all that went out, by their keys; ``context`` says what it was for.
    """

    key: str
    asked: WireRequest
    dropped: tuple[str, ...]
    requests: dict[str, WireRequest]
    exchanges: tuple[Exchange, ...]
    context: dict[str, str]


class Talk(Protocol):
    """One decision's way to a vendor, or to its recording."""

    #: What the vendor is known to refuse.
    dropped: frozenset[str]

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:
        """Make one attempt."""
        ...

    async def wait(self, seconds: float) -> None:
        """Wait before the next one."""
        ...

    def close(self) -> None:
        """Say that the decision is made."""
        ...


class LiveTalk:
    """A talk that nobody keeps."""

    def __init__(self, wire: Wire, dropped: frozenset[str]) -> None:
        self._wire = wire
        self._began_ns = wire.now_ns()
        self.dropped = dropped

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:
        """Make one attempt."""
        exchange = await self._wire.send(request, remaining_s)
        elapsed_ms = (self._wire.now_ns() - self._began_ns) / _NS_PER_MS
        return exchange.model_copy(update={"elapsed_ms": elapsed_ms})

    async def wait(self, seconds: float) -> None:
        """Wait on the event loop."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Nothing is kept."""


class RecordedTalk(LiveTalk):
    """A talk that is kept once it is over."""

    def __init__(
        self,
        wire: Wire,
        dropped: frozenset[str],
        asked: WireRequest,
        context: Mapping[str, str],
        keep: Callable[[Take], None],
    ) -> None:
        super().__init__(wire, dropped)
        self._asked = asked
        self._context = dict(context)
        self._keep = keep
        self._first_dropped = tuple(sorted(dropped))
        self._requests: dict[str, WireRequest] = {}
        self._exchanges: list[Exchange] = []

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:
        """Make one attempt and note it down, whatever comes of it."""
        exchange = await super().send(request, remaining_s)
        self._requests[exchange.key] = request
        self._exchanges.append(exchange)
        return exchange

    def close(self) -> None:
        """Keep the take."""
        self._keep(
            Take(
                key=self._asked.key(),
                asked=self._asked,
                dropped=self._first_dropped,
                requests=self._requests,
                exchanges=tuple(self._exchanges),
                context=self._context,
            )
        )


class ReplayedTalk:
    """A talk from the recording. Nobody waits, nothing is sent."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._next = 0
        self.dropped = frozenset(take.dropped)

    async def send(self, request: WireRequest, remaining_s: float) -> Exchange:  # noqa: ARG002 - a recording has its own time
        """Return the recorded attempt.

        Raises:
            CassetteMiss: another request was recorded here, or none.
        """
        if self._next == len(self._take.exchanges):
            raise CassetteMiss("the replay asks once more than the recording did: was attempts_max changed?")
        exchange = self._take.exchanges[self._next]
        if exchange.key != request.key():
            recorded = self._take.requests[exchange.key]
            raise CassetteMiss(f"the replay asks something else: {first_difference(request, recorded)}")
        self._next += 1
        return exchange

    async def wait(self, seconds: float) -> None:
        """Pass over the wait."""

    def close(self) -> None:
        """Check that all of the recording was heard.

        Raises:
            CassetteMiss: there is more.
        """
        if rest := len(self._take.exchanges) - self._next:
            raise CassetteMiss(f"the recording holds {rest} more attempts than the replay made")


class Cassette:
    """The recording of a session, and its mode."""

    def __init__(self, mode: CassetteMode, path: Path | None = None, wire: Wire | None = None) -> None:
        """Open a cassette.

        Args:
            mode: what to do with what is asked.
            path: the file; ``live`` has none.
            wire: the way to the vendor; ``replay`` has none.

        Raises:
            UserError: the file is missing where it must be there, or damaged.
        """
        self._mode = mode
        self._path = path
        self._wire = wire
        self._takes: dict[str, list[Take]] = {}
        self._asked: dict[str, int] = {}
        if path is not None and mode in {CassetteMode.REPLAY, CassetteMode.REPLAY_OR_RECORD}:
            for take in _read(path, must_exist=mode is CassetteMode.REPLAY):
                self._takes.setdefault(take.key, []).append(take)

    def begin(self, asked: WireRequest, dropped: frozenset[str], context: Mapping[str, str]) -> Talk:
        """Begin the talk of one decision.

        Args:
            asked: its first request with no parameter dropped.
            dropped: what the vendor is known to refuse.
            context: what it is for; kept, never compared.

        Raises:
            CassetteMiss: a replay has no such take.
        """
        key = asked.key()
        number = self._asked.get(key, 0)
        self._asked[key] = number + 1
        takes = self._takes.get(key, [])
        if number < len(takes):
            return ReplayedTalk(takes[number])
        if self._mode is CassetteMode.REPLAY or self._wire is None:
            raise CassetteMiss(self._miss(asked, len(takes)))
        if self._mode is CassetteMode.LIVE:
            return LiveTalk(self._wire, dropped)
        return RecordedTalk(self._wire, dropped, asked, context, self._keep)

    def _keep(self, take: Take) -> None:
        if self._path is None:
            raise ValueError("a recording needs a file")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(take.model_dump_json() + "\n")

    def _miss(self, asked: WireRequest, known: int) -> str:
        if known:
            return f"{self._path} holds {known} takes of this question, and it is asked once more"
        others = [take.asked for takes in self._takes.values() for take in takes]
        if not others:
            return f"{self._path} holds no take at all: record one with --record"
        nearest = min(others, key=lambda other: sum(1 for _ in _differences(asked, other)))
        return f"{self._path} does not hold this question: {first_difference(asked, nearest)}"


def first_difference(asked: WireRequest, recorded: WireRequest) -> str:
    """Name the first field in which two requests differ, and how."""
    return next(_differences(asked, recorded), "they are equal")


def _read(path: Path, *, must_exist: bool) -> Iterator[Take]:
    if not path.is_file():
        if must_exist:
            raise UserError(f"there is no recording {path}: make one with --record")
        return
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            take = Take.model_validate_json(line)
        except ValidationError as error:
            raise UserError(f"{path}: line {number} is no take: {error.errors()[0]['msg']}") from None
        if take.key != take.asked.key():
            raise UserError(f"{path}: line {number} was changed: its question has another key")
        yield take


def _differences(asked: WireRequest, recorded: WireRequest) -> Iterator[str]:
    yield from _between(json.loads(asked.text()), json.loads(recorded.text()), "")


def _between(now: Any, before: Any, place: str) -> Iterator[str]:
    if isinstance(now, dict) and isinstance(before, dict):
        for key in [*before, *(key for key in now if key not in before)]:
            inside = f"{place}.{key}".lstrip(".")
            if key not in now or key not in before:
                yield f"{inside} is {'no longer asked' if key not in now else 'new'}"
            else:
                yield from _between(now[key], before[key], inside)
    elif isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        for k, (one, other) in enumerate(zip(now, before, strict=True)):
            yield from _between(one, other, f"{place}.{k}")
    elif now != before:
        yield f"{place} {_apart(now, before)}"


def _apart(now: Any, before: Any) -> str:
    """How two values differ; of long texts, where."""
    if not isinstance(now, str) or not isinstance(before, str):
        return f"is {json.dumps(now)[:80]}, recorded was {json.dumps(before)[:80]}"
    at = next(
        (k for k, (a, b) in enumerate(zip(now, before, strict=False)) if a != b), min(len(now), len(before))
    )
    around = slice(max(at - _AROUND, 0), at + _AROUND)
    return f"differs at character {at}: {now[around]!r}, recorded was {before[around]!r}"
