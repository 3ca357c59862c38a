"""The parser of answers: what is meant is read, what is doubtful is refused, one by one, with its reason."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tg_actors.llm import judging
from tg_actors.llm.contract.answer import Comparison, Invalidation, SymbolDecision
from tg_actors.llm.contract.observation import AccountView, Mode, Observation, PositionView
from tg_actors.llm.parser import Provenance, parse
from tg_actors.llm.rehearsal import fuzz as fuzzing
from tg_actors.llm.rehearsal.corpus import BAD, DRESSES, bad_corpus, corpus, sound
from tg_actors.llm.rehearsal.fuzz import fuzz, invalid_in
from tg_actors.llm.rehearsal.scene import answer, decision, observation

SHOWN = observation()
BTC, ETH, XRP = SHOWN.symbols
#: Dresses in which strict JSON is all there is.
CLEAN = {
    "clean",
    "compact",
    "line_breaks_in_texts",
    "loud_actions",
    "spaced_actions",
    "no_null_keys",
    "null_lists",
    "abstain_in_a_word",
    "no_version",
    "long_reasoning",
    "other_order",
    "unicode",
}


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(5))


def spoilt(at: str, **change: Any) -> str:
    content = answer(SHOWN)
    for item in content["decisions"]:
        if item["symbol"] == at:
            item.update(change)
    return json.dumps(content)


def provenances(text: str) -> list[Provenance]:
    return [one.provenance for one in parse(text, SHOWN).outcomes]


@pytest.mark.parametrize("dress", DRESSES)
def test_every_dress_is_read_as_it_was_meant(dress: str) -> None:
    content = sound(SHOWN, rng())
    parsed = parse(DRESSES[dress](content), SHOWN)

    meant = {item["symbol"]: item["action"] for item in content["decisions"]}
    assert {one.symbol: one.decision.action.value for one in parsed.outcomes if one.decision} == meant
    assert parsed.is_whole
    assert bool(parsed.mends) is (dress not in CLEAN)


@pytest.mark.parametrize("text", list(bad_corpus(SHOWN)), ids=lambda text: text.form)
def test_a_bad_answer_opens_nothing_and_says_why(text: Any) -> None:
    outcomes = parse(text.text, SHOWN).outcomes

    assert [one.symbol for one in outcomes] == list(SHOWN.symbols)
    assert Provenance.DECIDED not in {one.provenance for one in outcomes}
    assert outcomes[0].decision is None
    assert outcomes[0].why


def test_bad_answers_fail_for_their_own_reason() -> None:
    whys = {text.form: parse(text.text, SHOWN).outcomes[0] for text in bad_corpus(SHOWN)}
    assert set(whys) == set(BAD)
    assert "wrong side" in whys["stop_on_the_wrong_side"].why
    assert "2 decisions" in whys["symbol_twice"].why
    assert "true already" in whys["wrong_already"].why
    assert "above the limit" in whys["too_much_leverage"].why
    assert "different answers" in whys["two_answers"].why
    assert "PEPE/USDT" in whys["unknown_symbol"].why
    assert whys["made_up_number"].provenance is Provenance.GROUNDING_FAILED
    assert whys["no_evidence"].provenance is Provenance.GROUNDING_FAILED
    assert whys["abstains"].provenance is Provenance.ABSTAIN
    assert whys["abstains"].why == "too noisy"


def test_one_bad_decision_spoils_no_other() -> None:
    said = provenances(spoilt(ETH, conviction="high"))
    assert said == [Provenance.DECIDED, Provenance.PARSE_ERROR, Provenance.MODEL_HOLD]


def test_a_key_twice_or_nan_costs_one_decision_only() -> None:
    twice = json.dumps(answer(SHOWN)).replace(f'"symbol": "{ETH}"', f'"symbol": "{ETH}", "symbol": "{ETH}"')
    assert provenances(twice) == [Provenance.DECIDED, Provenance.PARSE_ERROR, Provenance.MODEL_HOLD]
    nan = spoilt(ETH, leverage=float("nan"))
    assert provenances(nan) == [Provenance.DECIDED, Provenance.PARSE_ERROR, Provenance.MODEL_HOLD]


def test_brackets_of_prose_hide_no_answer_and_endless_ones_are_none() -> None:
    text = json.dumps(answer(SHOWN))
    assert parse("see [1] and {BTC} in (a, b] " * 500 + text, SHOWN).is_whole
    for endless in (
        '{"a":' * 5_000,
        "[" * 50_000,
        '{"a":1} ' * 5_000,
        "[a" * 20_000,
        "```\n{" * 5_000,
        "x" * 10**6,
    ):
        assert parse(endless, SHOWN).mistake is not None
        assert parse(endless + text[:-5], SHOWN).outcomes[0].decision is None


def test_evidence_is_found_by_whole_and_short_paths_and_may_be_rounded() -> None:
    rsi = SHOWN.instruments[BTC].indicators["rsi_14"]
    series = SHOWN.instruments[BTC].series
    assert rsi is not None
    assert series is not None
    for path, value in (
        ("indicators.rsi_14", round(rsi, 1)),
        (f"instruments.{BTC}.indicators.rsi_14", rsi),
        ("series.bars.-1.close", series.bars[-1][3]),
        ("series.bars.0.4", series.bars[0][4]),
    ):
        text = spoilt(BTC, evidence=[{"path": path, "value": value}])
        assert provenances(text)[0] is Provenance.DECIDED, path
    for path, value in (("series.bars.99.close", 1.0), ("quality", 1.0), ("indicators.rsi_14", rsi * 1.02)):
        text = spoilt(BTC, evidence=[{"path": path, "value": value}])
        assert provenances(text)[0] is Provenance.GROUNDING_FAILED, path


def test_numbers_in_prose_that_nobody_showed_are_counted() -> None:
    told = spoilt(BTC, reasoning="It broke 987,654.3 with 71.77 % odds, after 14 bars.")
    assert parse(told, SHOWN).ungrounded_numbers == 2
    assert parse(json.dumps(answer(SHOWN)), SHOWN).ungrounded_numbers == 0


@pytest.mark.parametrize(
    "change",
    [
        {"reasoning": "up to 1" + "0" * 500},
        {"evidence": [{"path": "indicators.rsi_14", "value": 10**400}]},
        {"horizon_bars": 10**30},
        {"conviction": 10**400},
        {"reasoning": "\ud800", "evidence": [{"path": "\ud800", "value": 1.0}]},
        {"symbol": ["BTC/USDT"]},
        {"exits": {"stop_loss": 10**400}},
        {"exits": 7, "entry": [], "size": "big"},
    ],
)
def test_numbers_and_texts_without_measure_break_nothing(change: dict[str, Any]) -> None:
    said = parse(spoilt(BTC, **change), SHOWN)
    harmless = set(change) == {"reasoning"}
    assert (said.outcomes[0].decision is not None) is harmless
    assert said.outcomes[1].decision is not None
    assert said.model_dump_json()


def trading(quantity: float, *, is_busy: bool = False, is_reduce_only: bool = False) -> Observation:
    position = PositionView(quantity=quantity, mark=None, weight_frac=None, is_busy=is_busy)
    account = AccountView(
        reporting_currency="USDT",
        equity=10_000.0,
        gross_exposure_frac=0.1,
        cash={"USDT": 9_000.0},
        positions={} if not quantity else {BTC: position},
        is_reduce_only=is_reduce_only,
    )
    return SHOWN.model_copy(update={"mode": Mode.TRADER, "account": account})


@pytest.mark.parametrize(
    ("action", "shown", "said"),
    [
        ("open_long", trading(0.0), None),
        ("open_long", trading(1.0), "are held"),
        ("open_long", trading(0.0, is_reduce_only=True), "nothing may be opened"),
        ("increase", trading(1.0), None),
        ("increase", trading(1.0, is_reduce_only=True), "nothing may be opened or increased"),
        ("increase", trading(1.0, is_busy=True), "under way"),
        ("increase", trading(0.0), "nothing is held"),
        ("close", trading(1.0, is_reduce_only=True), None),
        ("set_exits", trading(1.0), None),
        ("set_exits", trading(-1.0), "wrong side"),
        ("close", trading(0.0), "nothing is held"),
    ],
)
def test_what_a_trader_may_do_depends_on_what_it_holds(
    action: str, shown: Observation, said: str | None
) -> None:
    first = parse(spoilt(BTC, action=action), shown).outcomes[0]
    assert (first.provenance is Provenance.DECIDED) is (said is None), first.why
    assert said is None or said in first.why


def test_an_invalidation_is_checked_against_what_is_known() -> None:
    values = {"close": 100.0, "ema_21": 90.0, "rsi_14": None}
    below = Invalidation(left="close", op=Comparison.BELOW, right="ema_21")
    assert judging.holds(below, values) is False
    assert judging.holds(below, {**values, "close": 80.0}) is True
    assert judging.holds(Invalidation(left="rsi_14", op=Comparison.ABOVE, level=50.0), values) is None


def test_most_of_a_messy_corpus_is_read_and_no_spoilt_answer_gets_through() -> None:
    report = fuzz(SHOWN, 300, seed=2, per_dress=2)
    assert report.is_sound, report.examples
    assert report.corpus_parsed_frac >= 0.98
    assert report.accepted > 50
    assert report.refused > 50
    assert report == fuzz(SHOWN, 300, seed=2, per_dress=2)


def test_the_fuzz_finds_a_judge_that_lets_wrong_sides_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "_CHECKS", ())
    report = fuzz(SHOWN, 1, seed=2, per_dress=1)
    assert {"stop_on_the_wrong_side", "too_much_size"} <= set(report.bad_accepted)
    assert not report.is_sound


def test_the_fuzz_finds_an_exception_that_escapes(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("boom")

    monkeypatch.setattr(
        fuzzing, "parse", lambda text, shown: broken() if "thinking" in text else parse(text, shown)
    )
    assert fuzzing._try("thinking", SHOWN) == ("escaped KeyError: 'boom'", 0)


@pytest.mark.parametrize(
    "change",
    [
        lambda item: item.update(symbol="PEPE/USDT"),
        lambda item: item["exits"].update(stop_loss=10.0**9),
        lambda item: item.update(leverage=50.0),
        lambda item: item.update(evidence=[{"path": "x", "value": 0.123456}]),
        lambda item: item.update(evidence=[]),
    ],
)
def test_the_second_judge_refuses_by_itself(change: Callable[[dict[str, Any]], None]) -> None:
    item = decision(BTC, SHOWN.instruments[BTC], "open_long")
    model = SymbolDecision
    assert invalid_in(model.model_validate_json(json.dumps(item)), SHOWN.plain()) is None
    change(item)
    assert invalid_in(model.model_validate_json(json.dumps(item)), SHOWN.plain()) is not None


def test_the_corpus_is_drawn_from_its_seed() -> None:
    assert [text.text for text in corpus(SHOWN, 1, rng())] == [text.text for text in corpus(SHOWN, 1, rng())]
