"""Facts of the simulated market: funding, open interest, who trades, what moves on chain; with known truth.

They come from random streams of their own, so bars are what they were without them. Calibrated on recorded
tapes (BTC/USDT spot of 2024-08-08, ETH/USD of 2021-07-01): the largest hundredth of takers' orders carries
0.3 to 0.5 of the turnover; the imbalance of small orders correlates 0.2 to 0.8 with the return of its bar,
that of large ones hardly. Whales lead where :mod:`tg_actors.market.simulation.episodes` says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.random import Generator

from tg_actors.domain.blocks import F64, I64
from tg_actors.market.facts import FACT_NAMES
from tg_actors.market.simulation import funding
from tg_actors.market.simulation.currencies import DOLLARS, currency
from tg_actors.market.simulation.episodes import Episodes, draw_episodes
from tg_actors.market.simulation.tape import Tape
from tg_actors.market.simulation.world import BLOCK_BARS, PREHISTORY_BLOCKS, generator

_MOVE_MAX = 4.0
_WHALE_SHARE, _WHALE_SHARE_SPREAD, _WHALE_SHARE_MAX = 0.4, 0.3, 0.9
#: Imbalances: standard deviation, and correlation with the bar's return.
_RETAIL, _RETAIL_FOLLOWS = 0.20, 0.6
_WHALES, _WHALES_FOLLOW = 0.30, 0.15
#: What an episode adds to the whales' imbalance, and to the log of the flows on chain.
_WHALES_LEAD = 0.25
_CHAIN_LEADS = 0.25
_IMBALANCE_MAX = 0.95
_CHAIN_FRAC, _CHAIN_SPREAD, _CHAIN_FEAR = 0.05, 0.35, 0.1
#: Open interest in days of turnover; it grows with a move that lasts, and drifts from block to block.
_OPEN_DAYS, _OPEN_MOVE, _OPEN_DRIFT = 0.5, 0.25, 0.2
#: Mean of the absolute value of a standard normal.
_USUAL_MOVE = 0.8


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """Facts of a block of ``m`` bars, and the truth behind them.

    ``values``/``as_of_ns (m, n, k)`` in the order of ``FACT_NAMES``; ``episodes`` of each instrument.
    """

    values: F64
    as_of_ns: I64
    episodes: tuple[Episodes, ...]


class FlowPrinter:
    """Print the facts of instruments block by block; equal (seed, symbol, block, tapes), equal facts."""

    def __init__(self, seed: int, symbols: tuple[str, ...], start_ns: int, bar_ns: int) -> None:
        self._seed = seed
        self._symbols = symbols
        self._start_ns = start_ns
        self._bar_ns = bar_ns
        self._past_bars = max(1, min(funding.PAST_NS // bar_ns, BLOCK_BARS))
        # The last settlement may lie one period back, and looks back from there.
        reach = -(-funding.PERIOD_NS // bar_ns) + self._past_bars
        #: Blocks before one's own whose tapes are needed.
        self.blocks_before = -(-reach // BLOCK_BARS)

    def print(self, block: int, tapes: Sequence[Tape]) -> Flows:
        """Return the facts of a block.

        ``tapes`` are those of the blocks before, as far back as there are any, and the block's own at last.
        """
        closes = self._closes(block)
        settled = closes // funding.PERIOD_NS
        known_ns = np.repeat(closes[:, np.newaxis], len(FACT_NAMES), axis=1)
        known_ns[:, FACT_NAMES.index("funding_rate_frac")] = settled * funding.PERIOD_NS
        values = np.full((BLOCK_BARS, len(self._symbols), len(FACT_NAMES)), np.nan)
        as_of_ns = np.zeros(values.shape, dtype=np.int64)
        episodes = []
        for i, symbol in enumerate(self._symbols):
            rng = generator(self._seed, f"{symbol} flows", block + PREHISTORY_BLOCKS)
            bars = _Bars.of(tapes[-1], i)
            episodes.append(draw_episodes(rng, bars.path, bars.sigma))
            columns = _trades(rng, bars, episodes[-1]) | _chain(rng, bars, episodes[-1])
            if symbol.split("/")[1] in DOLLARS:
                moves = _moves(tapes, i, self._past_bars)
                columns["open_interest_usd"] = self._open_interest(block, symbol, moves[-BLOCK_BARS:])
                columns["funding_rate_frac"] = self._funding(block, symbol, settled, moves)
            for name, column in columns.items():
                k = FACT_NAMES.index(name)
                values[:, i, k], as_of_ns[:, i, k] = column, known_ns[:, k]
        return Flows(values, as_of_ns, tuple(episodes))

    def _funding(self, block: int, symbol: str, settled: I64, moves: F64) -> F64:
        numbers, which = np.unique(settled, return_inverse=True)
        # Bars that had not closed at each settlement, counted from the end of the block.
        end_ns = self._start_ns + (block + 1) * BLOCK_BARS * self._bar_ns
        open_bars = -((numbers * funding.PERIOD_NS - end_ns) // self._bar_ns)
        past = moves[np.maximum(len(moves) - 1 - open_bars, 0)]
        return funding.rates(self._seed, symbol, numbers, past)[which]

    def _open_interest(self, block: int, symbol: str, moves: F64) -> F64:
        """Value of the open contracts at each close, ``(m,)``."""
        left, right = (
            float(generator(self._seed, f"{symbol} interest", number).standard_normal())
            for number in (block + PREHISTORY_BLOCKS, block + PREHISTORY_BLOCKS + 1)
        )
        part = np.arange(1, BLOCK_BARS + 1) / BLOCK_BARS
        drift = _OPEN_DRIFT * ((1.0 - part) * left + part * right)
        crowd = _OPEN_MOVE * np.tanh(np.abs(moves) - _USUAL_MOVE)
        base = currency(symbol.split("/", maxsplit=1)[0])
        interest: F64 = _OPEN_DAYS * base.turnover_usd * np.exp(drift + crowd)
        return interest

    def _closes(self, block: int) -> I64:
        first = block * BLOCK_BARS
        return self._start_ns + self._bar_ns * np.arange(first + 1, first + BLOCK_BARS + 1, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Bars:
    """One instrument in one block: log prices ``path (m + 1,)``, and of each bar ``(m,)`` the rest.

    ``move`` is the return in standard deviations.
    """

    path: F64
    sigma: F64
    move: F64
    volume: F64
    turnover_usd: F64

    @classmethod
    def of(cls, tape: Tape, i: int) -> "_Bars":
        """Read the tape."""
        ohlcv, sigma = tape.ohlcv[i], tape.sigma[i]
        path = np.log(np.append(ohlcv[0, 0], ohlcv[:, 3]))
        move = np.clip(np.diff(path) / sigma, -_MOVE_MAX, _MOVE_MAX)
        return cls(path, sigma, move, ohlcv[:, 4], ohlcv[:, 4] * tape.base_usd[i])


def _trades(rng: Generator, bars: _Bars, episodes: Episodes) -> dict[str, F64]:
    """Who bought and sold, by the size of the order."""
    sizes, small, large = rng.standard_normal((3, len(bars.move)))
    share = np.clip(_WHALE_SHARE * np.exp(_WHALE_SHARE_SPREAD * sizes), 0.0, _WHALE_SHARE_MAX)
    retail = _imbalance(_RETAIL, _RETAIL_FOLLOWS, bars.move, small)
    lead = _WHALES_LEAD * episodes.direction.astype(np.float64)
    whales = _imbalance(_WHALES, _WHALES_FOLLOW, bars.move, large) + lead
    retail, whales = (np.clip(one, -_IMBALANCE_MAX, _IMBALANCE_MAX) for one in (retail, whales))
    bought, sold = ((share * (1.0 + s * whales), (1.0 - share) * (1.0 + s * retail)) for s in (1.0, -1.0))
    return {
        "taker_buy_volume": bars.volume * sum(bought) / 2.0,
        "taker_sell_volume": bars.volume * sum(sold) / 2.0,
        "whale_buy_usd": bars.turnover_usd * bought[0] / 2.0,
        "whale_sell_usd": bars.turnover_usd * sold[0] / 2.0,
        "retail_buy_usd": bars.turnover_usd * bought[1] / 2.0,
        "retail_sell_usd": bars.turnover_usd * sold[1] / 2.0,
    }


def _imbalance(scale: float, follows: float, move: F64, noise: F64) -> F64:
    return scale * (follows * move + sqrt(1.0 - follows**2) * noise)


def _chain(rng: Generator, bars: _Bars, episodes: Episodes) -> dict[str, F64]:
    """Coins leave exchanges while whales accumulate; they come when the price falls, or whales distribute."""
    came, left = _CHAIN_SPREAD * rng.standard_normal((2, len(bars.move)))
    lead = _CHAIN_LEADS * episodes.direction
    usual = _CHAIN_FRAC * bars.turnover_usd
    return {
        "exchange_inflow_usd": usual * np.exp(came - _CHAIN_FEAR * bars.move - lead),
        "exchange_outflow_usd": usual * np.exp(left + lead),
    }


def _moves(tapes: Sequence[Tape], i: int, bars: int) -> F64:
    """Move of the price over the ``bars`` before each close of all tapes, in standard deviations."""
    closes = np.concatenate([tape.ohlcv[i, :, 3] for tape in tapes])
    path = np.log(np.append(tapes[0].ohlcv[i, 0, 0], closes))
    # Summed up anew for every bar: equal bars give equal bits, in whichever block somebody asks.
    squares = np.concatenate([np.zeros(bars - 1), *(tape.sigma[i] ** 2 for tape in tapes)])
    variance = np.lib.stride_tricks.sliding_window_view(squares, bars).sum(axis=1)
    now = np.arange(1, len(path))
    moves: F64 = (path[now] - path[np.maximum(now - bars, 0)]) / np.sqrt(variance)
    return moves
