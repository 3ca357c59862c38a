from pathlib import Path

import pytest

from tg_actors.domain.errors import UserError
from tg_actors.journal.engine import locate


@pytest.mark.parametrize("address", [Path("/tmp/desk.db"), "/tmp/desk.db", "sqlite:////tmp/desk.db"])  # noqa: S108 - names only
def test_a_path_and_a_sqlite_url_name_the_same_file(address: str | Path) -> None:
    place = locate(address)
    assert place.path == Path("/tmp/desk.db")  # noqa: S108 - names only
    assert place.url is None


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+asyncpg"])
def test_postgresql_is_spoken_through_psycopg(scheme: str) -> None:
    place = locate(f"{scheme}://desk:secret@db/journal")
    assert place.url is not None
    assert place.url.drivername == "postgresql+psycopg"
    assert place.path is None


def test_a_password_never_shows_in_a_name() -> None:
    assert locate("postgresql://desk:secret@db/journal").name == "postgresql+psycopg://desk:***@db/journal"


@pytest.mark.parametrize("address", ["mysql://db/journal", "sqlite://", "://", "http//x://y"])
def test_other_addresses_are_refused_in_one_sentence(address: str) -> None:
    with pytest.raises(UserError, match="give a path or postgresql://host/database"):
        locate(address)
