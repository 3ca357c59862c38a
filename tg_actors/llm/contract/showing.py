"""From a market snapshot to an observation: one indicator path, nothing computed twice, nothing invented."""

from collections.abc import Mapping

import numpy as np

from tg_actors.domain.blocks import F64, Depth, MarketSnapshot, Window
from tg_actors.domain.decisions import Account, RegimeView
from tg_actors.domain.orders import TradingState
from tg_actors.llm.contract.observation import (
    AccountView,
    Bar,
    BookView,
    FactView,
    InstrumentView,
    Limits,
    Mode,
    Observation,
    PositionView,
    RegimeShown,
    Series,
)
from tg_actors.market.facts import FACTS
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe, instant_text

#: Bars and days that are shown.
WINDOW_BARS = 24
DAYS = 14
DEPTH_LEVELS = 20
_DIGITS = 6
_S = 10**9
#: A fact or a book that is older than this is named as old.
_OLD_S = 6 * 3600.0
_BPS = 10_000.0


def needs() -> MarketNeeds:
    """Return what a snapshot must hold for an observation."""
    return MarketNeeds(window_bars=WINDOW_BARS, days=DAYS, facts=True, depth_levels=DEPTH_LEVELS)


def observe(
    snapshot: MarketSnapshot,
    *,
    venue: str,
    limits: Limits,
    regime: RegimeView | None = None,
    account: Account | None = None,
    reporting_currency: str = "",
) -> Observation:
    """Return what a model is shown of a snapshot; with an account it is a trader's, else a signal's."""
    instruments = {symbol: _instrument(snapshot, i) for i, symbol in enumerate(snapshot.symbols)}
    return Observation(
        mode=Mode.SIGNAL if account is None else Mode.TRADER,
        as_of_utc=instant_text(snapshot.at_ns),
        venue=venue,
        timeframe=_timeframe(snapshot.bar_ns),
        instruments=instruments,
        regime=None if regime is None else _regime(regime),
        limits=limits,
        account=None if account is None else _account(account, reporting_currency),
    )


def shown(value: float) -> float | None:
    """Return a number with six significant digits, None where it is not known."""
    return float(f"{value:.{_DIGITS}g}") + 0.0 if np.isfinite(value) else None


def _timeframe(bar_ns: int) -> str:
    known = {timeframe.bar_ns: timeframe.value for timeframe in Timeframe}
    return known.get(bar_ns, f"{bar_ns // _S}s")


def _instrument(snapshot: MarketSnapshot, i: int) -> InstrumentView:
    bid, ask = float(snapshot.bid[i]), float(snapshot.ask[i])
    indicators = {
        name: shown(float(value))
        for name, value in zip(snapshot.feature_names, snapshot.features[i], strict=True)
    }
    series, days = _series(snapshot.window, i), _series(snapshot.days, i)
    book = None if snapshot.depth is None else _book(snapshot.depth, i, snapshot.at_ns)
    facts = _facts(snapshot, i)
    return InstrumentView(
        last=shown(float(snapshot.ohlcv[i, 3])),
        bid=shown(bid),
        ask=shown(ask),
        spread_bps=shown((ask - bid) / ((ask + bid) / 2) * _BPS),
        indicators=indicators,
        series=series,
        days=days,
        book=book,
        facts=facts,
        quality=(*_bar_quality(snapshot, i), *_part_quality(indicators, series, days, book, facts)),
    )


def _bar_quality(snapshot: MarketSnapshot, i: int) -> tuple[str, ...]:
    if not snapshot.close_ns[i]:
        return ("price: no bar yet",)
    if not snapshot.is_fresh[i]:
        return (f"price: {int(snapshot.age_ns[i]) // _S} s old",)
    return ()


def _part_quality(
    indicators: Mapping[str, float | None],
    series: Series | None,
    days: Series | None,
    book: BookView | None,
    facts: Mapping[str, FactView | None],
) -> tuple[str, ...]:
    said = []
    if warming := sum(value is None for value in indicators.values()):
        said.append(f"indicators: {warming} warming up")
    for name, one in (("series", series), ("days", days)):
        holes = 0 if one is None else sum(bar[3] is None for bar in one.bars)
        said += [f"{name}: missing"] if one is None else [f"{name}: {holes} bars missing"] if holes else []
    said += ["book: missing"] if book is None else ["book: old"] if book.age_s > _OLD_S else []
    said += [f"{name}: missing" for name, fact in facts.items() if fact is None]
    said += [f"{name}: old" for name, fact in facts.items() if fact is not None and fact.age_s > _OLD_S]
    return tuple(said)


def _series(window: Window | None, i: int) -> Series | None:
    if window is None or not len(window.ohlcv) or np.isnan(window.ohlcv[:, i, 3]).all():
        return None
    return Series(
        timeframe=_timeframe(window.bar_ns),
        end_utc=instant_text(window.end_ns),
        bars=tuple(_bar(row) for row in _newest(window, i)),
    )


def _newest(window: Window, i: int) -> F64:
    """The shown end of a window: other readers of a snapshot may have asked for a longer one."""
    length = DAYS if window.bar_ns == Timeframe.DAY_1.bar_ns else WINDOW_BARS
    return window.ohlcv[-length:, i]


def _bar(row: F64) -> Bar:
    open_, high, low, close, volume = (shown(float(value)) for value in row)
    return open_, high, low, close, volume


def _book(depth: Depth, i: int, at_ns: int) -> BookView | None:
    if not depth.as_of_ns[i]:
        return None
    sizes = np.nansum(depth.size[i, :, :DEPTH_LEVELS], axis=1)
    whole = float(sizes.sum())
    return BookView(
        imbalance=shown(float(sizes[0] - sizes[1]) / whole) if whole else None,
        bid_size=shown(float(sizes[0])),
        ask_size=shown(float(sizes[1])),
        levels=int(min(np.isfinite(depth.price[i]).sum(axis=1).max(), DEPTH_LEVELS)),
        age_s=(at_ns - int(depth.as_of_ns[i])) / _S,
    )


def _facts(snapshot: MarketSnapshot, i: int) -> dict[str, FactView | None]:
    if snapshot.facts is None:
        return {}
    rows = zip(snapshot.facts.names, snapshot.facts.values[i], snapshot.facts.as_of_ns[i], strict=True)
    return {
        name: _fact(name, float(value), (snapshot.at_ns - int(as_of_ns)) / _S)
        for name, value, as_of_ns in rows
    }


def _fact(name: str, value: float, age_s: float) -> FactView | None:
    number = shown(value)
    if number is None:
        return None
    return FactView(value=number, unit=FACTS[name].unit if name in FACTS else "", age_s=age_s)


def _regime(view: RegimeView) -> RegimeShown:
    return RegimeShown(
        label=view.regime, probabilities={name: round(p, 4) for name, p in view.probabilities.items()}
    )


def _account(account: Account, currency: str) -> AccountView:
    equity = float(account.equity)
    return AccountView(
        reporting_currency=currency,
        equity=equity,
        gross_exposure_frac=shown(float(account.gross_exposure) / equity) if equity > 0 else None,
        cash={name: float(amount) for name, amount in account.cash.items()},
        positions={symbol: _position(account, symbol, equity) for symbol in account.positions},
        is_reduce_only=account.trading_state is not TradingState.ACTIVE,
    )


def _position(account: Account, symbol: str, equity: float) -> PositionView:
    quantity, mark = account.positions[symbol], account.marks.get(symbol)
    rate = account.rates.get(symbol.partition("/")[2])
    worth = None if mark is None or rate is None else float(quantity * mark * rate)
    return PositionView(
        quantity=float(quantity),
        mark=None if mark is None else float(mark),
        weight_frac=None if worth is None or equity <= 0 else shown(worth / equity),
        is_busy=symbol in account.busy or symbol in account.blocked,
    )
