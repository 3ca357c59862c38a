"""Would an agent have earned as much on other candles, in another order of trades, with other trades? Seeded.

The agent is heard on the market and on markets of the same candles in another order
(:func:`~tg_actors.backtest.validation.montecarlo.resampled_candles`); its trades are shuffled and drawn anew.
"""

from collections.abc import Callable, Sequence

import numpy as np
from pydantic import Field

from tg_actors.agents.kinds import AgentSpec, open_agent
from tg_actors.backtest.evaluation import Chorus
from tg_actors.backtest.kernel import SleevesReplay
from tg_actors.backtest.kernel_trades import trades
from tg_actors.backtest.market_bars import MarketBars, bars_of
from tg_actors.backtest.population import CASH, DayGrid, TradingCosts, outcome, play, sharpes_365
from tg_actors.backtest.tape import Tape, TapedFeed
from tg_actors.backtest.validation.bootstrap import Interval
from tg_actors.backtest.validation.montecarlo import resampled_candles, resampled_trades, shuffled_trades
from tg_actors.backtest.validation.significance import benjamini_hochberg, holm
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.portfolio.stances import TargetRule
from tg_actors.rl.model import Model

_VOLUME, _CLOSE = 4, 3
_LEVEL = 0.95


class Robustness(Message):
    """One agent against what else might have happened; None where it never traded.

    ``candles_p_value``: how often other candles earned a Sharpe ratio at least as high, the market itself
    counted among them; ``sharpe_other_candles`` is the interval of theirs. ``holm`` and
    ``benjamini_hochberg`` are that chance with all agents of the table taken into account.
    ``drawdown_frac`` is on the marks of every bar; ``drawdown_shuffled`` on closed trades, the same ones in
    another order; ``return_resampled``: total return of as many trades like them.
    """

    agent: str
    costs: str
    bars: int
    trades: int
    sharpe_daily_365: float
    candles: int
    candles_p_value: float = Field(gt=0, le=1)
    holm: float = Field(gt=0, le=1)
    benjamini_hochberg: float = Field(gt=0, le=1)
    sharpe_other_candles: Interval
    drawdown_frac: float
    drawdown_shuffled: Interval | None
    return_resampled: Interval | None


def robustness(
    spec: AgentSpec,
    tape: Tape,
    rule: TargetRule,
    costs: TradingCosts,
    *,
    seed: int,
    candles: int,
    block_bars: float,
    model: Model | None = None,
    tell: Callable[[], None] = lambda: None,
) -> Robustness:
    """Examine one agent; ``tell`` hears of each market that was heard.

    Args:
        spec: of the agent.
        tape: the market; facts and books belong to its own candles and are left out of the others.
        rule: when opinions become targets.
        costs: of a fill.
        seed: of all that is drawn.
        candles: other markets.
        block_bars: mean length of the blocks of candles that stay together.
        model: what a learned agent asks.
        tell: called after every market.

    Raises:
        UserError: an instrument has no bar at the beginning.
    """
    grid = _filled(tape)
    own = _play(spec, model, tape, grid, rule, costs)
    tell()
    sharpe = _sharpe(tape, own)
    others = np.empty(candles)
    for k in range(candles):
        other = resampled_candles(grid, seed=seed + k, block_bars=block_bars)
        others[k] = _sharpe(tape, _play(spec, model, tape.replaced(other), other, rule, costs))
        tell()
    p_value = (1.0 + float((others >= sharpe).sum())) / (1.0 + candles)
    low, high = np.quantile(others, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    profits = _profits(own)
    return Robustness(
        agent=spec.name,
        costs=costs.sentence,
        bars=tape.cycles,
        trades=profits.size,
        sharpe_daily_365=sharpe,
        candles=candles,
        candles_p_value=p_value,
        holm=p_value,
        benjamini_hochberg=p_value,
        sharpe_other_candles=Interval(low=low, high=high, level_frac=_LEVEL),
        drawdown_frac=outcome(spec.name, _days(tape), own).drawdown_frac,
        drawdown_shuffled=shuffled_trades(profits, seed=seed).interval("drawdown") if profits.size else None,
        return_resampled=resampled_trades(profits, seed=seed).interval("total_return")
        if profits.size
        else None,
    )


def together(found: Sequence[Robustness]) -> list[Robustness]:
    """Take into account that so many agents were tried at once."""
    p_values = np.array([one.candles_p_value for one in found])
    adjusted = zip(found, holm(p_values), benjamini_hochberg(p_values), strict=True)
    return [
        one.model_copy(update={"holm": float(any_false), "benjamini_hochberg": float(part_false)})
        for one, any_false, part_false in adjusted
    ]


def _filled(tape: Tape) -> F64:
    """Bars without holes: where there is none, one stands at the last close without volume."""
    grid = tape.ohlcv()
    for i, symbol in enumerate(tape.symbols):
        known = ~np.isnan(grid[:, i, _CLOSE])
        if not known[0]:
            raise UserError(
                f"{symbol} has no bar at the beginning: choose a later --from or other --instruments"
            )
        last = np.maximum.accumulate(np.where(known, np.arange(len(grid)), 0))
        holes = np.flatnonzero(~known)
        grid[holes, i, :_VOLUME] = grid[last[holes], i, _CLOSE][:, np.newaxis]
        grid[holes, i, _VOLUME] = 0.0
    return grid


def _play(
    spec: AgentSpec, model: Model | None, tape: Tape, grid: F64, rule: TargetRule, costs: TradingCosts
) -> SleevesReplay:
    """Hear the agent over a market and replay what it wants."""
    chorus = Chorus([open_agent(spec, tape.symbols, tape.bar_ns, model)], len(tape.symbols), rule)
    builder = SnapshotBuilder(TapedFeed(tape), needs=spec.needs())
    for cycle in range(tape.cycles):
        snapshot = builder.advance(cycle)
        if snapshot is not None:
            chorus.hear(snapshot)
    return play(_bars(tape, grid), np.asfortranarray(chorus.targets()[spec.name]), costs)


def _bars(tape: Tape, grid: F64) -> MarketBars:
    closes = np.array([tape.close_ns(cycle) for cycle in range(tape.cycles)], dtype=np.int64)
    return bars_of(tape.symbols, tape.bar_ns, closes, grid)


def _days(tape: Tape) -> DayGrid:
    return DayGrid(np.array([tape.close_ns(cycle) for cycle in range(tape.cycles)]), tape.bar_ns)


def _sharpe(tape: Tape, sleeves: SleevesReplay) -> float:
    """Yearly Sharpe ratio of the daily returns, 0 of one that never trades."""
    return float(sharpes_365(_days(tape).returns(sleeves.equity, CASH)[np.newaxis])[0])


def _profits(sleeves: SleevesReplay) -> F64:
    """Profit of every closed trade as a part of all equity at its entry, in the order of their ends."""
    equity = sleeves.equity
    ended = [
        (trip.exit_bar, trip.pnl / float(equity[trip.entry_bar]))
        for column in sleeves.columns
        for trip in trades(column)
        if trip.exit_bar is not None and equity[trip.entry_bar] > 0
    ]
    return np.array([profit for _, profit in sorted(ended)])
