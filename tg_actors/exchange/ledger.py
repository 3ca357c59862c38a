"""The account's money: totals and holds per currency, never negative."""

from collections.abc import Mapping
from decimal import Decimal

from tg_actors.domain.money import ZERO


class Ledger:
    """Totals per currency and, of these, what open orders hold back.

    Invariant: ``0 <= held <= total`` for every currency; breaking it is a bug and raises
    ``ArithmeticError`` before anything is written.
    """

    def __init__(
        self, totals: Mapping[str, Decimal], pools: Mapping[str, Mapping[str, Decimal]] | None = None
    ) -> None:
        """``pools`` are the holds of a ledger that is taken up again.

        Raises:
            ValueError: a balance is negative or not finite.
        """
        for currency, amount in totals.items():
            if not amount.is_finite() or amount < ZERO:
                raise ValueError(f"opening balance of {currency} must be 0 or more, got {amount}")
        self._totals = dict(totals)
        self._held: dict[str, Decimal] = {}
        self._pools: dict[str, dict[str, Decimal]] = {}
        for pool, held in (pools or {}).items():
            self._pools[pool] = dict(held)
            for currency, amount in held.items():
                self._held[currency] = self._held.get(currency, ZERO) + amount
        self._changed: dict[str, None] = {}

    def total(self, currency: str) -> Decimal:
        """Everything owned, holds included."""
        return self._totals.get(currency, ZERO)

    def free(self, currency: str) -> Decimal:
        """What no open order holds."""
        return self.total(currency) - self._held.get(currency, ZERO)

    def held(self, currency: str) -> Decimal:
        """What open orders hold back."""
        return self._held.get(currency, ZERO)

    def available(self, pool: str, currency: str) -> Decimal:
        """What one pool may spend: its own hold and what is free."""
        return self.free(currency) + self.held_by(pool, currency)

    def held_by(self, pool: str, currency: str) -> Decimal:
        """What one pool (an order, or an OCO group) holds."""
        return self._pools.get(pool, {}).get(currency, ZERO)

    def totals(self) -> dict[str, Decimal]:
        """Totals of every currency ever touched, in alphabetical order."""
        return dict(sorted(self._totals.items()))

    def pools(self) -> dict[str, dict[str, Decimal]]:
        """Holds by pool and currency, in alphabetical order."""
        return {pool: dict(sorted(held.items())) for pool, held in sorted(self._pools.items())}

    def move(self, currency: str, amount: Decimal) -> None:
        """Add a signed amount to a total; what comes in is always welcome."""
        if amount < ZERO and self.free(currency) + amount < ZERO:
            raise ArithmeticError(f"{currency}: {amount} would leave less than the holds")
        self._totals[currency] = self.total(currency) + amount
        self._changed[currency] = None

    def hold(self, pool: str, needs: Mapping[str, Decimal]) -> None:
        """Replace what a pool holds by ``needs``, or by what is free where that is less.

        Less can be free only after a fill that cost more than was held for it (a gap); the order
        then goes on with what there is and clearing cuts it to what it can pay.
        """
        for currency, amount in self._pools.pop(pool, {}).items():
            left = self._held.pop(currency) - amount
            if left:
                self._held[currency] = left
            self._changed[currency] = None
        held = {
            currency: min(need, max(self.free(currency), ZERO))
            for currency, need in needs.items()
            if need > ZERO
        }
        for currency, amount in held.items():
            self._held[currency] = self._held.get(currency, ZERO) + amount
            self._changed[currency] = None
        if held:
            self._pools[pool] = held

    def take_changed(self) -> tuple[str, ...]:
        """Return the currencies whose total or hold was touched since the last call, alphabetically."""
        changed = tuple(sorted(self._changed))
        self._changed.clear()
        return changed
