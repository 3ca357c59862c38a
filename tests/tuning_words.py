"""A small tuning: an agent that hardly ever speaks, on a recorded market with a planted trend."""

from decimal import Decimal
from pathlib import Path

from tests.baseline_words import trending, write_candles
from tg_actors.backtest.market_bars import MarketBars, load_bars
from tg_actors.backtest.population import TradingCosts
from tg_actors.backtest.tuning import TuningSpec
from tg_actors.market.config import MarketSpec, RecordedSource
from tg_actors.market.timeframes import Timeframe
from tg_actors.portfolio.stances import TargetRule
from tg_actors.technical.spec import TechnicalSpec, WeighedCondition

SYMBOLS = ("AAA/USDT", "BBB/USDT")

#: Enters on nothing but near certainty, so that there is something to gain.
DEAF = TechnicalSpec(
    name="deaf",
    horizon_bars=24,
    conditions=tuple(
        WeighedCondition(name=name, weight=1.0) for name in ("ema_stack", "ema_slope", "adx_trend")
    ),
    enter_score=0.9,
    exit_score=0.0,
    agreement_min=1.0,
)


def planted_market(folder: Path, days: int = 40) -> MarketSpec:
    """Write and describe a market whose trends last; the first 13 days warm the indicators up."""
    write_candles(folder, SYMBOLS, trending((days + 13) * 24, len(SYMBOLS)))
    return MarketSpec(
        symbols=SYMBOLS,
        timeframe=Timeframe.HOUR_1,
        source=RecordedSource(data=str(folder), from_utc="2024-01-14"),
        spread_bps=dict.fromkeys(SYMBOLS, Decimal(2)),
    )


def tuning(
    market: MarketSpec, trials: int = 8, windows: int = 2, batch: int = 1
) -> tuple[TuningSpec, MarketBars]:
    """A tuning of the deaf agent over the whole market."""
    bars = load_bars(market)
    spec = TuningSpec(
        agent=DEAF,
        market=market,
        cycles=len(bars),
        rule=TargetRule(confidence_frac_min=0.3, band_frac=0.1),
        costs=TradingCosts(fee_frac=0.0005, slippage_bps=1.0),
        windows=windows,
        trials=trials,
        batch=batch,
        seed=3,
    )
    return spec, bars
