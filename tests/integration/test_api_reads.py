"""What readers get: the board equals the journal, bodies are read strictly, refusals never show a trace."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from serving.board import Board
from serving.board_view import model_of
from serving.ingress import desk_views
from serving.ingress.guard import BODY_BYTES_MAX
from tests.api_words import Api, running_api, scripted_desk
from tests.desk_words import BTC, SYMBOLS, flipping, simulated
from tests.serve_words import tiny_arrays, tiny_manifest
from tg_actors.agents.kinds import OBSERVER
from tg_actors.client.errors import ApiError
from tg_actors.client.words import Bar, ComputeRequest, PredictRequest
from tg_actors.desk.block import decode
from tg_actors.desk.config import load_agent
from tg_actors.desk.history import explain, opinions_of
from tg_actors.journal.readers import JournalReader
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.registry import ModelRegistry
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalSpec

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    changes = {"cycles": 30, "others": {"momentum": flipping(7)}}
    with running_api(tmp_path_factory.mktemp("home"), **changes) as running:
        yield running


def bars_at(open_ns: int) -> bytes:
    """Two bars, the second of which opens then."""
    prices = {"open": 1.0, "high": 1.0, "low": 1.0, "close": 1.0, "volume": 1.0}
    bars = [{"open_ns": at, **prices} for at in (0, open_ns)]
    return json.dumps({"timeframe": "1h", "bars": {BTC: bars}}).encode()


def post(api: Api, path: str, body: bytes) -> requests.Response:
    headers = {"Authorization": f"Bearer {api.tokens['all']}", "Idempotency-Key": str(hash((path, body)))}
    return requests.post(api.url + path, data=body, headers=headers, timeout=30)


def test_a_signal_is_what_the_journal_says(api: Api) -> None:
    told = explain(api.desk.journal, "last")
    with api.client("read") as client:
        signal = client.signal(BTC)
        assert client.signal("BTC-USDT").cycle == signal.cycle == told["cycle"]
        everything = client.signals()
    assert {one.instrument for one in everything.signals} == set(SYMBOLS)
    assert signal.exposure == next(t["exposure"] for t in told["targets"] if t["symbol"] == BTC)
    for agent in ("trend", "momentum"):
        [said] = [one for one in signal.agents if one.agent == agent]
        [row] = [one for one in opinions_of(api.desk.journal, agent) if one["symbol"] == BTC]
        assert (said.direction, said.confidence, said.weight) == (
            row["direction"],
            row["confidence"],
            row["weight"],
        )
    assert 0 <= signal.age_ms < 600_000


def test_a_thousand_reads_ask_the_journal_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Board, "look", lambda _: False)  # the watcher alone looks, whoever reads
    asked = []
    monkeypatch.setattr(JournalReader, "_reading", lambda _: asked.append("a query"))
    paths = [f"/v1/signals/{symbol.replace('/', '-')}" for symbol in SYMBOLS] + ["/v1/signals"]
    headers = {"Authorization": f"Bearer {api.tokens['read']}"}
    with requests.Session() as session:
        statuses = {
            session.get(api.url + paths[k % len(paths)], headers=headers, timeout=10).status_code
            for k in range(1_000)
        }
    assert statuses == {200}
    assert asked == []


def test_books_and_decisions_are_what_the_journal_says(api: Api) -> None:
    with api.client("read") as client:
        portfolio, orders = client.portfolio(), client.orders(limit=500)
        brief = client.decisions(limit=5)
        told = client.decision("last")
        board = client.leaderboard()
        client.gates()
        assert client.agents()["agents"] == []
        assert client.models()["serving"] == {"in_force": {}}
    assert portfolio["curve"][-1][1] == portfolio["equity"]
    assert len(portfolio["curve"]) == 30
    assert [o["order"] for o in orders] == [o.client_order_id for o in api.desk.journal.orders()][::-1]
    assert [row["cycle"] for row in brief] == [29, 28, 27, 26, 25]
    assert told == json.loads(json.dumps(explain(api.desk.journal, "last")))
    assert {row["agent"] for row in board["agents"]} == {"trend", "momentum"}


def test_a_learned_agent_is_shown_with_the_version_it_asked(tmp_path: Path) -> None:
    status = {"agents": [{"name": "RlActor:rl_balanced"}, {"name": "RiskActor"}]}
    rows = desk_views.agents("x", status, {"rl_balanced": "rl-balanced@3"}, running=True)["agents"]
    assert [row["model"] for row in rows] == ["rl-balanced@3", None]
    with scripted_desk(tmp_path, cycles=1) as desk:
        block = desk.journal.decision(0)
        assert block is not None
        [opinions] = decode(block[1]).opinions
    versioned = replace(opinions, evidence_names=("rl-balanced@3",))
    assert (model_of(opinions), model_of(versioned)) == (None, "rl-balanced@3")


def test_a_long_curve_is_thinned_and_keeps_its_newest_point(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_views, "_CURVE_POINTS", 7)
    curve = desk_views.portfolio("x", api.desk.journal)["curve"]
    assert len(curve) <= 7
    assert curve[-1][0] == api.desk.journal.equity_curve()[-1][0]


def test_an_instrument_that_is_not_traded_is_refused_with_those_that_are(api: Api) -> None:
    with api.client("read") as client, pytest.raises(ApiError, match="'DOGE-USDT'") as refused:
        client.signal("DOGE-USDT")
    assert (refused.value.status, refused.value.code) == (404, "unknown_instrument")
    assert BTC in refused.value.what_to_do


def bars_of(cycles: int) -> tuple[Bar, ...]:
    """What a caller would send of the simulated market: 300 bars before it begins, and some more."""
    rows = simulated((BTC,)).rows(0, -300, cycles + 300)
    return tuple(
        Bar(open_ns=at, open=o, high=h, low=lo, close=c, volume=v)
        for at, (o, h, lo, c, v) in zip(rows.open_ns.tolist(), rows.ohlcv.tolist(), strict=True)
    )


def test_computed_on_callers_bars_equals_the_desks_own_agents(api: Api) -> None:
    feed, cycles = simulated((BTC,)), 400
    bars = bars_of(cycles)
    with api.client("read") as client:
        answer = client.compute(ComputeRequest(timeframe="1h", bars={BTC: bars}, agents=("trend",)))
        every = client.compute(ComputeRequest(timeframe="1h", bars={BTC: bars}))
    [signal] = answer.signals
    [said] = signal.agents
    spec = load_agent("trend")
    assert isinstance(spec, TechnicalSpec)
    agent = TechnicalAgent(spec, 1)
    agent.recall(None)
    builder, opinions = SnapshotBuilder(feed), None
    for cycle in range(cycles - 64, cycles):
        snapshot = builder.advance(cycle)
        assert snapshot is not None
        opinions = agent.opine(snapshot)
    assert opinions is not None
    assert said.evidence == dict(zip(opinions.evidence_names, opinions.evidence[0].round(4), strict=True))
    assert said.direction == pytest.approx(float(opinions.direction[0]), abs=5e-5, nan_ok=True)
    assert answer.at_ns == feed.start_ns + cycles * HOUR_NS
    assert {"trend", "momentum"} < {one.agent for one in every.signals[0].agents}


def test_a_learned_agent_answers_on_callers_bars_and_names_its_version(api: Api) -> None:
    registry = ModelRegistry(api.home / "models")
    columns = (*OBSERVER.names, *ACCOUNT)
    manifest = tiny_manifest("rl-balanced", len(columns)).model_copy(update={"features": columns})
    version = registry.register("rl-balanced", tiny_arrays(3, len(columns)), manifest)
    registry.promote("rl-balanced", version, reason="a test", actor="test", at_ns=1)
    with api.client("read") as client:
        answer = client.compute(
            ComputeRequest(timeframe="1h", bars={BTC: bars_of(400)}, agents=("rl_balanced",))
        )
    [said] = answer.signals[0].agents
    assert said.model == f"rl-balanced@{version}"
    assert said.abstained in {None, "no_conviction"}


def test_a_damaged_version_hides_no_other(api: Api) -> None:
    registry = ModelRegistry(api.home / "models")
    for seed in (1, 2):
        registry.register("rl-torn", tiny_arrays(seed, 2), tiny_manifest("rl-torn", 2))
    (api.home / "models" / "rl-torn" / "1" / "manifest.json").write_text("{")
    with api.client("read") as client:
        listed = {one["name"]: one["versions"] for one in client.models()["models"]}
    torn, whole = listed["rl-torn"]
    assert torn["id"] == "rl-torn@1"
    assert "manifest" in torn["error"]
    assert whole["id"] == "rl-torn@2"
    assert "error" not in whole


def test_bad_bars_are_counted_and_bad_questions_refused(api: Api) -> None:
    bars = [Bar(open_ns=k * HOUR_NS, open=1, high=1, low=1, close=1, volume=1) for k in range(600)]
    bars[300] = bars[300].model_copy(update={"high": 0.5})
    short = tuple(bars[:-1])
    with api.client("read") as client:
        answer = client.compute(ComputeRequest(timeframe="1h", bars={BTC: tuple(bars)}, agents=("trend",)))
        assert answer.signals[0].refused == {"incoherent": 1}
        for wrong in (
            ComputeRequest(timeframe="7h", bars={BTC: short}),
            ComputeRequest(timeframe="1h", bars={BTC: short, "ETH/USDT": tuple(bars)}),
            ComputeRequest(timeframe="1h", bars={BTC: short}, agents=("nobody",)),
            ComputeRequest(timeframe="1h", bars={BTC: short[::-1]}),
        ):
            with pytest.raises(ApiError) as refused:
                client.compute(wrong)
            assert refused.value.status == 422


def test_a_prediction_names_its_version(api: Api) -> None:
    with api.client("read") as client:
        answer = client.predict("rl-fixed@7", PredictRequest(observed=((0.0, 1.0), (1.0, 0.0))))
        assert (answer.model, answer.actions) == ("rl-fixed@7", ((0, 0), (0, 0)))
        with pytest.raises(ApiError, match="no model 'rl-none'") as refused:
            client.predict("rl-none", PredictRequest(observed=((0.0,),)))
        assert (refused.value.status, refused.value.code) == (404, "unknown_model")


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/halt", b'{"reason": "x", "why": 1}', 422, "bad_request"),
        ("/v1/halt", b'{"reason": ""}', 422, "bad_request"),
        ("/v1/halt", b'{"reason": "a", "reason": "b"}', 400, "bad_json"),
        ("/v1/halt", b"[" * 100_000, 400, "bad_json"),
        ("/v1/halt", b"\xff", 400, "bad_json"),
        ("/v1/halt", b"null", 422, "bad_request"),
        ("/v1/policies/rl-fixed:predict", b'{"observed": [[NaN]]}', 400, "bad_json"),
        ("/v1/policies/rl-fixed:predict", b'{"observed": [[1e999]]}', 422, "bad_request"),
        ("/v1/policies/rl-fixed:predict", b'{"observed": [["1"]]}', 422, "bad_request"),
        ("/v1/policies/rl-fixed:predict", b'{"observed": [[1], [1, 2]]}', 422, "bad_request"),
        ("/v1/models/rl-fixed:promote", b'{"version": true}', 422, "bad_request"),
        ("/v1/models/rl-fixed:promote", b'{"version": 1, "share_frac": 2}', 422, "bad_request"),
        ("/v1/models/..%2f..:promote", b'{"version": 1, "role": "shadow"}', 404, "not_found"),
        ("/v1/signals:compute", b'{"timeframe": "1h", "bars": {}}', 422, "bad_request"),
        ("/v1/signals:compute", bars_at(10**30), 422, "bad_request"),
        ("/v1/signals:compute", bars_at(2**63 - 1), 422, "bad_request"),
    ],
)
def test_bodies_are_read_strictly(api: Api, path: str, body: bytes, status: int, code: str) -> None:
    answer = post(api, path, body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert api.desk.journal.trading_state().value == "ACTIVE"


def test_a_body_that_is_too_large_is_refused_however_it_comes(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['all']}"}
    said = requests.post(
        f"{api.url}/v1/signals:compute", data=b" " * (BODY_BYTES_MAX + 1), headers=headers, timeout=30
    )
    assert (said.status_code, said.json()["error"]["code"]) == (413, "too_large")
    pieces = (b" " * 65_536 for _ in range(BODY_BYTES_MAX // 65_536 + 1))
    came = requests.post(f"{api.url}/v1/signals:compute", data=pieces, headers=headers, timeout=30)
    assert (came.status_code, came.json()["error"]["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    "path", ["/v1/orders?limit=0", "/v1/orders?limit=x", "/v1/decisions/nobody", "/v1/decisions/99999"]
)
def test_wrong_questions_get_one_sentence(api: Api, path: str) -> None:
    headers = {"Authorization": f"Bearer {api.tokens['read']}"}
    answer = requests.get(api.url + path, headers=headers, timeout=10)
    problem = answer.json()["error"]
    assert answer.status_code == 422
    assert set(problem) == {"code", "message", "what_to_do"}
    assert all(problem.values())


def test_a_damaged_file_of_tokens_lets_nobody_in_and_says_so(tmp_path: Path) -> None:
    with running_api(tmp_path / "home", cycles=1) as api:
        (tmp_path / "home" / "serve" / "tokens.json").write_text("{")
        with api.client("read", tries=1) as client, pytest.raises(ApiError) as refused:
            client.signals()
        assert (refused.value.status, refused.value.code) == (503, "no_tokens")
        assert "tg serve tokens list" in refused.value.what_to_do


def test_a_bug_is_an_answer_without_a_trace(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("the secret of /home")

    monkeypatch.setattr(desk_views, "bandit", broken)
    headers = {"Authorization": f"Bearer {api.tokens['read']}"}
    answer = requests.get(f"{api.url}/v1/bandit", headers=headers, timeout=10)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
