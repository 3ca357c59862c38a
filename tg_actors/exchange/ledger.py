"""The account's money: totals and holds per currency, never negative."""

from collections.abc import Mapping
from decimal import Decimal

from tg_actors.domain.money import ZERO


class Ledger:
    """Totals per currency and, of these, what open orders hold back.

    Invariant: ``0 <= held <= total`` for every currency; breaking it is a bug and raises
    ``ArithmeticError`` before anything is written.
    """

    def __init__(self, totals: Mapping[str, Decimal]) -> None:
        """Raises ValueError when an opening balance is negative or not finite."""
        for currency, amount in totals.items():
            if not amount.is_finite() or amount < ZERO:
                raise ValueError(f"opening balance of {currency} must be 0 or more, got {amount}")
        self._totals = dict(totals)
        self._held: dict[str, Decimal] = {}
        self._pools: dict[str, dict[str, Decimal]] = {}

    def total(self, currency: str) -> Decimal:
        """Everything owned, holds included."""
        return self._totals.get(currency, ZERO)

    def free(self, currency: str) -> Decimal:
        """What no open order holds."""
        return self.total(currency) - self._held.get(currency, ZERO)

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
        """Add a signed amount to a total."""
        if self.free(currency) + amount < ZERO:
            raise ArithmeticError(f"{currency}: {amount} would leave less than the holds")
        self._totals[currency] = self.total(currency) + amount

    def hold(self, pool: str, needs: Mapping[str, Decimal]) -> None:
        """Replace what a pool holds by ``needs``, or by what is free where that is less.

        Less can be free only after a fill that cost more than was held for it (a gap); the order
        then goes on with what there is and clearing cuts it to what it can pay.
        """
        for currency, amount in self._pools.pop(pool, {}).items():
            self._held[currency] -= amount
        held = {currency: min(need, self.free(currency)) for currency, need in needs.items() if need > ZERO}
        for currency, amount in held.items():
            self._held[currency] = self._held.get(currency, ZERO) + amount
        if held:
            self._pools[pool] = held
