"""The newest close, bid and ask of every instrument: what a submitted order is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tg_actors.domain.blocks import F64, I64
from tg_actors.domain.money import from_float
from tg_actors.exchange.path import MarketStep


@dataclass(frozen=True, slots=True)
class Quote:
    """Close, bid and ask of the last bar, in quote currency."""

    close: Decimal
    bid: Decimal
    ask: Decimal

    @property
    def half_spread_frac(self) -> Decimal:
        """Half the spread as a fraction of the close."""
        return (self.ask - self.bid) / (2 * self.close)


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Where our instruments lie in steps with these symbols: equal positions of two index arrays."""

    symbols: tuple[str, ...]
    ours: I64
    theirs: I64


class LastMarket:
    """Memory of the last bar of each instrument; an instrument keeps its quote while it does not trade."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._rows = {symbol: row for row, symbol in enumerate(symbols)}
        self._last: F64 = np.full((len(symbols), 3), np.nan)
        nowhere = np.empty(0, dtype=np.int64)
        self._alignment = Alignment((), nowhere, nowhere)

    def align(self, symbols: tuple[str, ...]) -> Alignment:
        """Return where our instruments lie in a step; computed again only when its symbols change."""
        if symbols != self._alignment.symbols:
            rows = {self._rows[symbol]: row for row, symbol in enumerate(symbols) if symbol in self._rows}
            ours, theirs = np.array(list(rows), np.int64), np.array(list(rows.values()), np.int64)
            self._alignment = Alignment(symbols, ours, theirs)
        return self._alignment

    def update(self, step: MarketStep) -> None:
        """Remember the bars of a step."""
        alignment = self.align(step.symbols)
        traded = step.has_bar[alignment.theirs]
        ours, theirs = alignment.ours[traded], alignment.theirs[traded]
        self._last[ours, 0] = step.ohlcv[theirs, 3]
        self._last[ours, 1] = step.bid[theirs]
        self._last[ours, 2] = step.ask[theirs]

    def quote(self, symbol: str) -> Quote | None:
        """Return the last quote, None before the first bar and for what is not traded here."""
        row = self._rows.get(symbol)
        if row is None:
            return None
        close, bid, ask = self._last[row].tolist()
        return None if np.isnan(close) else Quote(from_float(close), from_float(bid), from_float(ask))

    def known(self) -> dict[str, tuple[float, float, float]]:
        """Close, bid, ask of every instrument that ever traded."""
        lines = zip(self._rows, self._last.tolist(), strict=True)
        return {symbol: (close, bid, ask) for symbol, (close, bid, ask) in lines if not np.isnan(close)}

    def restore(self, known: Mapping[str, tuple[float, float, float]]) -> None:
        """Take back what :meth:`known` gave; quotes of instruments no longer traded are dropped."""
        self._last[:] = np.nan
        for symbol, line in known.items():
            if symbol in self._rows:
                self._last[self._rows[symbol]] = line
