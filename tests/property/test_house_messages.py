"""Every message of every room crosses the journal (JSON) and process borders (pickle) unchanged."""

import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.message_examples import examples_of, message_types
from tg_actors.domain.message import Message


@pytest.mark.parametrize("message", message_types(), ids=lambda message: message.__name__)
# A quarter of the profile's examples, for there are many types; a decision draws hundreds of fields.
@settings(max_examples=settings().max_examples // 4, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_message_round_trips(message: type[Message], data: st.DataObject) -> None:
    sent = data.draw(examples_of(message))

    through_journal = message.model_validate_json(sent.model_dump_json())
    through_process = pickle.loads(pickle.dumps(sent))  # noqa: S301 - our own bytes

    assert through_journal == sent
    assert through_process == sent
    assert through_journal.model_dump_json() == sent.model_dump_json()


@pytest.mark.parametrize("message", message_types(), ids=lambda message: message.__name__)
def test_message_is_strict_and_frozen(message: type[Message]) -> None:
    config = message.model_config
    promised = {"frozen": True, "strict": True, "extra": "forbid", "allow_inf_nan": False}
    assert {name: config.get(name) for name in promised} == promised


def test_the_words_of_the_domain_are_among_the_messages() -> None:
    names = {message.__name__ for message in message_types()}
    assert {"Intent", "Permit", "Fill", "Decision", "RiskState"} <= names
