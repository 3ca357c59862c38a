"""Tables that a person must be able to read on a screen of 80 columns."""

import re
from typing import Any

import pytest
from rich.console import Console

from tg_actors.cli import screen
from tg_actors.cli.standings import print_standings

_INTERVAL = {"low": -6.3, "high": 5.9}
_STANDING: dict[str, Any] = {
    "name": "backtest-laptop-paper-recorded-ae173bdc",
    "drawdown_frac": 0.28,
    "sharpe_percentile": 0.451,
    "return_percentile": 0.201,
    "ahead_yearly_frac": 1.591,
    "ahead_interval": _INTERVAL,
    "timing_p_value": 0.22,
    "windows_ahead": 5,
    "windows": 8,
    "evidence": {
        "total_return_frac": -0.178,
        "sharpe_daily_365": -1.97,
        "sharpe_interval": _INTERVAL,
        "dsr_frac": 0.295,
        "verdict": "not distinguishable from zero",
    },
}


def test_no_column_is_squeezed_to_a_letter_for_the_sake_of_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "out", Console(width=80))
    row = {"criterion": "sharpe_daily_365", "of": "paper exit", "asked": "at least 1.0", "value": "-12.23"}
    row |= {"short": "13.23", "interval": "-36.0 to 18.7", "no_skill_passes": "47%", "outcome": "failed"}
    screen.show([row], tuple(row), "Gate", as_json=False)
    assert len(capsys.readouterr().out.splitlines()) <= 5


def test_standings_are_readable_on_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(screen, "out", Console(width=80))
    print_standings([_STANDING], "Out of sample")
    said = capsys.readouterr().out
    assert max(map(len, said.splitlines())) <= 80
    for words in ("-6.30 to 5.90", "-630.0% to 590.0%", "not", "5 of 8", "45.1%"):
        assert words in said
    # What is too long wraps into a few pieces, not into a letter a line.
    assert not re.search(r"^\w\w? ", said, re.MULTILINE)
    assert len(said.splitlines()) <= 18
