"""What a model is shown and may say: schemas, observations, prompts, the catalogue."""

import copy
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from tests.llm_words import ROOT, models, prompt, prompt_text
from tg_actors.agents.llm_limits import shown_limits
from tg_actors.desk.config import load_desk
from tg_actors.desk.files import load
from tg_actors.desk.llm_scene import look
from tg_actors.domain.errors import UserError
from tg_actors.llm.briefing import question_of
from tg_actors.llm.catalogue import ModelsConfig, ModelSpec, resolution, retires_in_days
from tg_actors.llm.contract.observation import Mode
from tg_actors.llm.contract.schema import answer_schema, anthropic_schema, openai_schema
from tg_actors.llm.contract.showing import needs, observe
from tg_actors.llm.judging import series_of
from tg_actors.llm.parser import parse
from tg_actors.llm.prompts import read_prompt
from tg_actors.llm.rehearsal.scene import LIMITS, SYMBOLS, answer, observation
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.timeframes import Timeframe
from tg_actors.risk.limits import RiskLimits

SHOWN = observation()
SCHEMA = answer_schema(Mode.SIGNAL, SYMBOLS, series_of(SHOWN))


def test_anthropics_schema_is_what_its_sdk_would_send() -> None:
    import anthropic

    assert anthropic_schema(SCHEMA) == anthropic.transform_schema(copy.deepcopy(SCHEMA))


def test_openais_schema_is_strict_by_its_sdks_word() -> None:
    from openai.lib._pydantic import _ensure_strict_json_schema

    ours = openai_schema(SCHEMA)
    theirs = copy.deepcopy(ours)
    assert _ensure_strict_json_schema(theirs, path=(), root=theirs) == ours


def test_the_schema_takes_what_the_parser_takes_and_no_other_symbol_or_action() -> None:
    validator = Draft202012Validator(SCHEMA)
    sound = answer(SHOWN)
    assert list(validator.iter_errors(sound)) == []
    assert parse(json.dumps(sound), SHOWN).is_whole
    for key, value in (("symbol", "PEPE/USDT"), ("action", "increase"), ("conviction", 2), ("quantity", 1)):
        bad = copy.deepcopy(sound)
        bad["decisions"][0][key] = value
        assert list(validator.iter_errors(bad)), key


def test_only_a_trader_may_speak_of_positions() -> None:
    actions = {
        mode: answer_schema(mode, SYMBOLS, ["close"])["properties"]["decisions"]["items"]["properties"][
            "action"
        ]
        for mode in Mode
    }
    assert "close" not in actions[Mode.SIGNAL]["enum"]
    assert "close" in actions[Mode.TRADER]["enum"]


def test_an_observation_is_the_same_text_for_the_same_market() -> None:
    feed = SimulatedFeed(24, SYMBOLS, Timeframe.HOUR_1, dict.fromkeys(SYMBOLS, 2.0))
    # Another way to the same cycle: one by one instead of a seek.
    builder = SnapshotBuilder(feed, needs=needs())
    snapshots = [builder.advance(cycle) for cycle in range(590, 601)]
    assert snapshots[-1] is not None
    again = observe(snapshots[-1], venue="simulated", limits=LIMITS)
    assert again.text() == SHOWN.text()
    assert again.digest() == SHOWN.digest()
    assert again.account is None
    assert json.loads(SHOWN.text())["mode"] == "signal"


def test_what_is_not_known_is_null_and_named() -> None:
    feed = SimulatedFeed(24, SYMBOLS, Timeframe.HOUR_1, dict.fromkeys(SYMBOLS, 2.0))
    snapshot = SnapshotBuilder(feed).advance(600)
    assert snapshot is not None
    features = snapshot.features.copy()
    features[0, 0] = np.nan
    ohlcv = snapshot.ohlcv.copy()
    ohlcv[1] = np.nan
    gone = {"features": features, "ohlcv": ohlcv, "close_ns": snapshot.close_ns - 3 * snapshot.bar_ns}
    bare = observe(type(snapshot)(**{**snapshot.__getstate__(), **gone}), venue="x", limits=LIMITS)
    first, second = bare.instruments[SYMBOLS[0]], bare.instruments[SYMBOLS[1]]
    assert first.indicators[snapshot.feature_names[0]] is None
    assert (first.series, first.days, first.book, second.last) == (None, None, None, None)
    assert {"price: 10800 s old", "indicators: 1 warming up", "series: missing", "book: missing"} <= set(
        first.quality
    )
    assert "NaN" not in bare.text()


def test_the_whole_of_a_desk_is_shown_and_a_trader_sees_its_books() -> None:
    desk = load_desk("laptop-paper")
    signal, trader = (look(desk, mode, 0, cycle=600).observation for mode in (Mode.SIGNAL, Mode.TRADER))
    view = signal.instruments["BTC/USDT"]
    assert signal.symbols == desk.instruments
    assert view.series is not None
    assert len(view.series.bars) == 24
    assert view.book is not None
    assert view.book.imbalance is not None
    assert -1 <= view.book.imbalance <= 1
    assert view.facts["funding_rate_frac"] is not None
    assert signal.regime is not None
    assert signal.account is None
    assert trader.account is not None
    assert trader.account.cash["USDT"] == 10_000
    assert trader.account.equity > 10_000
    assert trader.instruments == signal.instruments


def test_limits_are_those_that_risk_enforces() -> None:
    risk = RiskLimits(leverage_max=Decimal("1.5"), position_frac_max=Decimal("0.07"))
    limits = shown_limits(risk)
    assert (limits.leverage_max, limits.position_frac_max) == (1.5, 0.07)


def test_a_prompt_puts_first_what_never_changes() -> None:
    config = models()
    built = question_of(config.models["gpt-4o"], prompt(), SHOWN, (), frozenset())
    assert SHOWN.text() in built.volatile
    assert str(SHOWN.limits.position_frac_max) in built.constants
    assert "BTC/USDT" not in built.system
    assert "additionalProperties" not in built.system
    asked_in_words = question_of(config.models["deepseek-v3"], prompt(), SHOWN, (), frozenset())
    assert "additionalProperties" in asked_in_words.system


@pytest.mark.parametrize("name", ["signal", "trader"])
def test_shipped_prompts_fit_their_mode(name: str) -> None:
    assert prompt(name).header.mode is Mode(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("---\nid", "id", "begins with its header"),
        ("version: 1.0.0", "version: one", "version"),
        ("observation: observation/1", "observation: observation/9", "observation"),
        ("{{observation}}", "{{secrets}}", "cannot name 'secrets'"),
        ("# repair", "# repairs", "has the parts"),
        ("mode: signal", "mode: signal\nmode: trader", "stands twice"),
    ],
)
def test_a_wrong_prompt_says_what_is_wrong(old: str, new: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_prompt(prompt_text().replace(old, new, 1), "x.md")


def test_text_in_a_place_is_never_read_as_a_place() -> None:
    assert prompt().render("question", observation="{{observation}}") == "{{observation}}"


def test_a_name_of_the_roadmap_says_what_it_means_today() -> None:
    config = models()
    said = resolution("gpt-4o", config.models["gpt-4o"])
    assert said == "gpt-4o is asked as gpt-5.6-luna: it stood for gpt-4o, whose last day is 2027-01-14"
    assert resolution("qwen-2.5-7b", config.models["qwen-2.5-7b"]) is None
    ending = config.models["gpt-4o"].model_copy(update={"retires_on": "2026-12-01"})
    assert retires_in_days(ending, "2026-11-21") == 10


def test_a_model_needs_a_known_vendor_and_an_address(tmp_path: Path) -> None:
    for wrong, said in (
        ("provider: nobody", "no provider 'nobody'"),
        ("provider: generic", "needs base_url"),
    ):
        path = tmp_path / "models.yaml"
        path.write_text((ROOT / "configs" / "models.yaml").read_text().replace("provider: openai", wrong))
        with pytest.raises(UserError, match=said):
            load(ModelsConfig, path)
    with pytest.raises(UserError, match="use claude-sonnet-4-5, gpt-4o"):
        models().model("gpt-5")
    with pytest.raises(ValueError, match="below context_tokens"):
        ModelSpec(provider="ollama", id="x", context_tokens=10, answer_tokens_max=10)
