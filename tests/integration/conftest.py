"""Fixtures that start real servers."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.cli_words import home, tg  # noqa: F401 - fixtures of the command line's tests
from tests.dialect_words import dialect_exchange  # noqa: F401 - a fixture of the dialects' tests
from tests.postgres import find_binaries, private_server
from tests.serve_words import served  # noqa: F401 - the Serve application of the session

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Path]:
    """Start a private PostgreSQL server; the folder of its socket."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("no PostgreSQL server is installed (Debian: apt-get install postgresql)")
    with private_server(binaries) as folder:
        yield folder


@pytest.fixture
def new_database(postgres_server: Path) -> Callable[[], str]:
    """Return a function that creates an empty database and returns its URL."""

    def create() -> str:
        name = f"journal{next(_numbers)}"
        with psycopg.connect(
            host=str(postgres_server), user="desk", dbname="postgres", autocommit=True
        ) as server:
            server.execute(f"CREATE DATABASE {name}".encode())
        return f"postgresql://desk@/{name}?host={postgres_server}"

    return create
