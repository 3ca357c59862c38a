"""A crash at any point is a normal start: the desk ends with the books of a run that never crashed."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.desk_words import Scene, flipping, simulated
from tests.mortal import Doom, live_until
from tg_actors.desk.history import rebuilt_books
from tg_actors.domain.decisions import RiskState
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.verify import verify

CYCLES = 30
#: Stops near enough to be hit, exits and entries every few bars: about a fill a cycle.
SCENE = Scene(feed=simulated(), script=flipping(3), risk={"stop_atr_multiple": Decimal("0.5")})


@dataclass(frozen=True)
class End:
    """All that a run leaves behind which must not depend on how often it died."""

    digest: str
    cash: dict[str, Decimal]
    positions: dict[str, Decimal]
    equity: list[tuple[int, Decimal]]
    orders: list[tuple[str, str]]
    risk: RiskState
    venue: tuple[int, bytes]


def _end(path: str) -> End:
    with JournalReader.read_only(path) as journal:
        assert verify(journal).problems == ()
        books = rebuilt_books(journal)
        last, venue = journal.last_decision(), journal.venue_state("practice", "paper")
        assert last is not None
        assert venue is not None
        return End(
            digest=digest(journal),
            cash=books.cash,
            positions={symbol: position.quantity for symbol, position in books.positions.items()},
            equity=journal.equity_curve(),
            orders=[(order.client_order_id, order.state.value) for order in journal.orders()],
            risk=last.judgement.state,
            # The number of the newest event, which its first bytes hold, counts the starts as well.
            venue=(venue[0], venue[1][8:]),
        )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> End:
    path = str(tmp_path_factory.mktemp("undisturbed") / "desk.sqlite")
    assert live_until(SCENE, path, CYCLES, Doom())
    end = _end(path)
    assert len(end.orders) > CYCLES / 2, "a run without orders would prove nothing"
    return end


@pytest.mark.parametrize("stride", [8, 11, 13])
def test_a_desk_that_dies_again_and_again_ends_where_an_immortal_one_ends(
    stride: int, tmp_path: Path, undisturbed: End
) -> None:
    path = str(tmp_path / "desk.sqlite")
    deaths: list[str | None] = []
    while not live_until(SCENE, path, CYCLES, doom := Doom(stride)):
        deaths.append(doom.reached)
        assert len(deaths) < 500, "the desk makes no progress"
    assert _end(path) == undisturbed
    assert len(deaths) > 10
    assert {"before commit", "after commit"} <= set(deaths)
