"""Every row of the outcome table, over sockets, through the real ccxt and alpaca-py.

The server takes the order first and answers then, so what is not proven must become UNKNOWN.
"""

import json
import re
from collections.abc import Callable, Iterator

import pytest

from tests.raw_venue import Answering, RawVenue, as_json, cut_off, hang_up, reply, reset
from tests.venue_words import ACCEPTED, ORDER_PATHS, VENUES, error_body, intent, permit, remote
from tg_actors.domain.errors import AccountSuspect, VenueError
from tg_actors.execution.venues.outcomes import OUTCOMES, Answer, Fate, Row, Verb, judge
from tg_actors.execution.venues.port import Refused
from tg_actors.execution.venues.remote import RemoteVenue

_DIGIT = {"?": "1", "*": ""}


def _spelled(pattern: str) -> str:
    """An example of a shell pattern."""
    return re.sub(r"[?*]", lambda wild: _DIGIT[wild.group()], pattern)


def _status(row: Row) -> int:
    if row.name == "kraken nonce elsewhere":
        return 500
    if row.status in {"*", ""}:
        return 200 if row.venue == "kraken" else 400
    return int(_spelled(row.status).replace("411", "400"))


WORDED = [row for row in OUTCOMES if row.word not in {"", "ok"} and row.verb in {"*", Verb.PLACE}]
BARE = (400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 502, 503, 504, 520)


@pytest.fixture(scope="module", params=VENUES)
def connected(request: pytest.FixtureRequest) -> Iterator[tuple[str, RemoteVenue, RawVenue]]:
    with remote(request.param, call_s_max=5.0) as (adapter, server):
        yield request.param, adapter, server


@pytest.fixture(scope="module")
def all_connected() -> Iterator[dict[str, tuple[RemoteVenue, RawVenue]]]:
    with remote("kraken") as kraken, remote("binance") as binance, remote("alpaca") as alpaca:
        yield {"kraken": kraken, "binance": binance, "alpaca": alpaca}


def outcome(venue: str, adapter: RemoteVenue, server: RawVenue, script: Answering) -> tuple[Fate, bool]:
    """Send one order, see what the adapter makes of the answer, and that it was sent once."""
    server.script = script
    server.seen.clear()
    try:
        answer = adapter.post(permit(), intent())
    except AccountSuspect:
        found = (Fate.UNKNOWN, True)
    except VenueError:
        found = (Fate.UNKNOWN, False)
    else:
        if isinstance(answer, Refused):
            found = (Fate.REJECTED, answer.suspect)
        else:
            assert answer.venue_order_id
            found = (Fate.OPEN, False)
    assert len(server.orders(ORDER_PATHS[venue])) == 1
    assert [one.method for one in server.seen] == ["POST"]
    return found


@pytest.mark.parametrize("row", WORDED, ids=lambda row: row.name)
def test_each_row_with_the_venues_words(
    row: Row, all_connected: dict[str, tuple[RemoteVenue, RawVenue]]
) -> None:
    adapter, server = all_connected[row.venue]
    word = _spelled(row.word)

    found = outcome(row.venue, adapter, server, reply(_status(row), error_body(row.venue, word)))

    assert found == (row.fate, row.suspect)


@pytest.mark.parametrize(
    "row", [row for row in WORDED if row.fate is Fate.REJECTED], ids=lambda row: row.name
)
def test_a_refusal_under_a_proxys_status_proves_nothing(
    row: Row, all_connected: dict[str, tuple[RemoteVenue, RawVenue]]
) -> None:
    adapter, server = all_connected[row.venue]
    body = error_body(row.venue, _spelled(row.word))
    fate, _ = outcome(row.venue, adapter, server, reply(502, body))
    assert fate is Fate.UNKNOWN


@pytest.mark.parametrize("status", BARE)
@pytest.mark.parametrize("body", ["", "<html>nginx</html>", "{}", "[]", "null"], ids=str)
def test_a_status_alone_is_unknown(
    connected: tuple[str, RemoteVenue, RawVenue], status: int, body: str
) -> None:
    venue, adapter, server = connected
    assert outcome(venue, adapter, server, reply(status, body)) == (Fate.UNKNOWN, status == 401)


_UNLISTED = {
    "kraken": "EOrder:Something new",
    "binance": "-9999 Something new",
    "alpaca": "49999999 Something new",
}
SENSELESS: dict[str, Callable[[RawVenue, str], Answering]] = {
    "html": lambda _s, _v: reply(200, "<html>welcome</html>", "text/html"),
    "empty": lambda _s, _v: reply(200, ""),
    "empty with 204": lambda _s, _v: reply(204, ""),
    "null": lambda _s, _v: reply(200, "null"),
    "null result": lambda _s, _v: reply(200, '{"error":[],"result":null}'),
    "empty object": lambda _s, _v: reply(200, "{}"),
    "list": lambda _s, _v: reply(200, "[]"),
    "a number": lambda _s, _v: reply(200, "7"),
    "half of the order": lambda _s, v: reply(
        200, json.dumps(ACCEPTED[v])[: len(json.dumps(ACCEPTED[v])) // 2]
    ),
    "cut off in the body": lambda _s, v: cut_off(json.dumps(ACCEPTED[v])[:20]),
    "cut off after the body": lambda _s, v: cut_off(json.dumps(ACCEPTED[v])),
    "not UTF-8": lambda _s, _v: reply(200, b"\xff\xfe\x00{"),
    "a key twice": lambda _s, v: reply(200, json.dumps(ACCEPTED[v])[:-1] + ',"txid":1,"txid":2}'),
    "NaN": lambda _s, v: reply(200, json.dumps(ACCEPTED[v])[:-1] + ',"x":NaN}'),
    "deeply nested": lambda _s, _v: reply(200, "[" * 100_000),
    "hang up": lambda _s, _v: hang_up,
    "reset": lambda _s, _v: reset,
    "redirect 302": lambda s, v: reply(302, "", Location=s.url + ORDER_PATHS[v]),
    "redirect 307": lambda s, v: reply(307, "", Location=s.url + ORDER_PATHS[v]),
    "redirect 308": lambda s, v: reply(308, "", Location=s.url + ORDER_PATHS[v]),
    "unlisted words": lambda _s, v: reply(400 if v != "kraken" else 200, error_body(v, _UNLISTED[v])),
    "refusal and success": lambda _s, _v: reply(
        200, '{"error":["EOrder:Insufficient funds"],"code":-2010,"result":{"txid":["O"]},"orderId":1}'
    ),
    "an error beside an order": lambda _s, _v: reply(
        200, '{"error":["EOrder:Insufficient funds"],"result":{"txid":["OAAAAA-BBBBB-CCCCCC"]}}'
    ),
    "words that are no text": lambda _s, _v: reply(200, '{"error":[7],"code":"x","msg":3,"message":[]}'),
}


@pytest.mark.parametrize("how", SENSELESS)
def test_a_senseless_answer_is_unknown(connected: tuple[str, RemoteVenue, RawVenue], how: str) -> None:
    venue, adapter, server = connected
    assert outcome(venue, adapter, server, SENSELESS[how](server, venue)) == (Fate.UNKNOWN, False)


def test_an_order_with_an_id_is_open(connected: tuple[str, RemoteVenue, RawVenue]) -> None:
    venue, adapter, server = connected
    assert outcome(venue, adapter, server, as_json(ACCEPTED[venue])) == (Fate.OPEN, False)


def test_an_order_under_another_client_id_is_unknown(
    connected: tuple[str, RemoteVenue, RawVenue],
) -> None:
    venue, adapter, server = connected
    if venue == "kraken":
        pytest.skip("Kraken's answer does not repeat the client id")
    other = ACCEPTED[venue] | {"clientOrderId": "another", "client_order_id": "another"}
    assert outcome(venue, adapter, server, as_json(other)) == (Fate.UNKNOWN, False)


@pytest.mark.parametrize("how", ["hang", "drip", "drip_body"])
@pytest.mark.parametrize("venue", VENUES)
def test_a_slow_server_holds_nobody(venue: str, how: str) -> None:
    with remote(venue, call_s_max=0.6) as (adapter, server):
        assert outcome(venue, adapter, server, getattr(server, how)) == (Fate.UNKNOWN, False)
        # The line was cut, a new one works.
        assert outcome(venue, adapter, server, as_json(ACCEPTED[venue])) == (Fate.OPEN, False)


def test_of_several_words_the_weakest_decides() -> None:
    funds, busy, nonce = "EOrder:Insufficient funds", "EService:Busy", "EAPI:Invalid nonce"
    kraken = [
        judge("kraken", Verb.PLACE, Answer("200", words))
        for words in ((funds,), (funds, busy), (funds, nonce))
    ]
    assert [one.fate for one in kraken] == [Fate.REJECTED, Fate.UNKNOWN, Fate.REJECTED]
    assert [one.suspect for one in kraken] == [False, False, True]


def test_the_table_has_a_test_for_every_row() -> None:
    tested = {row.name for row in WORDED}
    by_verb = {row.name for row in OUTCOMES if row.verb in {Verb.CANCEL, Verb.LOOK_UP}}
    by_status = {row.name for row in OUTCOMES if not row.word} | {"accepted"}
    assert tested | by_verb | by_status == {row.name for row in OUTCOMES}
    assert len({row.name for row in OUTCOMES}) == len(OUTCOMES)
