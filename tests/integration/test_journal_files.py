"""A journal in a file: its mode, its damage, its limits, its copies."""

import os
import sqlite3
import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.journal_words import BLOCK, a_decision, a_fill, a_permit, an_intent, an_order, ticking_clock
from tg_actors.domain.errors import Fenced, JournalError, UserError
from tg_actors.domain.orders import OrderState, TradingState
from tg_actors.journal.backup import backup, restore
from tg_actors.journal.digest import digest
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import Durability
from tg_actors.journal.repository import Journal
from tg_actors.journal.schema import current_revision, downgrade, upgrade
from tg_actors.journal.tables import REVISION
from tg_actors.journal.verify import verify


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "desk.db"


def _open(path: Path, durability: Durability = Durability.FULL) -> Journal:
    return Journal.open(path, durability, clock_ns=ticking_clock())


def _fill_in(path: Path, cycles: int = 3) -> str:
    """Write a few whole cycles; returns the digest."""
    with _open(path) as journal:
        epoch = journal.take_lease("executor", "a", 0)
        for cycle in range(1, cycles + 1):
            intent = an_intent(cycle)
            with journal.transaction("executor", epoch) as tx:
                tx.record_decision(a_decision(cycle, approved=(intent,)), BLOCK)
                tx.insert_permit(a_permit(intent), intent)
                tx.save_order(an_order(intent, OrderState.OPEN), intent.decided_at_ns)
                tx.insert_fill(a_fill(intent, f"t{cycle}"), cycle)
        journal.set_trading_state(TradingState.REDUCE_ONLY, "test", "ada", 1)
        return digest(journal)


def test_only_the_owner_may_read_it(path: Path) -> None:
    with _open(path) as journal:
        journal.take_lease("executor", "a", 0)
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        names = {file.name for file in path.parent.iterdir()}
        assert names == {"desk.db", "desk.db-wal", "desk.db-shm", "desk.db.lock"}


def test_it_is_durable_and_in_wal_mode(path: Path) -> None:
    with _open(path) as journal, journal._writes.connect() as connection:
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2  # FULL


def test_the_schema_goes_up_down_and_up_again(path: Path) -> None:
    upgrade(path)
    assert current_revision(path) == REVISION
    downgrade(path, "base")
    assert current_revision(path) is None
    with pytest.raises(UserError, match="tg db upgrade"):
        Journal.read_only(path)
    upgrade(f"sqlite:///{path}")
    with Journal.read_only(path) as reader:
        assert reader.trading_state() is TradingState.ACTIVE


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    upgrade(path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for attempt in (lambda: _open(path), lambda: Journal.read_only(path), lambda: upgrade(path)):
        with pytest.raises(UserError, match="newer TripleGain"):
            attempt()
    assert current_revision(path) == "9999"


def test_a_missing_journal_is_not_created_by_a_reader(path: Path) -> None:
    with pytest.raises(UserError, match="no journal at"):
        Journal.read_only(path)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(JournalError, match="cannot be created"):
        _open(tmp_path / "file" / "desk.db")


def test_a_file_that_is_no_journal_is_called_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, it only lies where one should be" * 100)
    with pytest.raises(JournalError, match="tg db restore"):
        _open(path)
    with pytest.raises(JournalError, match="tg db restore"):
        Journal.read_only(path)


def test_a_torn_file_is_called_damaged(path: Path) -> None:
    _fill_in(path, cycles=40)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(JournalError, match="damaged"), _open(path) as journal:
        list(journal.events())


def test_a_full_disk_stops_permits_and_loses_nothing(path: Path) -> None:
    """A real SQLITE_FULL: the database may not grow past its present pages."""
    _fill_in(path)
    with _open(path) as journal:
        epoch = journal.take_lease("executor", "a", 0)
        before = list(journal.events())
        with journal._writes.connect() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count={pages}"))
        intent = an_intent(99)

        def permit_with(books: bytes) -> None:
            with journal.transaction("executor", epoch) as tx:
                assert not tx.permit_exists(intent.intent_id)
                tx.insert_permit(a_permit(intent), intent)
                tx.save_venue_state("practice", "paper", 9, books)

        with pytest.raises(JournalError, match="disk is full") as caught:
            permit_with(bytes(100_000))
        assert not caught.value.retryable
        assert list(journal.events()) == before
        with journal._writes.connect() as connection:
            connection.execute(text("PRAGMA max_page_count=1000000"))
        permit_with(bytes(100_000))
        assert verify(journal).ok


def test_a_batch_that_cannot_be_committed_is_kept_and_tried_again(path: Path) -> None:
    with _open(path, Durability.BATCH) as journal:
        epoch = journal.take_lease("coordinator", "a", 0)
        journal.settle()
        with journal._writes.connect() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
            connection.execute(text(f"PRAGMA max_page_count={pages}"))
        with journal.transaction("coordinator", epoch) as tx:
            tx.record_decision(a_decision(), BLOCK)
            tx.save_venue_state("practice", "paper", 1, bytes(100_000))
        with pytest.raises(JournalError, match="disk is full"):
            journal.settle()
        with journal._writes.connect() as connection:
            connection.execute(text("PRAGMA max_page_count=1000000"))
        assert journal.last_decision() == a_decision()


def test_a_writer_waits_a_moment_for_the_lock_and_then_gives_up(path: Path) -> None:
    with _open(path) as one, _open(path) as two:
        epoch = one.take_lease("executor", "a", 0)
        with one.transaction("executor", epoch) as tx:
            tx.append("Mine", {})
            with pytest.raises(JournalError, match="held by another writer") as caught:
                two.transaction("executor", epoch).__enter__()
        assert caught.value.retryable


def test_another_process_fences_and_halts_between_two_transactions(path: Path) -> None:
    with _open(path) as desk, _open(path) as person:
        epoch = desk.take_lease("executor", "old", 0)
        with desk.transaction("executor", epoch) as tx:
            assert tx.trading_state() is TradingState.ACTIVE
        person.set_trading_state(TradingState.HALTED, "stop", "ada", 1)
        with desk.transaction("executor", epoch) as tx:
            assert tx.trading_state() is TradingState.HALTED
        person.take_lease("executor", "new", 1)
        with pytest.raises(Fenced), desk.transaction("executor", epoch):
            pytest.fail("a fenced writer got a transaction")
        assert verify(desk).ok


def test_a_batch_writer_is_alone_and_readers_look_on(path: Path) -> None:
    with _open(path, Durability.BATCH) as journal:
        journal.take_lease("executor", "a", 0)
        for durability in Durability:
            with pytest.raises(JournalError, match="being written by"):
                _open(path, durability)
        journal.settle()
        with Journal.read_only(path) as reader:
            assert reader.starts("executor", 0) == 1
    _open(path).close()


@pytest.mark.parametrize(
    ("damage", "problem", "first_bad"),
    [
        (
            "UPDATE events SET payload = replace(payload, '0.75', '0.85') WHERE seq = 2",
            "event 2 was changed",
            2,
        ),
        ("UPDATE events SET wall_ns = wall_ns + 1 WHERE seq = 3", "event 3 was changed", 3),
        ("UPDATE events SET epoch = 2 WHERE seq = 3", "event 3 was changed", 3),
        ("DELETE FROM events WHERE seq = 4", "event 4 is missing", 5),
        ("DELETE FROM events WHERE seq > 5", "fills has 3 rows for 1 OrderFilled", None),
        ("DELETE FROM permits", "permits has 0 rows", None),
        (
            "UPDATE orders SET payload = replace(payload, '\"open\"', '\"filled\"')",
            "says something else",
            None,
        ),
        ("UPDATE cycles SET block = x'00' WHERE cycle = 2", "the block of cycle 2", None),
        ("UPDATE control SET state = 'ACTIVE'", "the trading state is ACTIVE", None),
    ],
)
def test_tampering_is_found(path: Path, damage: str, problem: str, first_bad: int | None) -> None:
    _fill_in(path)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with Journal.read_only(path) as reader:
        report = verify(reader)
    assert not report.ok
    assert any(problem in found for found in report.problems), report.problems
    assert report.first_bad_seq == first_bad


def test_a_lost_kill_switch_stops_everything(path: Path) -> None:
    _fill_in(path)
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM control")
    connection.close()
    with _open(path) as journal, pytest.raises(JournalError, match="lost its trading state"):
        journal.trading_state()


def test_a_backup_of_a_running_desk_is_a_whole_journal(path: Path, tmp_path: Path) -> None:
    expected = _fill_in(path)
    copy = tmp_path / "copies" / "monday.db"
    with _open(path) as journal:
        with pytest.raises(JournalError, match="choose another folder"):
            backup(journal, copy)
        copy.parent.mkdir()
        backup(journal, copy)
        with pytest.raises(UserError, match="exists already"):
            backup(journal, copy)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    with Journal.read_only(copy) as reader:
        assert digest(reader) == expected
        assert verify(reader).ok


def test_restoring_puts_the_backup_back_and_keeps_the_old_file(path: Path, tmp_path: Path) -> None:
    monday = _fill_in(path)
    copy = tmp_path / "monday.db"
    with _open(path) as journal:
        backup(journal, copy)
        epoch = journal.take_lease("executor", "b", 0)
        with journal.transaction("executor", epoch) as tx:
            tx.insert_fill(a_fill(an_intent(9), "t9"), 9)
        tuesday = digest(journal)
        with pytest.raises(JournalError, match="being written"):
            restore(copy, path)
    restore(copy, path)
    for file, expected in ((path, monday), (Path(f"{path}.bak"), tuesday)):
        with JournalReader.read_only(file) as reader:
            assert digest(reader) == expected


def test_a_backup_that_does_not_verify_is_not_restored(path: Path, tmp_path: Path) -> None:
    expected = _fill_in(path)
    copy = tmp_path / "monday.db"
    with _open(path) as journal:
        backup(journal, copy)
    with sqlite3.connect(copy) as connection:
        connection.execute("UPDATE fills SET trade_id = 'x' WHERE trade_id = 't1'")
        connection.execute("UPDATE events SET payload = '{}' WHERE seq = 1")
    connection.close()
    with pytest.raises(UserError, match="does not verify: event 1"):
        restore(copy, path)
    with pytest.raises(UserError, match="no journal at"):
        restore(tmp_path / "tuesday.db", path)
    with Journal.read_only(path) as reader:
        assert digest(reader) == expected


def test_a_damaged_journal_can_be_replaced(path: Path, tmp_path: Path) -> None:
    expected = _fill_in(path)
    copy = tmp_path / "monday.db"
    with _open(path) as journal:
        backup(journal, copy)
    path.write_bytes(b"\0" * 5_000)
    restore(copy, path)
    with Journal.read_only(path) as reader:
        assert digest(reader) == expected
