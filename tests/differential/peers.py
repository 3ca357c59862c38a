"""Other engines on given bars and targets; runs in .venv-differential, which does not have TripleGain.

    python peers.py ENGINE INPUT.npz

prints {"final_equity", "fills": [[bar, quantity, price, fee]], "seconds"}. INPUT holds ohlcv (T, 5),
targets (T,), fee_frac, slippage_frac, cash, fill, size_at.
"""

import json
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

_OPEN, _CLOSE = 0, 3
_ALL_IN = 1 - 1e-15
_UNIT = 1e-12


@dataclass(frozen=True)
class Question:
    """One case."""

    ohlcv: Any
    targets: Any
    fee_frac: float
    slippage_frac: float
    cash: float
    fill: str
    size_at: str

    @property
    def orders(self) -> Any:
        """Targets where they change, NaN elsewhere."""
        before = np.concatenate(([0.0], self.targets[:-1]))
        return np.where(self.targets != before, self.targets, np.nan)


def vectorbt(question: Question) -> dict[str, Any]:
    """Target percentages as orders on the bar that fills."""
    from vectorbt import Portfolio

    close = pd.Series(question.ohlcv[:, _CLOSE])
    lag = 1 if question.fill == "next_open" else 0
    orders = pd.Series(question.orders).shift(lag)
    price = pd.Series(question.ohlcv[:, _OPEN]) if lag else close
    value_price = {"val_price": close.shift(lag)} if question.size_at == "decision" else {}

    def run() -> Any:
        return Portfolio.from_orders(
            close,
            size=orders,
            size_type="targetpercent",
            direction="both",
            price=price,
            fees=question.fee_frac,
            slippage=question.slippage_frac,
            init_cash=question.cash,
            freq="1h",
            **value_price,
        )

    run()  # numba compiles at the first call
    began = time.perf_counter()
    portfolio = run()
    seconds = time.perf_counter() - began
    fills = [
        [int(r["idx"]), float(r["size"]) * (1 if r["side"] == 0 else -1), float(r["price"]), float(r["fees"])]
        for r in portfolio.orders.values  # noqa: PD011 - records, no frame
    ]
    return {"final_equity": float(portfolio.value().iloc[-1]), "fills": fills, "seconds": seconds}


def backtesting_py(question: Question) -> dict[str, Any]:
    """All in or all out; it cannot say any other fraction of the equity."""
    from backtesting import Strategy
    from backtesting.lib import FractionalBacktest

    if not set(np.unique(question.targets)) <= {0.0, 1.0} or question.fill != "next_open":
        raise SystemExit("backtesting.py can express all in and all out on the next open only")
    orders = question.orders

    class Script(Strategy):  # type: ignore[misc]  # its library is in the other environment
        def init(self) -> None:
            pass

        def next(self) -> None:
            target = orders[len(self.data) - 1]
            if target == 1.0:
                self.buy(size=_ALL_IN)
            elif target == 0.0:
                self.position.close()

    frame = pd.DataFrame(question.ohlcv, columns=["Open", "High", "Low", "Close", "Volume"])
    frame.index = pd.date_range("2020-01-01", periods=len(frame), freq="h")
    engine = FractionalBacktest(
        frame,
        Script,
        cash=question.cash,
        commission=question.fee_frac,
        spread=question.slippage_frac,
        fractional_unit=_UNIT,
    )
    began = time.perf_counter()
    stats = engine.run()
    seconds = time.perf_counter() - began
    return {
        "final_equity": float(stats["_equity_curve"]["Equity"].iloc[-1]),
        "fills": _legs(stats["_trades"], stats["_strategy"], question),
        "seconds": seconds,
    }


def _legs(trades: Any, strategy: Any, question: Question) -> list[list[float]]:
    """Entries and exits of closed trades, and the entries of open ones."""
    legs = []
    for row in trades.itertuples():
        size = float(row.Size)
        legs.append([row.EntryBar, size, row.EntryPrice, abs(size) * row.EntryPrice * question.fee_frac])
        legs.append([row.ExitBar, -size, row.ExitPrice, abs(size) * row.ExitPrice * question.fee_frac])
    for trade in strategy.trades:
        size, price = trade.size * _UNIT, trade.entry_price / _UNIT
        legs.append([trade.entry_bar, size, price, abs(size) * price * question.fee_frac])
    return sorted(([int(bar), *rest] for bar, *rest in legs), key=lambda leg: leg[0])


def nautilus(question: Question) -> dict[str, Any]:
    """The same all in and all out as market orders; sizes are cut to the instrument's steps, so no match."""
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig, StrategyConfig
    from nautilus_trader.model.currencies import USDT
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
    from nautilus_trader.model.identifiers import Venue
    from nautilus_trader.model.objects import Money
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.btcusdt_binance()
    bar_type = BarType.from_str(f"{instrument.id}-1-HOUR-LAST-EXTERNAL")
    orders = question.orders

    class Script(Strategy):  # type: ignore[misc]  # its library is in the other environment
        def on_start(self) -> None:
            self.row = 0
            self.subscribe_bars(bar_type)

        def on_bar(self, bar: Any) -> None:
            target, self.row = orders[self.row], self.row + 1
            if target == 0.0:
                self.close_all_positions(instrument.id)
            elif target > 0.0:
                cash = float(self.portfolio.account(instrument.venue).balance_free(USDT))
                quantity = instrument.make_qty(0.98 * target * cash / float(bar.close))
                self.submit_order(self.order_factory.market(instrument.id, OrderSide.BUY, quantity))

    frame = pd.DataFrame(question.ohlcv.round(2), columns=["open", "high", "low", "close", "volume"])
    frame.index = pd.date_range("2020-01-01", periods=len(frame), freq="h", tz="UTC")
    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet))
    engine.add_venue(
        Venue("BINANCE"), OmsType.NETTING, AccountType.CASH, [Money(question.cash, USDT)], base_currency=None
    )
    engine.add_instrument(instrument)
    engine.add_data(BarDataWrangler(bar_type, instrument).process(frame))
    engine.add_strategy(Script(StrategyConfig()))
    began = time.perf_counter()
    engine.run()
    seconds = time.perf_counter() - began
    account = engine.portfolio.account(instrument.venue)
    equity = float(account.balance_total(USDT)) + float(engine.portfolio.net_position(instrument.id)) * float(
        question.ohlcv[-1, _CLOSE]
    )
    fills = [[0.0, 0.0, 0.0, 0.0]] * len(engine.trader.generate_order_fills_report())
    engine.dispose()
    return {"final_equity": equity, "fills": fills, "seconds": seconds}


ENGINES: dict[str, Callable[[Question], dict[str, Any]]] = {
    "vectorbt": vectorbt,
    "backtesting": backtesting_py,
    "nautilus": nautilus,
}


def main() -> None:
    """Answer one question as JSON on stdout."""
    warnings.simplefilter("ignore")
    engine, path = sys.argv[1:]
    with np.load(path) as held:
        question = Question(
            held["ohlcv"],
            held["targets"],
            float(held["fee_frac"]),
            float(held["slippage_frac"]),
            float(held["cash"]),
            str(held["fill"]),
            str(held["size_at"]),
        )
    sys.stdout.write(json.dumps(ENGINES[engine](question)) + "\n")


if __name__ == "__main__":
    main()
