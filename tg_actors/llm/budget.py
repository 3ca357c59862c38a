"""Money for calls, pure: reserved before a call, settled after it, per model and UTC day. It fails closed."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.domain.money import ZERO, money_text

_DAY_NS = 86_400 * 10**9


class BudgetLimits(Message):
    """The most that may be spent in one UTC day, in dollars: on one model, and on all."""

    usd_per_model_day_max: Decimal = Field(ge=0)
    usd_per_day_max: Decimal = Field(ge=0)


class SpendingKind(StrEnum):
    """A call is about to cost so much, or has cost so much."""

    RESERVED = "reserved"
    SETTLED = "settled"


class Spending(Message):
    """One line of the books. ``settled`` replaces what ``reserved`` of the same number took.

    ``number`` counts reservations of this ledger from 0 on.
    """

    kind: SpendingKind
    number: int = Field(ge=0)
    model: str
    at_ns: int
    usd: Decimal = Field(ge=0)


class Budget:
    """What has been spent and what is promised.

    A reservation that was never settled, because a process died, counts in full: nobody knows better.
    The same lines in the same order give the same sums.
    """

    def __init__(self, limits: BudgetLimits, known: Iterable[Spending] = ()) -> None:
        self._limits = limits
        self._lines: dict[int, Spending] = {}
        for line in known:
            self._enter(line)

    def refusal(self, model: str, usd: Decimal | None, at_ns: int) -> str | None:
        """Say why a call of at most ``usd`` may not be made, None when it may.

        An unknown price cannot be kept within anything: it is refused.
        """
        if usd is None:
            return f"the price of {model} is unknown: write its price into configs/models.yaml"
        asked = (
            ("usd_per_model_day_max", self._limits.usd_per_model_day_max, self.spent_usd(at_ns, model)),
            ("usd_per_day_max", self._limits.usd_per_day_max, self.spent_usd(at_ns)),
        )
        for name, most, spent in asked:
            if spent + usd > most:
                return (
                    f"up to {money_text(usd)} USD for {model} would pass {name} {money_text(most)}: "
                    f"{money_text(spent)} is spent or promised today"
                )
        return None

    def promise(self, model: str, usd: Decimal | None, at_ns: int) -> Spending | str:
        """Promise the most a call may cost, or say why not; the line is kept before the call goes out."""
        refusal = self.refusal(model, usd, at_ns)
        if refusal is not None or usd is None:
            return refusal or "the price is unknown"
        line = Spending(
            kind=SpendingKind.RESERVED, number=len(self._lines), model=model, at_ns=at_ns, usd=usd
        )
        self._enter(line)
        return line

    def settle(self, reserved: Spending, usd: Decimal | None) -> Spending:
        """Replace a promise by what the call has cost; None where nobody knows, then all of it is gone."""
        line = reserved.model_copy(
            update={"kind": SpendingKind.SETTLED, "usd": reserved.usd if usd is None else usd}
        )
        self._enter(line)
        return line

    def spent_usd(self, at_ns: int, model: str | None = None) -> Decimal:
        """Dollars spent or promised in the UTC day of an instant, on one model or on all."""
        day = at_ns // _DAY_NS
        return sum(
            (
                line.usd
                for line in self._lines.values()
                if line.at_ns // _DAY_NS == day and model in {None, line.model}
            ),
            ZERO,
        )

    def _enter(self, line: Spending) -> None:
        self._lines[line.number] = line
