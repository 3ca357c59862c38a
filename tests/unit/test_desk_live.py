"""Real money takes explicit acts: each condition alone keeps a live desk from starting."""

from typing import Any

import pytest

from tg_actors.desk.config import DeskConfig, load_desk
from tg_actors.desk.live import check_mode
from tg_actors.domain.errors import UserError
from tg_actors.market.config import MarketConfig, SimulatedSource

PAPER = load_desk("laptop-paper")
LIVE = load_desk("micro-live")


def test_a_paper_desk_needs_nothing() -> None:
    check_mode(PAPER, None)


def test_a_live_desk_starts_once_its_name_is_typed() -> None:
    check_mode(LIVE, LIVE.name)


SIMULATED = MarketConfig(timeframe=LIVE.market.timeframe, source=SimulatedSource(seed=1))


@pytest.mark.parametrize(
    ("change", "typed", "word"),
    [
        ({}, None, "--live micro-live"),
        ({}, "laptop-paper", "--live micro-live"),
        ({"stage": None}, "micro-live", "stage"),
        ({"venue": "practice"}, "micro-live", "practice exchange"),
        ({"market": SIMULATED}, "micro-live", "simulated"),
    ],
)
def test_what_is_missing_is_one_sentence(change: dict[str, Any], typed: str | None, word: str) -> None:
    config: DeskConfig = LIVE.model_copy(update=change)
    with pytest.raises(UserError, match="real money") as refusal:
        check_mode(config, typed)
    assert word in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_typing_live_for_a_paper_desk_is_a_mistake() -> None:
    with pytest.raises(UserError, match="trades on paper"):
        check_mode(PAPER, "laptop-paper")
