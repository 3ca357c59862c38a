"""What is PostgreSQL's own: its locks, its numbers, its migrations."""

import threading
from collections.abc import Callable
from decimal import Decimal

import pytest
from sqlalchemy import text

from tests.journal_words import BLOCK, a_decision, a_permit, an_intent, ticking_clock
from tg_actors.domain.errors import JournalError, UserError
from tg_actors.domain.orders import TradingState
from tg_actors.journal.backup import backup
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.schema import current_revision, downgrade, upgrade
from tg_actors.journal.tables import REVISION
from tg_actors.journal.verify import verify

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


def test_the_schema_goes_up_down_and_up_again(url: str) -> None:
    assert current_revision(url) is None
    upgrade(url)
    assert current_revision(url) == REVISION
    downgrade(url, "base")
    assert current_revision(url) is None
    upgrade(url)
    with Journal.open(url, clock_ns=ticking_clock()) as journal:
        assert journal.trading_state() is TradingState.ACTIVE


def test_money_is_numeric_and_exact(url: str) -> None:
    amount = "12345678901234567890.123456789012345678"
    with Journal.open(url, clock_ns=ticking_clock()) as journal:
        epoch = journal.take_lease("coordinator", "a", 0)
        with journal.transaction("coordinator", epoch) as tx:
            tx.record_decision(a_decision(equity=amount), BLOCK)
        assert journal.equity_curve() == [(60, Decimal(amount))]
        (row,) = journal.query(text("SELECT equity * 2 AS twice FROM cycles"))
        assert row["twice"] == Decimal("24691357802469135780.246913578024691356")


def test_writers_take_turns_and_none_waits_long(url: str) -> None:
    with (
        Journal.open(url, clock_ns=ticking_clock()) as one,
        Journal.open(url, clock_ns=ticking_clock()) as two,
    ):
        epoch = one.take_lease("executor", "a", 0)
        with one.transaction("executor", epoch) as tx:
            tx.append("Mine", {})
            with pytest.raises(JournalError, match="held by another writer") as caught:
                two.transaction("executor", epoch).__enter__()
        assert caught.value.retryable
        with two.transaction("executor", epoch) as tx:
            tx.append("Yours", {})
        assert verify(one).ok


def test_a_batch_writer_is_alone(url: str) -> None:
    with (
        Journal.open(url, Durability.BATCH, clock_ns=ticking_clock()),
        pytest.raises(JournalError, match="backtest that owns it alone"),
    ):
        Journal.open(url, clock_ns=ticking_clock())
    with (
        Journal.open(url, clock_ns=ticking_clock()),
        pytest.raises(JournalError, match="another process"),
    ):
        Journal.open(url, Durability.BATCH, clock_ns=ticking_clock())


def test_many_connections_permit_an_intent_once(url: str) -> None:
    intents = [an_intent(cycle) for cycle in range(8)]
    with Journal.open(url, clock_ns=ticking_clock()) as journal:
        epoch = journal.take_lease("executor", "a", 0)
        won: list[str] = []

        def permit_all() -> None:
            for intent in intents:
                with journal.transaction("executor", epoch) as tx:
                    if not tx.permit_exists(intent.intent_id):
                        tx.insert_permit(a_permit(intent), intent)
                        won.append(intent.intent_id)

        threads = [threading.Thread(target=permit_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(won) == sorted(intent.intent_id for intent in intents)
        assert verify(journal).ok


def test_a_reader_cannot_write(url: str) -> None:
    upgrade(url)
    with Journal.read_only(url) as reader, pytest.raises(JournalError, match="read-only"):
        reader.query(text("DELETE FROM control RETURNING id"))


def test_an_empty_database_and_a_missing_one_say_so(url: str) -> None:
    with pytest.raises(UserError, match="tg db upgrade"):
        Journal.read_only(url)
    with pytest.raises(JournalError, match="cannot be"):
        Journal.open(url.replace("@/journal", "@/nothing"), clock_ns=ticking_clock())


def test_a_backup_points_to_the_servers_own_tool(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        Journal.open(url, clock_ns=ticking_clock()) as journal,
        pytest.raises(UserError, match="pg_dump"),
    ):
        backup(journal, tmp_path_factory.mktemp("backup") / "copy.db")
