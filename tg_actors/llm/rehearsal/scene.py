"""A market and honest answers about it: what rehearsals ask, and what a model that works would say."""

import functools
import json
from typing import Any

from tg_actors.llm.contract.answer import ANSWER_VERSION
from tg_actors.llm.contract.observation import InstrumentView, Limits, Observation
from tg_actors.llm.contract.showing import needs, observe
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.timeframes import Timeframe

SYMBOLS = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
_SEED, _CYCLE, _SPREAD_BPS = 24, 600, 2.0
LIMITS = Limits(
    confidence_frac_min=0.55,
    risk_per_trade_frac=0.01,
    position_frac_max=0.1,
    leverage_max=1.0,
    order_notional_max=5000.0,
    allow_short=False,
    trades_per_day_max=20,
    cooldown_bars=6,
    stop_atr_multiple=3.0,
)
#: What each instrument is said to do, in turn.
_PLAN = ("open_long", "open_short", "hold")


@functools.cache
def observation() -> Observation:
    """Return one observation of the simulated market, the same on every machine."""
    feed = SimulatedFeed(_SEED, SYMBOLS, Timeframe.HOUR_1, dict.fromkeys(SYMBOLS, _SPREAD_BPS))
    snapshot = SnapshotBuilder(feed, needs=needs()).advance(_CYCLE)
    if snapshot is None:
        raise ValueError("the simulated market has no end")
    return observe(snapshot, venue="simulated", limits=LIMITS)


def answer(shown: Observation) -> dict[str, Any]:
    """Return a sound answer about an observation, as plain JSON values."""
    decisions = [
        decision(symbol, shown.instruments[symbol], _PLAN[k % len(_PLAN)])
        for k, symbol in enumerate(shown.symbols)
    ]
    return {"version": ANSWER_VERSION, "decisions": decisions, "note": "", "abstain": None}


def answer_text(shown: Observation) -> str:
    """Return :func:`answer` as a model writes it."""
    return json.dumps(answer(shown), indent=1)


def decision(symbol: str, view: InstrumentView, action: str) -> dict[str, Any]:
    """Return one decision that respects limits, sides and grounds."""
    rsi, last, atr = view.indicators["rsi_14"], view.last, view.indicators["atr_14"]
    if rsi is None or last is None or atr is None:
        raise ValueError(f"{symbol} is still warming up")
    side = {"open_long": 1.0, "open_short": -1.0}.get(action, 0.0)
    exits = {
        "stop_loss": round(last - side * 3 * atr, 6),
        "take_profits": [round(last + side * 4 * atr, 6)],
        "invalidations": [
            {
                "left": "rsi_14",
                "op": "below" if side > 0 else "above",
                "right": None,
                "level": round(rsi - side * 15, 2),
            }
        ],
        "time_stop_bars": 48,
        "text": "out when momentum turns",
    }
    return {
        "symbol": symbol,
        "action": action,
        "conviction": 0.62 if side else 0.5,
        "size": {"kind": "risk_frac", "value": 0.005} if side else None,
        "entry": {"kind": "market", "limit_price": None, "slippage_bps_max": 20.0} if side else None,
        "exits": exits if side else None,
        "leverage": None,
        "horizon_bars": 24,
        "evidence": [{"path": "indicators.rsi_14", "value": rsi}],
        "reasoning": f"RSI stands at {rsi}, the last close at {last}.",
    }
