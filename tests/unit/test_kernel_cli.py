"""Both engines on the command line: the same flags, the same shape, the same numbers."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.kernel_words import held_targets, market
from tg_actors.cli.backtest import app
from tg_actors.domain.errors import UserError


def files(tmp_path: Path, bars: int = 60) -> list[str]:
    ohlcv, targets = market(5, bars), held_targets(5, bars, (0.0, 0.5, 1.0))
    stamps = [1_600_000_000 + 3_600 * k for k in range(bars)]
    rows = [",".join([str(at), *map(repr, bar)]) for at, bar in zip(stamps, ohlcv.tolist(), strict=True)]
    said = [f"{at},{target}" for at, target in zip(stamps, targets.tolist(), strict=True)]
    (tmp_path / "bars.csv").write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    (tmp_path / "signals.csv").write_text("\n".join(["timestamp,target", *said]))
    return ["--signals", str(tmp_path / "signals.csv"), "--bars", str(tmp_path / "bars.csv")]


def answer(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    said: dict[str, Any] = json.loads(result.stdout)
    return said


@pytest.mark.parametrize("fill", ["next_open", "signal_close"])
def test_both_engines_answer_alike(tmp_path: Path, fill: str) -> None:
    flags = [*files(tmp_path), "--fill", fill, "--fee-frac", "0.001", "--slippage", "fixed_bps:2"]
    kernel, event = answer("kernel", *flags), answer("event", *flags)
    assert (kernel.pop("engine"), event.pop("engine")) == ("kernel", "event")
    assert kernel["trades_total"] == len(kernel["trades"]) > 2
    assert kernel["fills"] == event["fills"]
    assert kernel["final_equity"] == pytest.approx(event["final_equity"], rel=1e-9)
    for ours, theirs in zip(kernel["trades"], event["trades"], strict=True):
        assert ours["entry_time"] == theirs["entry_time"]
        assert ours["pnl"] == pytest.approx(theirs["pnl"], abs=1e-6)
        assert ours.keys() == theirs.keys()
    assert kernel.keys() == event.keys()


def test_volumes_may_be_missing_where_nothing_asks_for_them(tmp_path: Path) -> None:
    flags = files(tmp_path, 4)
    bars = Path(flags[3])
    bars.write_text("\n".join(line.rpartition(",")[0] for line in bars.read_text().splitlines()))
    assert answer("kernel", *flags)["final_equity"] == pytest.approx(answer("event", *flags)["final_equity"])
    with pytest.raises(UserError, match="needs volumes"):
        answer("kernel", *flags, "--slippage", "impact_bps:5")


@pytest.mark.parametrize("engine", ["kernel", "event"])
def test_slippage_of_a_tenth_is_a_unit_mistake(tmp_path: Path, engine: str) -> None:
    with pytest.raises(UserError, match="fixed_bps: 1000 must be below 1000 basis points"):
        answer(engine, *files(tmp_path, 4), "--slippage", "fixed_bps:1000")


@pytest.mark.parametrize("cash", ["1e300", "1e-30"])
def test_the_desk_refuses_what_its_decimals_cannot_hold(tmp_path: Path, cash: str) -> None:
    with pytest.raises(UserError, match="beyond the desk's decimals: choose other units, or use the kernel"):
        answer("event", *files(tmp_path, 4), "--cash", cash)


def test_people_get_a_table(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["kernel", *files(tmp_path)], catch_exceptions=False)
    assert "final equity:" in result.stdout


def test_the_rest_of_the_trades_is_open(tmp_path: Path) -> None:
    flags = files(tmp_path, 4)
    Path(flags[1]).write_text("target\n1\n1\n1\n1\n")
    (trade,) = answer("kernel", *flags)["trades"]
    assert (trade["state"], trade["exit_time"], trade["exit_price"]) == ("open", None, None)
    assert trade["entry_time"] == "2020-09-13T13:26:40Z"
