"""Families that look at the clock, and those that toss a coin."""

import numpy as np

from tg_actors.backtest.baselines.family import SIDES, Family, grid
from tg_actors.backtest.baselines.studies import HOUR_NS, Studies
from tg_actors.domain.blocks import F64

_DAY_HOURS = 24
_WEEK_DAYS = 7
#: 1970-01-01 was a Thursday; Monday is 0.
_EPOCH_WEEKDAY = 3


def _hour(studies: Studies, first: int, hours: int) -> F64:
    """Long from ``first`` o'clock UTC for some hours: decided at a close for the bar that follows."""
    now = (studies.close_ns // HOUR_NS) % _DAY_HOURS
    return _for_all(studies, (now - first) % _DAY_HOURS < hours)


def _weekday(studies: Studies, first: int, days: int) -> F64:
    """Long from a weekday, Monday is 0, for some days."""
    today = (studies.close_ns // (_DAY_HOURS * HOUR_NS) + _EPOCH_WEEKDAY) % _WEEK_DAYS
    return _for_all(studies, (today - first) % _WEEK_DAYS < days)


def _month_turn(studies: Studies, before: int, after: int) -> F64:
    """Long around the turn of a month: the last and the first days."""
    days = studies.close_ns // (_DAY_HOURS * HOUR_NS)
    moments = days.astype("datetime64[D]")
    month = moments.astype("datetime64[M]")
    into = (moments - month.astype("datetime64[D]")).astype(np.int64)
    left = ((month + 1).astype("datetime64[D]") - moments).astype(np.int64)
    return _for_all(studies, (into < after) | (left <= before))


def _for_all(studies: Studies, held: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> F64:
    return np.where(np.isnan(studies.close), 0.0, held.astype(np.float64))


def _random(studies: Studies, seed: int, bars: int, part: float, side: str) -> F64:
    """Toss a coin every ``bars`` bars, per instrument: in for a part of the time, whatever happens."""
    n, count = studies.shape
    # Bar by bar, so that a longer market begins with the same tosses.
    tosses = np.random.default_rng(seed).random((-(-count // bars), n, 2))
    toward = np.where((tosses[:, :, 1] < 0.5) & (side == "both"), -1.0, 1.0)  # noqa: PLR2004 - a fair coin
    stance = np.where(tosses[:, :, 0] < part, toward, 0.0)
    return np.where(np.isnan(studies.close), 0.0, np.repeat(stance, bars, axis=0)[:count].T)


FAMILIES = (
    Family(
        "hour",
        _hour,
        grid(range(0, _DAY_HOURS, 2), (2, 6, 12)),
        "Eross et al. 2019, Finance Research Letters 30: intraday patterns of bitcoin",
        is_seasonal=True,
    ),
    Family(
        "weekday",
        _weekday,
        grid(range(_WEEK_DAYS), (1, 2, 4)),
        "Caporale, Plastun 2019, Finance Research Letters 31: the day of the week in crypto markets",
    ),
    Family(
        "month_turn",
        _month_turn,
        grid((1, 3), (2, 4)),
        "Lakonishok, Smidt 1988, Review of Financial Studies 1: turn of the month",
    ),
    Family(
        "random",
        _random,
        grid(range(10), (6, 24, 72, 240), (0.3, 0.7), SIDES),
        "coin tosses whose turnover spans that of the other families: what luck alone earns after costs",
    ),
)
