"""Compares the desk's fills with the venue's trades and the venue's trades with its balances. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import Fill
from tg_actors.execution.wire import ExecutorSpec
from tg_actors.portfolio.books import Books

_NS = 1_000_000_000


class Severity(StrEnum):
    """What a difference asks for: patience, a person, or the end of trading."""

    HEALS = "heals"
    PAGE = "page"
    HALT = "halt"


class Difference(Message):
    """One thing on which venue and journal do not agree."""

    severity: Severity
    text: str


@dataclass(frozen=True, slots=True)
class Sighting:
    """What was read in one look, the journal before the venue: it may only know less."""

    fills: Sequence[Fill]
    trades: Sequence[Fill]
    balances: Mapping[str, Decimal]


class ShadowReader:
    """Remembers what it has seen, so that only what stays is called a difference.

    A trade that the journal lacks heals by itself for ``grace_s``, then it pages. Money that differs in
    two looks in a row, by the same amount, halts; so does a fill in the journal that the venue denies.
    """

    def __init__(self, spec: ExecutorSpec, grace_s: int = 90) -> None:
        self._spec = spec
        self._grace_ns = grace_s * _NS
        self._missing_since: dict[str, int] = {}
        self._before: frozenset[str] = frozenset()

    def compare(self, seen: Sighting, wall_ns: int) -> tuple[Difference, ...]:
        """Return what differs now; ``wall_ns`` is the machine's time of this look."""
        grave = (*self._denied(seen), *self._money(seen))
        lasting = frozenset(grave) & self._before
        self._before = frozenset(grave)
        halts = tuple(
            Difference(severity=Severity.HALT if text in lasting else Severity.HEALS, text=text)
            for text in grave
        )
        return self._missing(seen, wall_ns) + halts

    def _missing(self, seen: Sighting, wall_ns: int) -> tuple[Difference, ...]:
        known = {fill.trade_id for fill in seen.fills}
        missing = [trade for trade in seen.trades if trade.trade_id not in known]
        self._missing_since = {t.trade_id: self._missing_since.get(t.trade_id, wall_ns) for t in missing}
        return tuple(
            Difference(
                severity=Severity.PAGE
                if wall_ns - self._missing_since[trade.trade_id] > self._grace_ns
                else Severity.HEALS,
                text=f"trade {trade.trade_id} of {trade.symbol} is not in the journal",
            )
            for trade in missing
        )

    def _denied(self, seen: Sighting) -> tuple[str, ...]:
        shown = {trade.trade_id for trade in seen.trades}
        return tuple(
            f"fill {fill.trade_id} of {fill.symbol} is in the journal and not at the venue"
            for fill in seen.fills
            if fill.trade_id not in shown
        )

    def _money(self, seen: Sighting) -> tuple[str, ...]:
        spec = self._spec
        books = Books(spec.opening_cash, spec.instruments, spec.reporting_currency)
        try:
            for trade in seen.trades:
                books.apply(trade)
        except UserError as error:
            return (str(error),)
        return tuple(
            f"{currency}: the venue holds {money_text(seen.balances.get(currency, ZERO))}, its trades make "
            f"{money_text(amount)}"
            for currency, amount in books.expected_balances().items()
            if seen.balances.get(currency, ZERO) != amount
        )
