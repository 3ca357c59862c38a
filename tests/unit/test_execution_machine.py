import pickle
from pathlib import Path

import pytest

from tg_actors.domain.orders import TERMINAL_STATES, OrderState
from tg_actors.execution.machine import (
    TABLE,
    InvalidTransition,
    OrderEvent,
    is_late_fill,
    markdown_table,
    move,
)

FILLS = {OrderEvent.FILL, OrderEvent.FILL_LAST}


@pytest.mark.parametrize("state", list(OrderState))
@pytest.mark.parametrize("event", list(OrderEvent))
def test_every_pair_is_a_row_or_a_crash(state: OrderState, event: OrderEvent) -> None:
    if (state, event) in TABLE:
        assert move("o", state, event) is TABLE[state, event]
        return
    with pytest.raises(InvalidTransition, match=f"{event} cannot happen in state {state}"):
        move("o", state, event)


def test_terminal_states_are_left_by_nothing_and_take_only_late_fills() -> None:
    rows = {(s, e): after for (s, e), after in TABLE.items() if s in TERMINAL_STATES}
    assert {event for _, event in rows} == FILLS
    assert all(after is state for (state, _), after in rows.items())
    assert all(is_late_fill(state, event) for state, event in rows)


def test_nothing_becomes_permitted_but_what_was_never_sent() -> None:
    sources = {state for (state, _), after in TABLE.items() if after is OrderState.PERMITTED}
    assert sources == {OrderState.PROPOSED, OrderState.AWAITING_APPROVAL}


def test_not_found_needs_proof_of_absence_from_unknown() -> None:
    rows = {(s, e) for (s, e), after in TABLE.items() if after is OrderState.NOT_FOUND and s is not after}
    assert rows == {(OrderState.UNKNOWN, OrderEvent.PROVE_ABSENT)}


def test_every_state_but_the_first_is_reachable() -> None:
    reached = {OrderState.PROPOSED}
    while new := {after for (state, _), after in TABLE.items() if state in reached} - reached:
        reached |= new
    assert reached == set(OrderState)


def test_the_documented_table_is_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text()
    begin, end = "<!-- order machine: begin -->\n", "\n<!-- order machine: end -->"
    assert page.split(begin)[1].split(end)[0].strip() == markdown_table()


def test_an_impossible_event_crosses_process_borders_whole() -> None:
    error = InvalidTransition("o", OrderState.FILLED, OrderEvent.DENY)
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (copy.order, copy.state, copy.event) == ("o", OrderState.FILLED, OrderEvent.DENY)
    assert str(copy) == str(error) == "order o: deny cannot happen in state filled"
