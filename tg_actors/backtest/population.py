"""A population of baselines on one market: what each earned after costs, day by day."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tg_actors.backtest.baselines.family import Baseline
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.costs import SlippageModel, SlippageName
from tg_actors.backtest.fills import FILL_RULES, FillRule
from tg_actors.backtest.kernel import KernelRules, OrderOn, SleevesReplay, replay_many
from tg_actors.backtest.market_bars import MarketBars
from tg_actors.domain.blocks import F64, I64
from tg_actors.portfolio.performance import DAY_NS, DAYS_PER_YEAR, RETURN_RESOLUTION

#: What every replay begins with; results are fractions of it.
CASH = 1_000_000.0


@dataclass(frozen=True, slots=True)
class TradingCosts:
    """What a fill costs and where it stands; the same for whoever is compared.

    ``fee_frac`` of the notional; ``slippage_bps`` on top of the price, half the spread included.
    """

    fee_frac: float
    slippage_bps: float
    fill: FillRule = FillRule.NEXT_OPEN

    def rules(self, on: OrderOn) -> KernelRules:
        """Return the kernel's rules."""
        slippage = SlippageModel(SlippageName.FIXED_BPS, self.slippage_bps)
        return KernelRules(fill=self.fill, fee_frac=self.fee_frac, slippage=slippage, on=on)

    @property
    def sentence(self) -> str:
        """The costs in words."""
        optimistic = " (optimistic)" if FILL_RULES[self.fill].is_optimistic else ""
        return (
            f"fee {self.fee_frac * 1e4:g} bps and slippage {self.slippage_bps:g} bps a fill, "
            f"filled at {self.fill.value}{optimistic}, borrowing free"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one strategy earned: ``returns (days,)``, the others over the whole time.

    ``turnover`` is the notional traded over mean equity, ``drawdown_frac`` is on the marks of every bar.
    """

    name: str
    returns: F64
    total_return_frac: float
    drawdown_frac: float
    turnover: float
    fills: int


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Distinct outcomes on one market, and who was left out because it did the very same.

    ``returns (k, days)`` of the portfolio of equal parts; ``day_ns (days,)`` the midnight that ends each
    day. ``twins`` maps a name that was left out to the one it equals.
    """

    names: tuple[str, ...]
    day_ns: I64
    returns: F64
    total_return_frac: F64
    drawdown_frac: F64
    turnover: F64
    twins: dict[str, str]
    costs: TradingCosts

    def __len__(self) -> int:
        return len(self.names)

    def window(self, from_ns: int, to_ns: int) -> F64:
        """Daily returns of the days that end after ``from_ns`` and not after ``to_ns``, ``(k, days)``."""
        return self.returns[:, (self.day_ns > from_ns) & (self.day_ns <= to_ns)]


class DayGrid:
    """Where the days of a market end, so that equity at every bar becomes one return a day."""

    def __init__(self, close_ns: I64, bar_ns: int) -> None:
        at_ns = np.concatenate((close_ns[:1] - bar_ns, close_ns))
        days = (at_ns - 1) // DAY_NS
        span = np.arange(days[0], days[-1] + 1)
        self._last = np.searchsorted(days, span, side="right") - 1
        #: Midnight that ends each day.
        self.day_ns: I64 = (span[1:] + 1) * DAY_NS

    def returns(self, equity: F64, initial: float) -> F64:
        """Daily returns ``(days,)`` of equity ``(T,)`` at the closes; 0 after ruin.

        A mark at midnight closes the day before; the first day begins with the initial equity.
        """
        closes = np.maximum(np.concatenate(([initial], equity))[self._last], 0.0)
        alive = closes[:-1] > 0
        return np.where(alive, closes[1:] / np.where(alive, closes[:-1], 1.0) - 1.0, 0.0)


def play(bars: MarketBars, targets: F64, costs: TradingCosts, *, holds: bool = False) -> SleevesReplay:
    """Replay targets ``(T, n)`` in equal sleeves; ``holds`` orders again wherever a target stands."""
    return replay_many(
        bars.open_, bars.close, targets, costs.rules("every_bar" if holds else "change"), CASH, bars.close_ns
    )


def outcome(name: str, days: DayGrid, sleeves: SleevesReplay) -> Outcome:
    """Sum a replay up."""
    equity = sleeves.equity
    peaks = np.maximum(np.maximum.accumulate(equity), CASH)
    traded = sum(float(np.abs(c.fills["quantity"]) @ c.fills["price"]) for c in sleeves.columns)
    worth = float(equity.mean())
    return Outcome(
        name=name,
        returns=days.returns(equity, CASH),
        total_return_frac=float(equity[-1]) / CASH - 1.0,
        drawdown_frac=float((1.0 - equity / peaks).max()),
        turnover=traded / worth if worth > 0 else 0.0,
        fills=sum(len(c.fills) for c in sleeves.columns),
    )


def run_baselines(bars: MarketBars, baselines: Sequence[Baseline], costs: TradingCosts) -> Iterator[Outcome]:
    """Play baselines one after the other in this process; neighbours share their indicators."""
    studies, days = Studies(bars), DayGrid(bars.close_ns, bars.bar_ns)
    for baseline in baselines:
        sleeves = play(bars, baseline.targets(studies), costs, holds=baseline.family.holds)
        yield outcome(baseline.name, days, sleeves)


def gather(bars: MarketBars, outcomes: Iterable[Outcome], costs: TradingCosts) -> Population:
    """Make a population of outcomes. Two with the same return on every day are one trial, not two."""
    kept: dict[bytes, Outcome] = {}
    twins: dict[str, str] = {}
    for one in outcomes:
        first = kept.setdefault(one.returns.tobytes(), one)
        if first is not one:
            twins[one.name] = first.name
    found = tuple(kept.values())
    return Population(
        names=tuple(one.name for one in found),
        day_ns=DayGrid(bars.close_ns, bars.bar_ns).day_ns,
        returns=np.array([one.returns for one in found]),
        total_return_frac=np.array([one.total_return_frac for one in found]),
        drawdown_frac=np.array([one.drawdown_frac for one in found]),
        turnover=np.array([one.turnover for one in found]),
        twins=twins,
        costs=costs,
    )


def sharpes_365(returns: F64) -> F64:
    """``sharpe_daily_365`` of each row ``(k, days)``; 0 for whoever never moves, as cash does."""
    if returns.shape[1] < 2:  # noqa: PLR2004 - one day has no deviation
        return np.zeros(len(returns))
    moved = np.ptp(returns, axis=1) > RETURN_RESOLUTION
    spread = np.where(moved, returns.std(axis=1, ddof=1), 1.0)
    return np.where(moved, returns.mean(axis=1) / spread * np.sqrt(DAYS_PER_YEAR), 0.0)


def compound(returns: F64) -> F64:
    """Total return of each row ``(k, days)``, a fraction."""
    total: F64 = np.prod(1.0 + returns, axis=1) - 1.0
    return total


def percentile(value: float, others: F64) -> float:
    """Return the part of ``others (k,)`` that a value beats, 0 to 1; who is equal counts half."""
    return float(((others < value).sum() + 0.5 * (others == value).sum()) / len(others))
