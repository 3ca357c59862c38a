"""The conditions a technical agent can weigh: features in, one score -1..1 per instrument out.

A score is positive where the condition speaks for buying, NaN where a feature it uses is not
known yet. Distances are measured in ATRs, so that one scale serves every instrument and price; in
a market that stands still (ATR 0) they are 0. Scores are squashed by ``x / sqrt(1 + x * x)``: the
shape of tanh, but correctly rounded on every CPU, so that replays agree to the last bit anywhere.
"""

import math
from collections.abc import Callable

import numpy as np

from tg_actors.domain.blocks import F64, MarketSnapshot


class MarketView:
    """A snapshot as conditions read it: features by name, and an ATR that is safe to divide by."""

    def __init__(self, snapshot: MarketSnapshot) -> None:
        self._columns = snapshot.columns
        self.open = snapshot.ohlcv[:, 0]
        self.close = snapshot.ohlcv[:, 3]
        self.atr = _unit(self["atr_14"])

    def __getitem__(self, name: str) -> F64:
        return self._columns[name]


Condition = Callable[[MarketView], F64]


def ema_stack(market: MarketView) -> F64:
    """EMAs in order 9 > 21 > 50: the classical picture of a trend (Appel; Murphy 1999, ch. 9)."""
    fast, middle, slow, atr = market["ema_9"], market["ema_21"], market["ema_50"], market.atr
    return 0.5 * (squash(2.0 * (fast - middle) / atr) + squash((middle - slow) / atr))


def ema_slope(market: MarketView) -> F64:
    """Slope of EMA(50), 3 ATR of distance = 0.95.

    An EMA with factor k moves by k / (1 - k) of its distance to the close, so that distance *is*
    its slope up to a constant.
    """
    return squash((market.close - market["ema_50"]) / market.atr)


def adx_trend(market: MarketView) -> F64:
    """Direction of EMA(21) against EMA(50), as loud as ADX: silent below 15, full from 35 on.

    Wilder (1978) calls 25 a trend and 20 none; the ramp runs through both.
    """
    spread = market["ema_21"] - market["ema_50"]
    return _ramp((market["adx_14"] - 15.0) / 20.0) * squash(2.0 * spread / market.atr)


def macd_turn(market: MarketView) -> F64:
    """MACD histogram in ATRs: the trend is gaining or losing pace (Appel 1979, Aspray 1986)."""
    return squash(5.0 * market["macd_hist"] / market.atr)


def macd_level(market: MarketView) -> F64:
    """MACD line in ATRs: the faster average is above the slower one (Appel 1979)."""
    return squash(market["macd"] / market.atr)


def rsi_strength(market: MarketView) -> F64:
    """RSI above 50: gains outweigh losses (Wilder 1978, read as momentum); 65 gives 0.71."""
    return squash((market["rsi_14"] - 50.0) / 15.0)


def rsi_reversal(market: MarketView) -> F64:
    """Overbought and oversold (Wilder 1978), quiet inside 40..60: 70 and 30 give 0.71."""
    return _reversal((market["rsi_14"] - 50.0) / 20.0)


def bollinger_reversal(market: MarketView) -> F64:
    """Back from the Bollinger bands (Bollinger 2001): 0.71 at a band, 2 deviations from the mean."""
    return _reversal(_band_position(market, "bb_upper", "bb_mid", "bb_lower"))


def keltner_reversal(market: MarketView) -> F64:
    """Back from the Keltner bands (Keltner 1960, Raschke): 0.71 at a band, 2 ATR from the mean."""
    return _reversal(_band_position(market, "kc_upper", "kc_mid", "kc_lower"))


def vwap_reversal(market: MarketView) -> F64:
    """Back to the day's volume-weighted price (Berkowitz et al. 1988): 2 ATR away give 0.71."""
    return _reversal(0.5 * (market.close - market["vwap"]) / market.atr)


def donchian_break(market: MarketView) -> F64:
    """Where the close stands in the channel of the 20 bars before it; ±1 once it has left it.

    The cube keeps the inside quiet (an eighth half-way) and fades back as price returns to the
    middle, which is where Donchian's followers, the Turtles, took their exit.
    """
    high, low = market["donchian_high_20"], market["donchian_low_20"]
    position = (market.close - 0.5 * (high + low)) / _unit(0.5 * (high - low))
    bounded = np.minimum(np.maximum(position, -1.0), 1.0)
    return bounded * bounded * bounded


def squeeze_release(market: MarketView) -> F64:
    """Price leaves the middle while Bollinger's bands still lie within or near Keltner's.

    Full weight while they lie inside (a squeeze: Bollinger 2001, Carter 2005), none once they are
    half as wide again. Direction is the distance from the middle, 1 ATR = 0.71.
    """
    bollinger = market["bb_upper"] - market["bb_lower"]
    keltner = market["kc_upper"] - market["kc_lower"]
    quiet = _ramp(2.0 * (1.5 - bollinger / _unit(keltner)))
    return quiet * squash((market.close - market["bb_mid"]) / market.atr)


def volume_thrust(market: MarketView) -> F64:
    """A bar with a body on more than usual volume: silent at the mean, full from thrice on.

    Source: volume confirms price (Dow, in Murphy 1999, ch. 7).
    """
    unusual = _ramp(0.5 * (market["volume_ma_ratio"] - 1.0))
    return unusual * squash((market.close - market.open) / market.atr)


def roc_thrust(market: MarketView) -> F64:
    """Ten bars' change against what ten random bars of this ATR would do (square-root law).

    Source: time-series momentum scaled by volatility (Moskowitz, Ooi and Pedersen 2012).
    """
    roc = market["roc_10"] / 100.0
    change = market.close * roc / (1.0 + roc)
    return squash(change / (_SQRT_10 * market.atr))


def obv_flow(market: MarketView) -> F64:
    """Volume of rising minus falling bars over 20 bars (Granville 1963); a third gives 0.71."""
    return squash(3.0 * market["obv_slope"])


CONDITIONS: dict[str, Condition] = {
    condition.__name__: condition
    for condition in (
        ema_stack,
        ema_slope,
        adx_trend,
        macd_turn,
        macd_level,
        rsi_strength,
        rsi_reversal,
        bollinger_reversal,
        keltner_reversal,
        vwap_reversal,
        donchian_break,
        squeeze_release,
        volume_thrust,
        roc_thrust,
        obv_flow,
    )
}


_SQRT_10 = math.sqrt(10.0)


def squash(x: F64) -> F64:
    """Map a number of at most 1e150 into -1..1, odd and monotone; NaN stays NaN."""
    answer: F64 = x / np.sqrt(1.0 + x * x)
    return answer


def _reversal(x: F64) -> F64:
    """Against a deviation ``x``, quieter than its share below 1 and 0.71 at 1."""
    return -squash(x * np.abs(x))


def _ramp(x: F64) -> F64:
    """0 below 0, 1 above 1, NaN stays NaN."""
    # np.clip takes five times as long on short arrays.
    return np.minimum(np.maximum(x, 0.0), 1.0)


def _unit(width: F64) -> F64:
    """A width to divide by: infinite where nothing moved, so that every distance is 0 there."""
    return np.where(width == 0.0, np.inf, width)


def _band_position(market: MarketView, upper: str, mid: str, lower: str) -> F64:
    """Distance of the close from the middle of a band, ±1 at its edges."""
    half = _unit(0.5 * (market[upper] - market[lower]))
    answer: F64 = (market.close - market[mid]) / half
    return answer
