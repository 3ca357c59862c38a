"""The table of indicators: what is computed, from which columns, with which parameters.

Every value comes from a TA-Lib 0.8 stream handle; nothing here is a home-made formula except the
two ratios at the end. Parameters are the textbook ones of each indicator's author.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from talib import stream

from tg_actors.domain.blocks import F64

#: Columns of a bar, in the order of ``ohlcv``.
COLUMNS = ("open", "high", "low", "close", "volume")

_HLC = ("high", "low", "close")
_OBV_SLOPE_BARS = 20


class Handle(Protocol):
    """A TA-Lib stream: the running state of one indicator. Its inputs are those of its row."""

    @property
    def value(self) -> Any:
        """The newest output."""

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Advance by one bar and return its output."""

    def peek(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output for a forming bar and stay where it is."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One row of the table.

    ``open_and_fill`` opens a handle on a history and returns it with the whole series. ``inputs``
    are bar columns or outputs of earlier rows. ``lagged`` outputs are those of the bar *before*,
    so that a bar can be compared with a channel it is no part of.
    """

    outputs: tuple[str, ...]
    open_and_fill: Callable[..., tuple[Handle, Any]]
    inputs: tuple[str, ...]
    parameters: tuple[float, ...] = ()
    lagged: bool = False


INDICATORS = (
    Indicator(("ema_9",), stream.EMA.open_and_fill, ("close",), (9,)),
    Indicator(("ema_21",), stream.EMA.open_and_fill, ("close",), (21,)),
    Indicator(("ema_50",), stream.EMA.open_and_fill, ("close",), (50,)),
    Indicator(("adx_14",), stream.ADX.open_and_fill, _HLC, (14,)),
    Indicator(("rsi_14",), stream.RSI.open_and_fill, ("close",), (14,)),
    Indicator(("macd", "macd_signal", "macd_hist"), stream.MACD.open_and_fill, ("close",), (12, 26, 9)),
    Indicator(("roc_10",), stream.ROC.open_and_fill, ("close",), (10,)),
    Indicator(("atr_14",), stream.ATR.open_and_fill, _HLC, (14,)),
    Indicator(("bb_upper", "bb_mid", "bb_lower"), stream.BBANDS.open_and_fill, ("close",), (20, 2.0, 2.0)),
    Indicator(("kc_upper", "kc_mid", "kc_lower"), stream.KC.open_and_fill, _HLC, (20, 10, 2.0)),
    Indicator(("obv",), stream.OBV.open_and_fill, ("close", "volume")),
    Indicator(("obv_change",), stream.MOM.open_and_fill, ("obv",), (_OBV_SLOPE_BARS,)),
    Indicator(("volume_mean",), stream.SMA.open_and_fill, ("volume",), (_OBV_SLOPE_BARS,)),
    Indicator(("donchian_high_20",), stream.MAX.open_and_fill, ("high",), (20,), lagged=True),
    Indicator(("donchian_low_20",), stream.MIN.open_and_fill, ("low",), (20,), lagged=True),
)

#: What :func:`features` returns, in this order; the meaning of each is in ``bank``'s docstring.
FEATURES = (
    "ema_9",
    "ema_21",
    "ema_50",
    "adx_14",
    "rsi_14",
    "macd",
    "macd_signal",
    "macd_hist",
    "roc_10",
    "atr_14",
    "bb_upper",
    "bb_mid",
    "bb_lower",
    "kc_upper",
    "kc_mid",
    "kc_lower",
    "obv",
    "obv_slope",
    "vwap",
    "volume_ma_ratio",
    "donchian_high_20",
    "donchian_low_20",
)


def features(values: Mapping[str, Any]) -> F64:
    """Complete the outputs of all indicators and lay them out in the order of :data:`FEATURES`.

    ``values`` maps every column, every output and ``vwap`` to a number or to a series ``(m,)``;
    returns ``(f,)`` or ``(m, f)``. Element by element arithmetic, so one bar and a block agree
    bit for bit.
    """
    typical = (values["high"] + values["low"] + values["close"]) / 3.0
    derived = {
        **values,
        # TA-Lib answers 0 until a session has traded; the price itself is the only fair guess.
        "vwap": np.where(np.equal(values["vwap"], 0.0), typical, values["vwap"]),
        # TA-Lib answers 0, extremely oversold, where the close has never changed.
        "rsi_14": np.where(
            np.equal(values["rsi_14"] + np.abs(values["roc_10"]), 0.0), 50.0, values["rsi_14"]
        ),
        "obv_slope": _part(values["obv_change"], _OBV_SLOPE_BARS * values["volume_mean"], -1.0, 1.0),
        "volume_ma_ratio": _part(values["volume"], values["volume_mean"], 0.0, float(_OBV_SLOPE_BARS)),
    }
    return np.ascontiguousarray(np.array([derived[name] for name in FEATURES]).T)


def _part(part: Any, whole: Any, low: float, high: float) -> Any:
    """Divide, 0 where there is no volume; rounding of TA-Lib's running sums is clipped away."""
    traded = np.not_equal(whole, 0.0)
    return np.clip(np.where(traded, part / np.where(traded, whole, 1.0), 0.0), low, high)
