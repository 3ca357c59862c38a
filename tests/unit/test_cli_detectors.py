"""``tg backtest lookahead|recursive|noise`` as a user types them."""

import json
from pathlib import Path

import pytest

from tg_actors.cli.backtest_detectors import lookahead, recursive
from tg_actors.cli.backtest_noise import noise
from tg_actors.domain.errors import UserError

LEAKY = """
def tomorrow(bars):
    return bars.close.shift(-1) - bars.close

def today(bars):
    bars["up"] = bars.close > bars.open
    return bars

number = 3
"""


@pytest.fixture
def functions(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(LEAKY)
    return file


def test_a_leaking_function_is_told_with_exit_code_1(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        lookahead(f"{functions}:tomorrow", cycles=200, instruments="BTC/USDT", json_=True)
    assert ended.value.code == 1
    said = json.loads(capsys.readouterr().out)
    (subject,) = said["subjects"]
    assert (said["clean"], subject["finding"], subject["subject"]) == (False, "leaks", "mine.py:tomorrow")
    assert {leak["bars_ahead"] for leak in subject["leaks"]} == {1}
    assert subject["leaks"][0]["columns"] == ["BTC/USDT signal"]


def test_an_honest_function_and_an_agent_are_clean(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for target in (f"{functions}:today", "trend"):
        lookahead(target, cycles=150, instruments="BTC/USDT,ETH/USDT", json_=True)
        said = json.loads(capsys.readouterr().out)
        assert (said["clean"], said["subjects"][0]["leaks"]) == (True, [])
        assert said["subjects"][0]["compared"] > 0


def test_a_start_is_reported_for_every_length_that_fits(
    functions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recursive(f"{functions}:today", cycles=400, instruments="BTC/USDT", json_=True)
    (subject,) = json.loads(capsys.readouterr().out)["subjects"]
    assert [row["bars"] for row in subject["warm_ups"]] == [50, 100, 200, 300]
    assert subject["bars_needed"] == 50


def test_tables_are_for_people_and_for_documents(functions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recursive(f"{functions}:today", cycles=200, instruments="BTC/USDT", markdown=True)
    assert capsys.readouterr().out.startswith("| subject | start 50 |")
    lookahead(f"{functions}:today", cycles=200, instruments="BTC/USDT")
    assert "clean" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.py:f", "there is no Python file 'nowhere.py'"),
        ("{file}:missing", "has no function 'missing'"),
        ("{file}:number", "has no function 'number'"),
        ("trent", "trend"),
    ],
)
def test_a_target_that_is_none_is_refused(functions: Path, target: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        lookahead(target.format(file=functions), cycles=200)


def test_a_live_market_has_no_past_to_examine() -> None:
    with pytest.raises(UserError, match="live market"):
        lookahead("trend", desk="kraken-paper", market="venue", cycles=200)


def test_noise_is_judged_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    noise(markets=10, edges=1, bars=2_000, strategies=4, json_=True)
    said = json.loads(capsys.readouterr().out)
    assert (said["noise"]["markets"], said["planted"]["markets"], said["honest"]) == (10, 1, True)
    noise(markets=10, edges=0, bars=2_000, strategies=2)
    assert "best of the past, out of sample" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def mine(bars):\n    raise KeyError('rsi')", "mine.py:mine failed with KeyError: 'rsi'"),
        ("def mine(bars):\n    raise SystemExit(0)", "mine.py:mine failed with SystemExit: 0"),
        ("import nothing_like_this", "No module named 'nothing_like_this'"),
        ("def mine(bars:", "SyntaxError"),
        (
            "def mine(bars):\n    bars[f'c{len(bars)}'] = 1.0\n    return bars",
            "c200 before: it must answer the same columns",
        ),
    ],
)
def test_a_program_that_fails_is_told_in_one_sentence(tmp_path: Path, source: str, words: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    with pytest.raises(UserError) as told:
        lookahead(f"{file}:mine", cycles=200, instruments="BTC/USDT")
    assert words in str(told.value)


def test_what_a_function_prints_is_not_in_the_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text("print('read')\n\ndef mine(bars):\n    print('asked')\n    return bars.close")
    lookahead(f"{file}:mine", cycles=100, instruments="BTC/USDT", json_=True)
    said = capsys.readouterr()
    assert json.loads(said.out)["clean"]
    assert "read" in said.err
    assert "asked" in said.err


@pytest.mark.parametrize(
    ("answer", "leaks"),
    [
        ("bars.close.rolling(5).mean().iloc[::-1]", False),  # labels say which bar a row is of
        ("bars.assign(up=bars.close.shift(-1).astype(object), one=1.0)", True),  # numbers in an object column
        ("bars.assign(up=(bars.close > bars.open).astype('Int64').mask(bars.close.isna()))", False),
    ],
)
def test_pandas_answers_are_read_by_their_labels_and_their_numbers(
    tmp_path: Path, answer: str, *, leaks: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"def mine(bars):\n    return {answer}")
    if leaks:
        with pytest.raises(SystemExit):
            lookahead(f"{file}:mine", cycles=200, instruments="BTC/USDT", json_=True)
    else:
        lookahead(f"{file}:mine", cycles=200, instruments="BTC/USDT", json_=True)
    assert json.loads(capsys.readouterr().out)["clean"] is not leaks
