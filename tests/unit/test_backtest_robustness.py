"""An agent on other candles and with its trades in another order."""

import json

import numpy as np
import pytest

from tg_actors.backtest.population import TradingCosts
from tg_actors.backtest.robustness import Robustness, robustness, together
from tg_actors.backtest.tape import Tape, TapedFeed, record
from tg_actors.cli.backtest_robustness import robustness as command
from tg_actors.desk.config import load_agent
from tg_actors.domain.errors import UserError
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.portfolio.stances import TargetRule

RULE = TargetRule(confidence_frac_min=0.2, band_frac=0.05, allow_short=True)
FREE = TradingCosts(0.0, 0.0)
SYMBOLS = ("BTC/USDT",)


def a_tape(cycles: int = 900) -> Tape:
    return record(SimulatedFeed(4, SYMBOLS, Timeframe("1h"), {"BTC/USDT": 2.0}), cycles, MarketNeeds())


def examined(tape: Tape, candles: int = 19) -> Robustness:
    return robustness(load_agent("trend"), tape, RULE, FREE, seed=1, candles=candles, block_bars=3)


def waves(bars: int = 900) -> np.ndarray:
    """Trends of a hundred hours up and down in turn: what a trend follower earns lies in the order alone."""
    rng = np.random.default_rng(1)
    drift = np.where(np.arange(bars) // 100 % 2 == 0, 0.002, -0.002)
    close = 100 * np.cumprod(1 + drift + rng.normal(0, 0.004, bars))
    open_ = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
    return np.stack([open_, high, low, close, np.full(bars, 5.0)], axis=1)[:, np.newaxis]


def test_what_lies_in_the_order_is_not_found_on_the_same_candles_in_another() -> None:
    trending = examined(a_tape().replaced(waves()))
    assert trending.candles_p_value == 0.05  # better than all nineteen
    assert trending.sharpe_daily_365 > trending.sharpe_other_candles.high
    assert trending.trades >= 5
    assert trending.drawdown_shuffled is not None
    assert 0 < trending.drawdown_shuffled.low < trending.drawdown_shuffled.high < 1
    assert trending.return_resampled is not None


def test_who_did_worse_than_on_other_candles_is_told_how_often() -> None:
    found = examined(a_tape())
    assert found.sharpe_daily_365 < found.sharpe_other_candles.low
    assert found.candles_p_value == 0.95  # eighteen of nineteen were better, and it is counted itself


def test_the_same_seed_gives_the_same_answer_and_everybody_is_told() -> None:
    tape, told = a_tape(), []
    spec = load_agent("trend")
    ways = {"seed": 1, "candles": 3, "block_bars": 12.0}
    first = robustness(spec, tape, RULE, FREE, **ways, tell=lambda: told.append(1))  # type: ignore[arg-type] # int, float
    assert first == robustness(spec, tape, RULE, FREE, **ways)  # type: ignore[arg-type] # int, float
    assert len(told) == 4
    assert (first.bars, first.candles, first.costs) == (900, 3, FREE.sentence)


def test_a_replaced_market_keeps_its_history_and_shows_the_new_bars() -> None:
    tape = a_tape(300)
    grid = tape.ohlcv() * 2.0
    other = tape.replaced(grid)
    assert np.array_equal(other.ohlcv(), grid)
    builder, plain = SnapshotBuilder(TapedFeed(other)), SnapshotBuilder(TapedFeed(tape))
    shown, known = builder.advance(0), plain.advance(0)
    assert shown is not None
    assert known is not None
    assert shown.ohlcv == pytest.approx(2 * known.ohlcv)
    assert np.isfinite(shown.features).all()
    assert (shown.bid < shown.ohlcv[:, 3]).all()
    assert (shown.ask > shown.ohlcv[:, 3]).all()


def test_agents_are_judged_together() -> None:
    one = examined(a_tape(300), candles=4)
    found = together([one.model_copy(update={"candles_p_value": p}) for p in (0.01, 0.5, 0.02)])
    assert [agent.holm for agent in found] == pytest.approx([0.03, 0.5, 0.04])
    assert [agent.benjamini_hochberg for agent in found] == pytest.approx([0.03, 0.5, 0.03])


def test_a_market_that_begins_without_bars_is_refused() -> None:
    late = a_tape(300).begun(20)
    with pytest.raises(UserError, match="BTC/USDT has no bar at the beginning"):
        examined(late)


def test_the_command_prints_a_table_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    command("trend", instruments="BTC/USDT", cycles=300, candles=19, json_=True)
    (agent,) = json.loads(capsys.readouterr().out)["agents"]
    assert (agent["agent"], agent["bars"], agent["candles"]) == ("trend", 300, 19)
    assert 0.05 <= agent["candles_p_value"] <= 1
    command("momentum", instruments="BTC/USDT", cycles=300, candles=19)
    assert "on other candles" in capsys.readouterr().out
