"""The rebalancing agent, pure: keeps target weights within bands and trades no more than that takes."""

from dataclasses import dataclass

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.institutional.bands import goals, half_width
from tg_actors.institutional.rebalancing_spec import COVARIANCE_DAYS, RebalancingSpec
from tg_actors.portfolio.correlation import correlate
from tg_actors.portfolio.days import closes_of
from tg_actors.portfolio.weights import ALLOCATORS, capped

EVIDENCE = ("weight", "target", "band")
_DAY_NS = 86_400 * 10**9
_COLUMNS = 5


@dataclass(frozen=True, slots=True, eq=False)
class _Book:
    """The agent's own books, worth 1 when it began; ``(n,)`` each.

    ``units`` held at the last known ``price`` (in the desk's currency, 0: never seen), ``said_until`` the
    last cycle of a standing wish (-1 none). ``cash`` and ``day``, of the last visit by the calendar, are
    the same for all rows.
    """

    units: F64
    price: F64
    said_until: F64
    cash: float
    day: float

    @classmethod
    def blank(cls, n: int) -> "_Book":
        return cls(np.zeros(n), np.zeros(n), np.full(n, -1.0), 1.0, -1.0)

    @classmethod
    def of(cls, memory: F64) -> "_Book":
        units, price, said_until, cash, day = np.array(memory, dtype=np.float64).T
        return cls(units, price, said_until, float(cash[0]), float(day[0]))

    def memory(self) -> F64:
        n = len(self.units)
        rows = (self.units, self.price, self.said_until, np.full(n, self.cash), np.full(n, self.day))
        return np.column_stack(rows)


class RebalancingAgent:
    """Says where a weight should go when it has left its band, and nothing else.

    It keeps books of its own, worth 1 when it began, in which every wish is filled at mid for
    ``cost_frac``: an opinion cannot see the account, which belongs to all agents together. The weight of
    an instrument drifts with its price; outside the band (:mod:`bands`) it is brought back.

    * direction is ``weight to go to / position_frac``, confidence 1, for ``say_bars`` bars from the one
      on which it decides to trade; it abstains for want of conviction while all is well;
    * an instrument without a fresh bar is valued at its last price and not traded;
    * while a covariance is needed and too few days are known, it warms up.

    Memory is the books, ``(n, 5)``; asked twice about a cycle, it gives the same answer twice.
    """

    def __init__(self, spec: RebalancingSpec, symbols: tuple[str, ...], bar_ns: int) -> None:
        del bar_ns  # bands know no clock; the calendar counts days
        self._spec = spec
        self._symbols = symbols
        self._converters = _converters(symbols)
        self._cycle: int | None = None
        self._before = _Book.blank(len(symbols))
        self._book = self._before
        self._is_recalled = False
        self._days: bytes | None = None
        self._target = np.full(len(symbols), np.nan)

    @property
    def name(self) -> str:
        """The agent's name, as opinions and journal carry it."""
        return self._spec.name

    def recall(self, memory: F64 | None) -> None:
        """Take back the books of the last opinion before a crash, None at the very first start.

        Raises:
            ValueError: not the memory of this agent.
        """
        n = len(self._symbols)
        if memory is not None and (memory.shape != (n, _COLUMNS) or not np.isfinite(memory).all()):
            raise ValueError(f"agent {self._spec.name}: a memory holds the books of {n} instruments")
        self._book = _Book.blank(n) if memory is None else _Book.of(memory)
        self._cycle, self._is_recalled = None, True

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the opinions on this cycle; abstains from everything before :meth:`recall`."""
        n = len(self._symbols)
        if not self._is_recalled:
            return self._silent(snapshot, Abstention.RECALLING)
        if snapshot.cycle != self._cycle:
            self._cycle, self._before = snapshot.cycle, self._book
        self._book = self._before
        target = self._targets(snapshot)
        if target is None:
            return self._silent(snapshot, Abstention.NO_SOURCE)
        book, weight, band = self._trade(snapshot, target)
        self._book = book
        fresh, speaks = snapshot.is_fresh, book.said_until >= snapshot.cycle
        codes = np.select([~fresh, np.isnan(target) & self._is_computed, ~speaks], [0, 1, 2], 3)
        speaking = codes == len(_REASONS) - 1
        direction = np.minimum(weight / self._spec.position_frac, 1.0)
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.where(speaking, direction, np.nan),
            confidence=np.where(speaking, np.ones(n), np.nan),
            evidence_names=EVIDENCE,
            evidence=np.column_stack((weight, target, band)),
            memory=book.memory(),
            abstained=tuple([_REASONS[code] for code in codes.tolist()]),
        )

    @property
    def _is_computed(self) -> bool:
        return self._spec.target != "fixed"

    def _trade(self, snapshot: MarketSnapshot, target: F64) -> tuple[_Book, F64, F64]:
        """Return the books after this cycle, the weights in them, and the bands."""
        spec, before, fresh = self._spec, self._before, snapshot.is_fresh
        price = np.where(fresh, snapshot.mid * self._rates(snapshot), before.price)
        price = np.where(np.isfinite(price), price, before.price)
        equity = before.cash + float((before.units * price).sum())
        weight = before.units * price / equity
        band = self._bands(target)
        day = float(snapshot.at_ns // _DAY_NS)
        is_due = spec.every_days is not None and day >= before.day + spec.every_days
        goal, trades = goals(weight, target, band, spec.inner_frac, fresh & (price > 0) & is_due)
        trades &= fresh & (price > 0) & (goal != weight)
        goal = np.where(trades, goal, weight)
        cost = spec.cost_frac * float(np.abs(goal - weight).sum()) * equity
        units = np.where(trades, goal * equity / np.where(price > 0, price, 1.0), before.units)
        book = _Book(
            units=units,
            price=price,
            said_until=np.where(trades, snapshot.cycle + spec.say_bars - 1.0, before.said_until),
            cash=equity - cost - float((units * price).sum()),
            day=day if is_due else before.day,
        )
        return book, goal, band

    def _bands(self, target: F64) -> F64:
        if self._spec.band_frac is not None:
            return np.full(len(target), self._spec.band_frac)
        return half_width(target, self._spec.cost_frac, self._spec.risk_aversion)

    def _targets(self, snapshot: MarketSnapshot) -> F64 | None:
        """Return target weights, NaN for who is left alone or not known yet; None without a source."""
        spec = self._spec
        if spec.target == "fixed":
            return np.array([spec.weights.get(symbol, np.nan) for symbol in self._symbols])
        if spec.target == "equal":
            share = min(spec.invested_frac / len(self._symbols), spec.cap_frac)
            return np.full(len(self._symbols), share)
        if snapshot.days is None or not len(snapshot.days.ohlcv):
            return None
        closes = closes_of(snapshot.days, self._symbols)
        if (days := closes.tobytes()) != self._days:
            self._days, self._target = days, self._allocate(closes)
        return self._target

    def _allocate(self, closes: F64) -> F64:
        target = np.full(len(self._symbols), np.nan)
        found = correlate(closes, COVARIANCE_DAYS)
        inside = np.flatnonzero(found.known)
        if len(inside):
            sigma = found.volatility_frac[inside]
            covariance = found.matrix[np.ix_(inside, inside)] * np.outer(sigma, sigma)
            weights = self._spec.invested_frac * ALLOCATORS[self._spec.target](covariance)
            target[inside] = capped(weights, self._spec.cap_frac)
        return target

    def _rates(self, snapshot: MarketSnapshot) -> F64:
        """What one unit of each instrument's quote currency is worth in the desk's most used one."""
        mid = snapshot.mid
        return np.array([1.0 if column is None else mid[column] for column in self._converters])

    def _silent(self, snapshot: MarketSnapshot, why: Abstention) -> Opinions:
        n = len(self._symbols)
        return Opinions(
            agent=self._spec.name,
            cycle=snapshot.cycle,
            horizon_bars=self._spec.horizon_bars,
            direction=np.full(n, np.nan),
            confidence=np.full(n, np.nan),
            evidence_names=EVIDENCE,
            evidence=np.full((n, len(EVIDENCE)), np.nan),
            memory=self._book.memory(),
            abstained=(why,) * n,
        )


_REASONS = (Abstention.STALE_MARKET, Abstention.WARMING_UP, Abstention.NO_CONVICTION, None)


def _converters(symbols: tuple[str, ...]) -> tuple[int | None, ...]:
    """Column of the instrument that prices each quote currency in the desk's most used one.

    None where there is nothing to convert, or nothing to convert by: its weight then drifts with its own
    price alone.
    """
    quotes = [symbol.partition("/")[2] for symbol in symbols]
    main = max(dict.fromkeys(quotes), key=quotes.count)
    pairs = {symbol: column for column, symbol in enumerate(symbols)}
    return tuple(None if quote == main else pairs.get(f"{quote}/{main}") for quote in quotes)
