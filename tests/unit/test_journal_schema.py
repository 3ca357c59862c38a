from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.journal_words import ticking_clock
from tg_actors.domain.orders import TradingState
from tg_actors.journal.engine import locate, read_engine
from tg_actors.journal.repository import Journal
from tg_actors.journal.schema import alembic_config, upgrade
from tg_actors.journal.tables import REVISION, metadata


def test_the_tables_are_what_the_migrations_leave(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    upgrade(path)
    engine = read_engine(locate(path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_newest_migration_is_the_one_the_tables_name() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [REVISION]


def test_the_migrations_lie_inside_the_package() -> None:
    folder = Path(str(ScriptDirectory.from_config(alembic_config()).dir))
    assert folder.parts[-3:] == ("tg_actors", "journal", "migrations")


def test_a_journal_of_the_first_schema_comes_up_with_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    upgrade(path, "0001")
    upgrade(path)
    with Journal.open(path, clock_ns=ticking_clock()) as journal:
        assert journal.approvals() == []
        assert journal.trading_state() is TradingState.ACTIVE
