import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tg_actors.execution.venues import capabilities, outcomes
from tg_actors.execution.venues.alpaca.dialect import instant_ns
from tg_actors.execution.venues.budget import Budget
from tg_actors.execution.venues.nonces import Nonces
from tg_actors.execution.venues.said import Amount, Said, Senseless, plain, read

DOC = Path(__file__).parents[2] / "docs" / "venues.md"


@pytest.mark.parametrize(
    ("mark", "table"),
    [("outcomes", outcomes.markdown_table()), ("capabilities", capabilities.markdown_table())],
)
def test_the_document_shows_the_tables(mark: str, table: str) -> None:
    _, _, rest = DOC.read_text().partition(f"<!-- {mark}: generated -->\n")
    shown, end, _ = rest.partition(f"\n<!-- end of {mark} -->")
    assert end
    assert shown == table


@given(steps=st.lists(st.integers(-5, 5)), epoch=st.none() | st.integers(1, 1000))
def test_nonces_only_grow(steps: list[int], epoch: int | None) -> None:
    now = [1_700_000_000_000]
    nonces = Nonces(lambda: now[0], epoch)
    seen = []
    for step in steps:
        now[0] += step
        seen.append(nonces())
    assert seen == sorted(set(seen))


@given(st.integers(0, 10_000_000_000), st.integers(0, 10_000_000_000), st.integers(1, 500_000))
def test_any_nonce_of_a_newer_epoch_is_above_all_older_ones(early: int, late: int, epoch: int) -> None:
    base = 1_600_000_000_000
    older, newer = Nonces(lambda: base + late, epoch), Nonces(lambda: base + early, epoch + 1)
    assert older() < newer() < 2**63


def test_a_budget_lets_a_burst_through_and_then_paces() -> None:
    now: list[float] = [0.0]
    waits: list[float] = []
    budget = Budget(10, 2, lambda: now[0], waits.append)
    for _ in range(5):
        budget.spend(2)
    assert waits == []
    budget.spend(2)
    assert waits == [1.0]
    now[0] = 100.0
    budget.spend(10)
    assert waits == [1.0]


class _Shape(Said):
    price: Amount
    name: str


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "null",
        "[]",
        "{}",
        '{"price": NaN, "name": "x"}',
        '{"price": Infinity, "name": "x"}',
        '{"price": "NaN", "name": "x"}',
        '{"price": "1e999999999999", "name": "x"}',
        '{"price": " 1", "name": "x"}',
        '{"price": "", "name": "x"}',
        '{"price": true, "name": "x"}',
        '{"price": "1", "name": 7}',
        '{"price": "1", "price": "2", "name": "x"}',
        '{"price": "1", "name": "x"',
    ],
)
def test_what_makes_no_sense_is_no_answer(body: str) -> None:
    with pytest.raises(Senseless):
        read(_Shape, plain(body))


@pytest.mark.parametrize("price", ["0.1", "123456789.12345678", "1E-8", "5"])
def test_amounts_are_exact_from_text_and_from_numbers(price: str) -> None:
    for written in (json.dumps(price), price):
        found = read(_Shape, plain(f'{{"price": {written}, "name": "x", "new field": [1]}}'))
        assert found.price == Decimal(price)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_no_body_of_any_kind_raises_anything_else(value: Any) -> None:
    try:
        read(_Shape, plain(json.dumps(value)))
    except Senseless:
        return
    raise AssertionError("none of these is an order")


def test_instants_keep_their_nanoseconds() -> None:
    assert instant_ns("2024-01-01T00:00:00.123456789Z") == 1_704_067_200_123_456_789
    assert instant_ns("2024-01-01T01:00:00+01:00") == 1_704_067_200_000_000_000
    for wrong in ("2024-01-01T00:00:00", "yesterday", ""):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever datetime says
            instant_ns(wrong)
