import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from tg_actors.domain.errors import JournalError
from tg_actors.journal.failures import journal_errors


def _sqlite(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("raw words of the driver")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("failure", "words", "retryable"),
    [
        (_sqlite(sqlite3.SQLITE_FULL), "disk is full", False),
        (_sqlite(sqlite3.SQLITE_BUSY), "held by another writer", True),
        (_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "held by another writer", True),
        (_sqlite(sqlite3.SQLITE_IOERR_FSYNC), "disk reports an error", False),
        (_sqlite(sqlite3.SQLITE_NOTADB), "is damaged", False),
        (_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "is read-only", False),
        (_sqlite(sqlite3.SQLITE_MISUSE), "refused the operation: raw words of the driver", False),
        (psycopg.errors.LockNotAvailable(), "held by another writer", True),
        (psycopg.errors.DiskFull(), "disk is full", False),
        (psycopg.errors.AdminShutdown(), "does not answer", True),
        (psycopg.errors.InvalidPassword(), "refuses the user or password", False),
        (psycopg.OperationalError("connection refused"), "does not answer", True),
        (
            psycopg.errors.DivisionByZero("raw words\nand a second line"),
            "refused the operation: raw words",
            False,
        ),
    ],
)
def test_every_failure_is_one_sentence_that_says_whether_to_retry(
    failure: Exception, words: str, retryable: bool
) -> None:
    with (
        pytest.raises(JournalError, match=f"the journal desk.db .*{words}") as caught,
        journal_errors("desk.db"),
    ):
        raise OperationalError("SELECT 1", {}, failure)
    assert caught.value.retryable is retryable
    assert "\n" not in str(caught.value)


def test_a_failure_of_the_driver_itself_is_told_alike() -> None:
    with pytest.raises(JournalError, match="disk is full"), journal_errors("desk.db"):
        raise _sqlite(sqlite3.SQLITE_FULL)


def test_a_bug_stays_a_bug() -> None:
    with pytest.raises(KeyError), journal_errors("desk.db"):
        raise KeyError("bug")
