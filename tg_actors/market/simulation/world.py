"""The moving parts behind all prices: one market factor and the value of every currency in dollars.

    return of a currency = vol * season * (sqrt(w) * F + sqrt(1 - w) * E) + a weak pull home

``F`` is the market factor: regime drift plus clustered, fat-tailed noise. ``E`` is the currency's own
noise with its own volatility. Both have unit variance in the long run; ``w`` is the currency's
``market_frac``, so two currencies correlate by ``sqrt(w1 * w2)``.

A world goes forward in blocks of ``BLOCK_BARS`` bars. Every block draws from generators seeded by (seed,
name, block) and starts from the state the block before left: equal seeds give equal numbers, and a
currency's path does not depend on which others are simulated.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log, sqrt

import numpy as np
from numpy.random import PCG64, Generator, SeedSequence
from numpy.typing import NDArray

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.simulation import regimes, volatility
from tg_actors.market.simulation.currencies import Currency, name_seed
from tg_actors.market.simulation.seasons import season

BLOCK_BARS = 256
#: Blocks before cycle 0, for the warm-up of indicators: more bars than they need.
PREHISTORY_BLOCKS = 4

_YEAR_H = 8_766.0
#: Half-life of the way home to the table's price: keeps an endless market within an order of magnitude.
_HOME_HALF_LIFE_H = _YEAR_H
#: A state is kept this often, in blocks: going back starts from the nearest one.
_KEPT_EVERY = 32
#: No offset beyond this (standard deviations of an hour) is pulled back: a jump may leave a range.
_PULLED_MAX = 6.0


def generator(seed: int, name: str, number: int) -> Generator:
    """Open the random stream of one thing (a name) at one time (a number from 0 on)."""
    return Generator(PCG64(SeedSequence([seed, name_seed(name), number])))


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that the past has to say to the future.

    ``components (c + 1, 3)`` of log volatility, the market first; ``levels (c,)`` log values in
    dollars; ``offset`` is how far the factor has gone since a range began, in standard deviations of a bar.
    """

    phase: int
    offset: float
    components: F64
    levels: F64


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What a block of ``m`` bars did to ``c`` currencies.

    ``levels (m + 1, c)`` are log values before the first and after each bar. ``market_scale (m,)`` and
    ``own_scale (m, c)`` are the standard deviations that were in force, of the factor and of each own
    noise, before the currency's ``vol``; ``phases (m,)`` index ``regimes.PHASES``.
    """

    phases: NDArray[np.int64]
    levels: F64
    market_scale: F64
    own_scale: F64


class World:
    """Motion of some currencies from bar ``-PREHISTORY_BLOCKS * BLOCK_BARS`` on, block by block."""

    def __init__(self, seed: int, currencies: tuple[Currency, ...], start_ns: int, bar_ns: int) -> None:
        self._seed = seed
        self._currencies = currencies
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._hours = bar_ns / (3_600 * 10**9)
        self._home = np.array([log(one.price_usd) for one in currencies])
        self._states = {-PREHISTORY_BLOCKS: self._first_state()}

    def block(self, block: int) -> Motion:
        """Motion of the bars ``block * BLOCK_BARS`` and following; blocks start at -PREHISTORY_BLOCKS."""
        start = max(kept for kept in self._states if kept <= block)
        state = self._states[start]
        for number in range(start, block):
            _, state = self._move(number, state)
            self._keep(number + 1, state)
        motion, after = self._move(block, state)
        self._keep(block + 1, after)
        return motion

    def _keep(self, block: int, state: State) -> None:
        """Remember a state; of the old ones only every thirty-second, of the new ones the last two."""
        self._states[block] = state
        old = [kept for kept in self._states if kept < block - 1 and kept % _KEPT_EVERY and kept > 0]
        for kept in old:
            del self._states[kept]

    def _first_state(self) -> State:
        """A typical moment, on the level that leads to the table's prices at cycle 0."""
        names = ("market", *(one.name for one in self._currencies))
        components = [volatility.stationary(generator(self._seed, f"{name} began", 0)) for name in names]
        state = State(regimes.RANGE, 0.0, np.array(components), self._home)
        drifted = state
        for block in range(-PREHISTORY_BLOCKS, 0):
            _, drifted = self._move(block, drifted)
        return State(state.phase, state.offset, state.components, 2.0 * self._home - drifted.levels)

    def _move(self, block: int, state: State) -> tuple[Motion, State]:
        number = block + PREHISTORY_BLOCKS
        market = generator(self._seed, "market", number)
        own = [generator(self._seed, one.name, number) for one in self._currencies]
        normals = np.stack([rng.standard_normal((BLOCK_BARS, 3)) for rng in (market, *own)], axis=1)
        log_vols, components = volatility.log_volatility(state.components, normals, self._hours)
        phases = regimes.walk(state.phase, self._hours, BLOCK_BARS, market)
        factor, scale, offset = self._factor(market, phases, log_vols[:, 0], state.offset)
        own_log_vols = volatility.own_volatility(log_vols[:, :1], log_vols[:, 1:])
        own_scale = volatility.unit_scale(own_log_vols)
        noise = own_scale * np.stack([volatility.shocks(rng, np.ones(BLOCK_BARS)) for rng in own], axis=1)
        seasons = season(self._opens(block), self._bar_ns)[:, np.newaxis]
        returns = seasons * self._mix(factor[:, np.newaxis], noise) + self._homeward(state.levels)
        levels = np.concatenate((state.levels[np.newaxis], state.levels + np.cumsum(returns, axis=0)))
        motion = Motion(phases, levels, scale * seasons[:, 0], own_scale * seasons)
        return motion, State(int(phases[-1]), offset, components, levels[-1])

    def _factor(
        self, rng: Generator, phases: NDArray[np.int64], log_vol: F64, offset: float
    ) -> tuple[F64, F64, float]:
        """Market returns, their standard deviations in force, and the offset after the last bar."""
        table = regimes.PHASES
        vols = np.array([one.vol for one in table])[phases] / sqrt(regimes.MEAN_SQUARE_VOL)
        scale = vols * volatility.unit_scale(log_vol)
        drifts = np.array([one.drift for one in table])[phases] * sqrt(self._hours) * scale
        noise = scale * volatility.shocks(rng, np.array([one.jumps for one in table])[phases])
        pulled_max = _PULLED_MAX / sqrt(self._hours)
        keep = [0.5 ** (self._hours / one.pull_h) if one.pull_h else 1.0 for one in table]
        returns = (noise + drifts).tolist()
        for k, phase in enumerate(phases.tolist()):
            if keep[phase] == 1.0:
                offset = 0.0
                continue
            returns[k] -= max(-pulled_max, min(pulled_max, offset)) * (1.0 - keep[phase])
            offset += returns[k]
        return np.array(returns), scale, offset

    def _mix(self, factor: F64, noise: F64) -> F64:
        """Log returns ``(m, c)`` from the market's ``(m, 1)`` and the own noise ``(m, c)``."""
        vols = np.array([one.vol_frac for one in self._currencies]) * sqrt(self._hours / _YEAR_H)
        weights = np.array([one.market_frac for one in self._currencies])
        returns: F64 = vols * (np.sqrt(weights) * factor + np.sqrt(1.0 - weights) * noise)
        return returns

    def _homeward(self, levels: F64) -> F64:
        """Drift per bar towards the table's prices, the same for a whole block."""
        pull: F64 = (1.0 - 0.5 ** (self._hours / _HOME_HALF_LIFE_H)) * (self._home - levels)
        return pull

    def _opens(self, block: int) -> I64:
        first = block * BLOCK_BARS
        return self._start_ns + self._bar_ns * np.arange(first, first + BLOCK_BARS, dtype=np.int64)


def blocks_of(first_bar: int, end_bar: int) -> Iterator[tuple[int, slice]]:
    """Blocks that hold the bars from ``first_bar`` to before ``end_bar``, and which of their rows."""
    for block in range(first_bar // BLOCK_BARS, -(-end_bar // BLOCK_BARS)):
        begin = block * BLOCK_BARS
        yield block, slice(max(first_bar - begin, 0), min(end_bar - begin, BLOCK_BARS))
