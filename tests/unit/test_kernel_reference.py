"""The kernel against a slow account that walks bar by bar and knows docs/backtests.md alone."""

from dataclasses import dataclass, field
from math import isfinite, isnan

import numpy as np
import pytest

from tests.kernel_words import VOLUME
from tg_actors.backtest.costs import BPS, SlippageModel, SlippageName
from tg_actors.backtest.fills import FillRule
from tg_actors.backtest.kernel import KernelRules, replay
from tg_actors.domain.blocks import F64

_DUST, _ROUNDING = 1e-9, 1e-12


@dataclass
class SlowAccount:
    """Cash and position, and every rule in the order in which it is written down."""

    cash: float
    rules: KernelRules
    held: float = 0.0
    ruin: int | None = None
    closes: list[float] = field(default_factory=list)
    fills: list[tuple[int, int, float, float, float]] = field(default_factory=list)

    def slippage(self, size: float, volume: float) -> float:
        model = self.rules.slippage
        if model.name is SlippageName.FIXED_BPS:
            return model.value * BPS
        if model.name is SlippageName.IMPACT_BPS:
            return model.value * BPS * (min(size / volume, 1.0) if volume > 0 else 1.0)
        if model.name is SlippageName.VOLATILITY and len(self.closes) > 1:
            known = np.array(self.closes)
            return model.value * float((known[1:] / known[:-1] - 1)[-24:].std())
        return 0.0

    def fill(self, bar: int, decided: int, target: float, price: float, sized: float, volume: float) -> None:
        equity = self.cash + self.held * sized
        if self.held < 0 and (equity <= 0 or self.cash + self.held * price <= 0):
            self.end(bar)
            return
        change = target * equity / sized - self.held
        if abs(change) * sized <= _DUST * equity:
            return
        worse = self.slippage(abs(change), volume)
        paid = price * (1 + worse) if change > 0 else price * max(1 - worse, 0.0)
        if change > 0:
            change = min(change, self.cash / (paid * (1 + self.rules.fee_frac)))
        fee = abs(change) * paid * self.rules.fee_frac
        self.cash = max(self.cash - change * paid - fee, 0.0)
        left = self.held + change
        self.held = left if abs(left) > _ROUNDING * abs(change) else 0.0
        self.fills.append((bar, decided, change, paid, fee))

    def end(self, bar: int) -> None:
        if self.held:
            self.fills.append((bar, bar, -self.held, -self.cash / self.held, 0.0))
        self.cash, self.held, self.ruin = 0.0, 0.0, bar


def slow_replay(ohlcv: F64, targets: F64, rules: KernelRules, cash: float) -> tuple[SlowAccount, list[float]]:
    account, equity, last, waiting = SlowAccount(cash, rules), list[float](), 0.0, None
    for bar, (open_, _, _, close, volume) in enumerate(ohlcv.tolist()):
        if not isfinite(open_ + close):
            equity.append(equity[-1] if equity else cash)
            continue
        if waiting is not None and account.ruin is None:
            decided, target, seen = waiting
            sized = open_ if rules.size_at == "fill" else seen
            account.fill(bar, decided, target, open_, sized, volume)
        waiting, target = None, float(targets[bar])
        orders = not isnan(target) and (rules.on == "every_bar" or target != last)
        last = last if isnan(target) else target
        if orders and account.ruin is None and rules.fill is FillRule.SIGNAL_CLOSE:
            account.fill(bar, bar, target, close, close, volume)
        elif orders:
            waiting = bar, target, close
        account.closes.append(close)
        if account.ruin is None and account.cash + account.held * close <= 0:
            account.end(bar)
        equity.append(account.cash + account.held * close)
    return account, equity


def wild(rng: np.random.Generator) -> tuple[F64, F64, KernelRules]:
    """A market that may fall to nothing or rise without end, with holes, and any rules."""
    bars, spread = int(rng.integers(1, 90)), rng.choice([0.001, 0.02, 0.2, 0.5])
    close = 100 * np.exp(np.cumsum(rng.normal(0, spread, bars)))
    open_ = close * np.exp(rng.normal(0, spread / 2, bars))
    volume = rng.choice([0.0, 1.0, 10.0, 1_000.0], bars)
    ohlcv = np.column_stack([open_, np.maximum(open_, close), np.minimum(open_, close), close, volume])
    ohlcv[rng.random(bars) < rng.choice([0.0, 0.1, 0.6])] = np.nan
    steps = np.repeat(rng.uniform(-1, 1, bars), rng.integers(1, 6, bars))[:bars]
    targets = (steps, rng.uniform(-1, 1, bars), rng.choice([-1.0, 0.0, 1.0], bars))[rng.integers(3)].copy()
    targets[rng.random(bars) < rng.choice([0.0, 0.3, 0.9])] = np.nan
    name = SlippageName(str(rng.choice([*SlippageName])))
    value = 0.0 if name is SlippageName.NONE else float(rng.choice([0.0, 0.5, 20.0]))
    rules = KernelRules(
        fill=FillRule.SIGNAL_CLOSE if rng.random() < 0.5 else FillRule.NEXT_OPEN,
        fee_frac=float(rng.choice([0.0, 0.001, 0.1])),
        slippage=SlippageModel(name, value),
        size_at="fill" if rng.random() < 0.5 else "decision",
        on="change" if rng.random() < 0.5 else "every_bar",
    )
    return ohlcv, targets, rules


@pytest.mark.parametrize("seed", range(300))
def test_the_kernel_is_the_slow_account(seed: int) -> None:
    ohlcv, targets, rules = wild(np.random.default_rng(seed))
    cash = 10_000.0
    done = replay(ohlcv[:, 0], ohlcv[:, 3], targets, rules, cash, volume=ohlcv[:, VOLUME])
    account, equity = slow_replay(ohlcv, targets, rules, cash)
    assert done.ruin_bar == account.ruin
    assert done.equity.tolist() == pytest.approx(equity, rel=1e-9, abs=1e-9 * cash)
    assert [fill[:2] for fill in done.fills.tolist()] == [fill[:2] for fill in account.fills]
    for ours, theirs in zip(done.fills.tolist(), account.fills, strict=True):
        assert ours[2:] == pytest.approx(theirs[2:], rel=1e-6, abs=1e-6)
    assert (done.cash, done.quantity) == pytest.approx((account.cash, account.held), rel=1e-6, abs=1e-6)


def test_the_markets_ruin_somebody_at_a_close_and_somebody_at_a_fill() -> None:
    ruined = [slow_replay(*wild(np.random.default_rng(seed)), 10_000.0)[0] for seed in range(300)]
    assert sum(account.ruin is not None for account in ruined) > 30
    assert sum(len(account.fills) for account in ruined) > 3_000
