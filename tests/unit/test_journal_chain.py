import hashlib
from decimal import Decimal

import pytest

from tests.journal_words import a_decision, an_intent
from tg_actors.domain.decisions import Decision
from tg_actors.journal.chain import GENESIS, canonical, link


def test_the_canonical_text_is_sorted_ascii_and_without_spaces() -> None:
    payload = {"b": Decimal("1.10"), "a": {"ü": 1, "A": [True, None]}}
    assert canonical(payload) == '{"a":{"A":[true,null],"\\u00fc":1},"b":"1.10"}'


def test_a_message_comes_back_from_its_canonical_text() -> None:
    decision = a_decision(equity="10000.10", approved=(an_intent(),))
    assert Decision.model_validate_json(canonical(decision)) == decision
    assert '"equity":"10000.10"' in canonical(decision)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"price": number})


def test_the_seal_is_the_hash_of_all_fields_in_a_fixed_order() -> None:
    sealed = link(
        GENESIS,
        seq=1,
        epoch=2,
        role="executor",
        type="E",
        ref="r",
        cycle=3,
        at_ns=4,
        wall_ns=5,
        payload="{}",
    )
    fields = [GENESIS, *"12345", "executor", "E", "r", "{}"]
    text = "\x1f".join(fields)
    assert sealed == hashlib.sha256(text.encode()).hexdigest()


def test_a_separator_in_a_name_cannot_forge_a_seal() -> None:
    with pytest.raises(ValueError, match="separator"):
        link(
            GENESIS, seq=1, epoch=1, role="a\x1fb", type="E", ref="", cycle=0, at_ns=0, wall_ns=0, payload=""
        )
