"""What a fill costs: fee and slippage models by name, always against the trader.

A fill of quantity q at the market's price p pays ``p * (1 + s)`` when it buys and receives
``p * (1 - s)`` when it sells, with ``s = base + min(impact * abs(q), impact_max)``, all at least 0. A model
gives the terms for every bar; but for the volume of the bar that fills, it reads what is known before.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from tg_actors.domain.blocks import F64

BPS = 1e-4
#: Slippage in basis points stays below this, in the practice exchange as here: more is a unit mistake.
BPS_LIMIT = 1000
#: Bars of the trailing volatility behind ``volatility``.
VOLATILITY_BARS = 24


class FeeName(StrEnum):
    """Which rate a fill pays; both are flat fractions of its notional."""

    TAKER = "taker"
    MAKER = "maker"


def flat_fee_frac(name: FeeName, maker_frac: float, taker_frac: float) -> float:
    """Return the fee fraction of a venue that the named model charges for every fill.

    The kernel's orders take, so ``maker`` is optimistic: it supposes a passive fill at the same price.
    """
    return {FeeName.TAKER: taker_frac, FeeName.MAKER: maker_frac}[name]


class SlippageName(StrEnum):
    """How far from the market's price a fill lands."""

    NONE = "none"
    FIXED_BPS = "fixed_bps"
    VOLATILITY = "volatility"
    IMPACT_BPS = "impact_bps"


#: The models whose number is in basis points.
_IN_BPS = frozenset({SlippageName.FIXED_BPS, SlippageName.IMPACT_BPS})


@dataclass(frozen=True, slots=True)
class SlippageTerms:
    """``base (T,)``, ``impact (T,)`` per unit of quantity, and where that ends, as fractions of the price."""

    base: F64
    impact: F64
    impact_max: float = 0.0


@dataclass(frozen=True, slots=True)
class SlippageModel:
    """A named model and its one number.

    ``none``; ``fixed_bps``: that many basis points; ``volatility``: that many times the trailing standard
    deviation of the bar's returns over 24 bars, known one bar before the fill; ``impact_bps``: basis points
    times participation (quantity wanted over the volume of the bar that fills, at most 1; it needs volumes).

    Raises:
        ValueError: the number is negative or not finite, 1000 basis points or more, or ``none`` comes with
            one.
    """

    name: SlippageName = SlippageName.NONE
    value: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.value < np.inf:
            raise ValueError(f"slippage {self.name.value}: {self.value} is not a number of at least 0")
        if self.name is SlippageName.NONE and self.value:
            raise ValueError("slippage none takes no number")
        if self.name in _IN_BPS and self.value >= BPS_LIMIT:
            raise ValueError(
                f"slippage {self.name.value}: {self.value:g} must be below {BPS_LIMIT} basis points"
            )

    def terms(self, close: F64, volume: F64 | None) -> SlippageTerms:
        """Return the terms for every bar.

        Raises:
            ValueError: the model needs volumes and there are none.
        """
        return _TERMS[self.name](self.value, close, volume)


def parse_slippage(text: str) -> SlippageModel:
    """Read ``NAME`` or ``NAME:VALUE``.

    Raises:
        ValueError: one sentence saying what is wrong.
    """
    name, _, number = text.partition(":")
    if name not in set(SlippageName):
        known = ", ".join(SlippageName)
        raise ValueError(f"slippage {name!r} is unknown: known are {known}, as NAME:VALUE")
    try:
        value = float(number) if number else 0.0
    except ValueError:
        raise ValueError(f"slippage {name}: {number!r} is not a number") from None
    return SlippageModel(SlippageName(name), value)


def _none(_value: float, close: F64, _volume: F64 | None) -> SlippageTerms:
    zeros = np.zeros(len(close))
    return SlippageTerms(zeros, zeros)


def _fixed(value: float, close: F64, _volume: F64 | None) -> SlippageTerms:
    return SlippageTerms(np.full(len(close), value * BPS), np.zeros(len(close)))


def _volatility(value: float, close: F64, _volume: F64 | None) -> SlippageTerms:
    return SlippageTerms(value * trailing_volatility(close), np.zeros(len(close)))


def _impact(value: float, close: F64, volume: F64 | None) -> SlippageTerms:
    if volume is None:
        raise ValueError("slippage impact_bps needs the volume of every bar")
    # Without volume nobody is there to trade with: the whole impact for the smallest order.
    impact = np.divide(value * BPS, volume, out=np.full(len(close), np.inf), where=volume > 0)
    return SlippageTerms(np.zeros(len(close)), impact, value * BPS)


_TERMS: Mapping[SlippageName, Callable[[float, F64, F64 | None], SlippageTerms]] = MappingProxyType(
    {
        SlippageName.NONE: _none,
        SlippageName.FIXED_BPS: _fixed,
        SlippageName.VOLATILITY: _volatility,
        SlippageName.IMPACT_BPS: _impact,
    }
)


def trailing_volatility(close: F64, bars: int = VOLATILITY_BARS) -> F64:
    """Return per bar the standard deviation (ddof=0) of the last returns before it; 0 before the second.

    Bar t reads the closes up to t-1, and fewer than ``bars`` returns while there are no more.
    """
    volatility = np.zeros(len(close))
    if len(close) < 3:  # noqa: PLR2004 - one return has no spread
        return volatility
    returns = close[1:] / close[:-1] - 1
    sums = np.concatenate(([0.0], np.cumsum(returns)))
    squares = np.concatenate(([0.0], np.cumsum(returns * returns)))
    last = np.arange(1, len(close) - 1)
    first = np.maximum(last - bars, 0)
    count = last - first
    mean = (sums[last] - sums[first]) / count
    variance = (squares[last] - squares[first]) / count - mean * mean
    volatility[2:] = np.sqrt(np.maximum(variance, 0.0))
    return volatility
