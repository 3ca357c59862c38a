"""A journal is verified as of one instant: who writes meanwhile is not called damage."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desk_words import ticking_clock
from tg_actors.domain.orders import TradingState
from tg_actors.journal import verify as verification
from tg_actors.journal.halt_file import NAME
from tg_actors.journal.readers import JournalReader
from tg_actors.journal.repository import Journal
from tg_actors.journal.verify import verify


def _open(folder: Path) -> Journal:
    return Journal.open(folder / "desk.sqlite", clock_ns=ticking_clock())


def test_a_still_reader_sees_one_instant(tmp_path: Path) -> None:
    with _open(tmp_path) as journal, _open(tmp_path) as other:
        other.set_trading_state(TradingState.REDUCE_ONLY, "first", "test", 1)
        with journal.standing_still() as still:
            before = [event.seq for event in still.events()]
            other.set_trading_state(TradingState.HALTED, "second", "test", 2)
            assert [event.seq for event in still.events()] == before
            assert still.trading_state() is TradingState.REDUCE_ONLY
        assert journal.trading_state() is TradingState.HALTED


def test_writing_during_a_verification_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replaying = verification._wrong_projections

    with _open(tmp_path) as journal, _open(tmp_path) as other:
        other.set_trading_state(TradingState.ACTIVE, "before", "test", 1)

        def meanwhile(reader: JournalReader, replay: object) -> Iterator[str]:
            other.set_trading_state(TradingState.HALTED, "meanwhile", "test", 2)
            return replaying(reader, replay)  # type: ignore[arg-type]  # passed through as it came

        monkeypatch.setattr(verification, "_wrong_projections", meanwhile)
        assert verify(journal).problems == ()


def test_a_halt_file_is_no_damage(tmp_path: Path) -> None:
    with _open(tmp_path) as journal:
        journal.set_trading_state(TradingState.ACTIVE, "by hand", "test", 1)
        (tmp_path / NAME).touch()
        assert journal.trading_state() is TradingState.HALTED
        assert verify(journal).problems == ()
