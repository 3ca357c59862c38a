"""The same API behind Ray Serve: reads, stream, prediction and halt through the deployed gateway."""

from collections.abc import Iterator

import pytest
from websockets.sync.client import connect

from tests.api_words import scripted_desk
from tests.desk_words import BTC, Desk
from tests.serve_words import FEATURES, Served
from tg_actors.client.client import TripleGainClient
from tg_actors.client.errors import ApiError
from tg_actors.client.words import CycleNote, PredictRequest
from tg_actors.domain.orders import TradingState
from tg_actors.runtime.tokens import Scope, TokenFile

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def desk(served: Served) -> Iterator[Desk]:
    with scripted_desk(served.home, cycles=5) as running:
        yield running


@pytest.fixture(scope="module")
def token(served: Served) -> str:
    return TokenFile(served.home / "serve" / "tokens.json").create("api", tuple(Scope), 1)


@pytest.fixture
def client(served: Served, token: str) -> Iterator[TripleGainClient]:
    with TripleGainClient(served.url, token) as talking:
        yield talking


def newest(desk: Desk) -> int:
    return desk.reports[-1].decision.cycle


def shown(client: TripleGainClient, cycle: int) -> Iterator[CycleNote]:
    """The stream from a cycle on: the board is a quarter of a second behind the desk."""
    notes = client.stream()
    assert any(note.cycle == cycle for note in notes)
    return notes


def test_the_gateway_shows_the_desk(desk: Desk, client: TripleGainClient) -> None:
    shown(client, newest(desk))
    signal = client.signal(BTC)
    assert signal.cycle == newest(desk)
    assert signal.models["rl-balanced"].startswith("rl-balanced@")
    assert client.portfolio()["run"] == signal.run
    assert {model["name"] for model in client.models()["models"]} >= {"rl-balanced"}


def test_every_cycle_streams_through_the_gateway(
    desk: Desk, client: TripleGainClient, served: Served, token: str
) -> None:
    notes = shown(client, newest(desk))
    address = served.url.replace("http", "ws") + "/v1/stream"
    with connect(address, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        assert CycleNote.model_validate_json(socket.recv(timeout=30)).cycle == newest(desk)
        desk.run(1)
        assert CycleNote.model_validate_json(socket.recv(timeout=30)).cycle == newest(desk)
    assert next(notes).cycle == newest(desk)
    notes.close()  # type: ignore[attr-defined]  # it is a generator


def test_a_prediction_goes_through_the_gateway_to_the_policies(client: TripleGainClient) -> None:
    answer = client.predict("rl-balanced", PredictRequest(observed=((0.5,) * FEATURES,)))
    assert answer.model.startswith("rl-balanced@")
    assert len(answer.actions) == 1
    with pytest.raises(ApiError) as refused:
        client.predict("rl-balanced", PredictRequest(observed=((0.5,),)))
    assert refused.value.status == 422


def test_the_page_comes_from_the_gateway(served: Served) -> None:
    import requests

    answer = requests.get(served.url, timeout=10)
    assert "/web/app.js" in answer.text
    assert (
        requests.get(f"{served.url}/web/app.js", timeout=10)
        .headers["Content-Type"]
        .startswith("text/javascript")
    )


def test_a_halt_goes_through_the_gateway_into_the_journal(desk: Desk, client: TripleGainClient) -> None:
    assert client.halt("by the gateway").trading_state == "HALTED"
    assert desk.journal.trading_state() is TradingState.HALTED
