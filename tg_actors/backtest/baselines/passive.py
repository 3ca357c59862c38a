"""Families that hold without a view: all in, shares, savings plans, volatility targets."""

import numpy as np

from tg_actors.backtest.baselines import lines as along
from tg_actors.backtest.baselines.family import Family, grid
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.domain.blocks import F64

_EVERY = (24, 168, 720)


def _cash(studies: Studies) -> F64:
    return np.zeros(studies.shape)


def _buy_and_hold(studies: Studies) -> F64:
    return np.where(np.isnan(studies.close), 0.0, 1.0)


def _at_every(studies: Studies, every: int) -> F64:
    """NaN but on every ``every``-th bar since an instrument is listed, 1 there."""
    listed = np.cumsum(~np.isnan(studies.close), axis=1)
    return np.where((listed > 0) & ((listed - 1) % every == 0), 1.0, np.nan)


def _constant_mix(studies: Studies, share: float, every: int) -> F64:
    return share * _at_every(studies, every)


def _equal_weight(studies: Studies, share: float, every: int) -> F64:
    """Keep the same amount in every instrument.

    Sleeves pass no money to each other, so the amount is that share of the mean sleeve, without costs, as
    a part of each sleeve; a sleeve that has fallen below the amount is all in.
    """
    n, count = studies.shape
    worth, held, before = np.ones(n), np.zeros(n), np.full(n, np.nan)
    targets = np.full((n, count), np.nan)
    for t in range(0, count, every):
        price = studies.close[:, t]
        moved = np.nan_to_num(price / before - 1.0)
        worth = worth * (1.0 + held * moved)
        held = np.where(np.isnan(price), 0.0, np.minimum(share * worth.mean() / worth, 1.0))
        targets[:, t], before = held, price
    return targets


def _dca(studies: Studies, every: int, steps: int) -> F64:
    """Spend the same amount of cash in every step, whatever the price; then hold what was bought."""
    listed = np.cumsum(~np.isnan(studies.close), axis=1)
    step = (listed - 1) // every
    buys = (listed > 0) & ((listed - 1) % every == 0) & (step < steps)
    price = np.where(listed > 0, studies.close, 1.0)
    units = np.cumsum(np.where(buys, 1.0 / (steps * price), 0.0), axis=1)
    spent = np.minimum(np.cumsum(buys, axis=1) / steps, 1.0)
    invested = units * price
    share = invested / (invested + 1.0 - spent)
    return np.where(buys, np.minimum(share, 1.0), np.nan)


def _vol_target(studies: Studies, yearly: float, window: int, every: int) -> F64:
    size = np.minimum(yearly / np.maximum(studies.volatility(window), 1e-6), 1.0)
    return along.paused(np.nan_to_num(np.round(size * 20.0) / 20.0), every)


def _vol_managed(studies: Studies, window: int, every: int) -> F64:
    """Inverse variance against its own past, so that calm times are held in full."""
    variance = np.square(studies.volatility(window))
    usual = along.mean(variance, 3 * window)
    size = np.clip(0.5 * usual / np.maximum(variance, 1e-12), 0.0, 1.0)
    return along.paused(np.nan_to_num(np.round(size * 20.0) / 20.0), every)


def _calm_only(studies: Studies, fast: int, slow: int) -> F64:
    return (studies.volatility(fast) < studies.volatility(slow)).astype(np.float64)


FAMILIES = (
    Family("cash", _cash, ((),), "no position at all"),
    Family(
        "buy_and_hold", _buy_and_hold, ((),), "all in at the first bar, an equal part for each instrument"
    ),
    Family(
        "constant_mix",
        _constant_mix,
        grid((0.25, 0.5, 0.75), _EVERY),
        "Perold, Sharpe 1988, Financial Analysts Journal 44",
        holds=True,
    ),
    Family(
        "equal_weight",
        _equal_weight,
        grid((0.3, 0.5, 0.7), _EVERY),
        "DeMiguel, Garlappi, Uppal 2009, Review of Financial Studies 22: 1/N, rebalanced",
        holds=True,
    ),
    Family(
        "dca",
        _dca,
        grid((24, 72, 168, 336), (4, 12, 26)),
        "Constantinides 1979: the same amount in every step",
        holds=True,
    ),
    Family(
        "vol_target",
        _vol_target,
        grid((0.15, 0.3, 0.6), (48, 168, 480), (24, 168)),
        "Moreira, Muir 2017, Journal of Finance 72",
    ),
    Family(
        "vol_managed",
        _vol_managed,
        grid((48, 168, 336), (24, 168)),
        "Moreira, Muir 2017: inverse variance",
    ),
    Family("calm_only", _calm_only, grid((12, 24, 48), (168, 336, 720)), "in while volatility falls"),
)
