"""``tg correlation`` on a folder of bars: JSON, table, picture, and what a user can get wrong."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from tests.market_files import write_bars
from tg_actors.cli.main import main
from tg_actors.market.timeframes import instant_ns

HOUR_NS = 3_600 * 10**9
START_NS = instant_ns("2024-01-01")
DOCS = Path(__file__).parents[2] / "docs"
Tg = Callable[..., tuple[int, str, str]]


@pytest.fixture
def tg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Tg:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    hours = START_NS + np.arange(100 * 24, dtype=np.int64) * HOUR_NS
    # A file's numbers follow from the length of its name: BTC and ETH are one, DOGE is another.
    for name in ("BTC", "ETH", "DOGE"):
        write_bars(tmp_path, f"BINANCE_{name}-USDT_1h", hours)
    write_bars(tmp_path, "BINANCE_YOUNG-USDT_1h", hours[-20 * 24 :])
    # Sessions as they are stamped, on weekdays: midnight in New York.
    days = np.array([k for k in range(100) if k % 7 < 5], dtype=np.int64)
    write_bars(tmp_path, "USEQUITY-ADJ_SPY-USD_1d", START_NS + days * 24 * HOUR_NS + 5 * HOUR_NS)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tg", "correlation", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        text = capfd.readouterr()
        return ended.value.code if isinstance(ended.value.code, int) else 0, text.out, text.err

    return run


COINS = "BTC/USDT,DOGE/USDT,ETH/USDT,YOUNG/USDT"
ASK = ("--data", ".", "--instruments", COINS, "--until", "2024-04-09", "--references", "USEQUITY-ADJ/SPY-USD")


def test_json_says_everything(tg: Tg) -> None:
    code, out, err = tg(*ASK, "--json")
    assert (code, err) == (0, "")
    said = json.loads(out)
    assert said["names"] == ["BTC/USDT", "DOGE/USDT", "ETH/USDT", "YOUNG/USDT", "SPY"]
    matrix = said["matrix"]
    assert matrix[0][0] == 1
    assert matrix[0][2] > 0.6
    assert abs(matrix[0][1]) < 0.4
    # Twenty days are too few for 90, and nobody knows what YOUNG moves with.
    assert matrix[3] == [None] * 5
    assert said["clusters"] == [0, 1, 0, -1]
    # Sessions, not days.
    assert 60 <= said["returns"][0][4] <= 65
    for weights in said["weights"].values():
        assert set(weights) == {"BTC/USDT", "DOGE/USDT", "ETH/USDT"}
        assert sum(weights.values()) == pytest.approx(1.0, abs=1e-3)


def test_a_person_gets_a_table(tg: Tg) -> None:
    code, out, _ = tg(*ASK)
    assert code == 0
    [row] = [line.split() for line in out.splitlines() if line.startswith("ETH/USDT")]
    assert row[1] == row[3].replace("1.00", row[1])
    assert "Correlation of daily returns, 90 days to 2024-04-09" in out
    assert "one cluster from" in out


def test_the_picture_stands_by_itself(tg: Tg, tmp_path: Path) -> None:
    code, _, _ = tg(*ASK, "--svg", "matrix.svg", "--json")
    assert code == 0
    root = ET.parse(tmp_path / "matrix.svg").getroot()  # noqa: S314 - our own file
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[0] == "Correlation of daily returns, 90 days to 2024-04-09"
    assert texts.count("SPY") == 2
    framed = [e for e in root.iter("{http://www.w3.org/2000/svg}rect") if e.get("stroke") == "#222"]
    assert len(framed) == 2, "BTC and ETH, once on either side of the diagonal"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--until", "2024-04-09", "--instruments", COINS), "Missing option '--data'"),
        ((*ASK[:4], "--until", "2030-01-01"), "2030-01-01"),
        ((*ASK[:6], "--references", "USEQUITY-ADJ/SPX-USD"), "did you mean USEQUITY-ADJ/SPY-USD"),
    ],
)
def test_what_is_wrong_is_one_sentence(tg: Tg, arguments: tuple[str, ...], words: str) -> None:
    code, out, err = tg(*arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1, err
    assert words in err


REAL = ("BTC", "ETH", "XRP", "SOL", "ADA", "LTC", "LINK", "AVAX", "DOT", "DOGE")
WATCHED = ("SPY", "QQQ", "GLD", "TLT")


@pytest.mark.data
def test_the_picture_of_the_documentation_is_what_real_data_say(
    tg: Tg, data_dir: Path, tmp_path: Path
) -> None:
    code, out, err = tg(
        "--data", str(data_dir), "--until", "2024-05-01", "--svg", "real.svg", "--json",
        "--instruments", ",".join(f"{coin}/USDT" for coin in REAL),
        "--references", ",".join(f"USEQUITY-ADJ/{name}-USD" for name in WATCHED),
    )  # fmt: skip
    assert code == 0, err
    said = json.loads(out)
    # Coins are one block, shares another (facts/data.md 5.2).
    assert 0.55 < said["mean_instruments"] < 0.75
    matrix, names = np.array(said["matrix"]), said["names"]
    assert matrix[names.index("SPY"), names.index("QQQ")] > 0.8
    assert 0.1 < matrix[names.index("BTC/USDT"), names.index("SPY")] < 0.5
    assert abs(matrix[names.index("BTC/USDT"), names.index("TLT")]) < 0.2
    assert said["clusters"][0] == said["clusters"][1], "BTC and ETH"
    assert (tmp_path / "real.svg").read_text() == (DOCS / "correlation.svg").read_text()
