"""Who earns: every fill is divided among the agents whose idea the position was.

Each agent gets its own small position in every instrument. An entry is divided by the shares of its
intent; whatever reduces a position (exit, protective stop, flatten) is divided by what each agent
holds. Quantities are divided without a remainder and cash is quantity times price, so the agents'
results sum to the result of the books, exactly.
"""

import decimal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.message import Message
from tg_actors.domain.money import ONE, ZERO, to_step
from tg_actors.domain.orders import Fill, Intent
from tg_actors.portfolio.allocation import allocate, round_to_total
from tg_actors.portfolio.postings import RESOLUTION, Posting, post

#: Credited with positions that no agent asked for.
UNATTRIBUTED = "unattributed"

#: Resolution of divided quantities: finer than any lot, coarse enough for exact products.
QUANTITY_STEP = Decimal("1e-12")
#: Resolution of reported amounts.
REPORT_STEP = Decimal("1e-8")


class AgentResult(Message):
    """What one agent has earned; amounts in the reporting currency at the rates of the report.

    ``pnl`` realised and unrealised, after ``fees``; ``trades`` round trips it had a part in, closed
    ones only; ``turnover_frac`` its part of everything traded.
    """

    agent: str
    pnl: Decimal
    fees: Decimal
    trades: int
    turnover_frac: Decimal


@dataclass(slots=True)
class _Stake:
    """One agent's part in one instrument; amounts in quote currency."""

    quantity: Decimal = ZERO
    flow: Decimal = ZERO
    fees: Decimal = ZERO
    turnover: Decimal = ZERO
    trades: int = 0


class Attribution:
    """Divides fills among agents. Equal fills in equal order give equal results."""

    def __init__(self, agents: Sequence[str]) -> None:
        self._agents = (*agents, UNATTRIBUTED)
        self._stakes: dict[str, dict[str, _Stake]] = {}

    def apply(self, fill: Fill, intent: Intent) -> None:
        """Divide one fill of the order that came from ``intent``.

        Raises:
            KeyError: the intent credits an agent that is not in the list.
            UserError: the fee was paid in a third currency.
        """
        stakes = self._stakes.setdefault(fill.symbol, {agent: _Stake() for agent in self._agents})
        held = {agent: abs(stake.quantity) for agent, stake in stakes.items() if stake.quantity != ZERO}
        closing, opening = post(fill).split(sum((stake.quantity for stake in stakes.values()), ZERO))
        if closing is not None:
            self._divide(closing, held, stakes)
            if all(stake.quantity == ZERO for stake in stakes.values()):
                for agent in held:
                    stakes[agent].trades += 1
        if opening is not None:
            shares = {share.agent: share.frac for share in intent.shares if share.frac > ZERO}
            self._divide(opening, shares or held or {UNATTRIBUTED: ONE}, stakes)

    def report(self, mids: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> tuple[AgentResult, ...]:
        """Return the result of every agent, open positions valued at ``mids``.

        The profits sum to equity less opening cash, both at ``rates``, rounded to 1e-8: gains on idle
        cash of another currency are nobody's. ``unattributed`` is listed only when it traded.

        Args:
            mids: mid price per instrument in quote currency.
            rates: reporting currency per quote currency.

        Raises:
            KeyError: an instrument that was traded has no mid price or no rate.
        """
        pnl = _round(self._sums(lambda symbol, stake: _pnl(symbol, stake, mids), rates))
        fees = _round(self._sums(lambda _, stake: stake.fees, rates))
        turnover = self._sums(lambda _, stake: stake.turnover, rates)
        parts = allocate(ONE, turnover, REPORT_STEP) if any(turnover) else turnover
        results = [
            AgentResult(
                agent=agent, pnl=pnl[i], fees=fees[i], trades=self._trades(agent), turnover_frac=parts[i]
            )
            for i, agent in enumerate(self._agents)
        ]
        return tuple(results if turnover[-1] else results[:-1])

    def _divide(self, posting: Posting, weights: Mapping[str, Decimal], stakes: Mapping[str, _Stake]) -> None:
        owners = list(weights)
        quantities = allocate(posting.quantity, list(weights.values()), QUANTITY_STEP)
        fees = allocate(posting.fee, list(weights.values()), RESOLUTION)
        for agent, quantity, fee in zip(owners, quantities, fees, strict=True):
            stake = stakes[agent]
            stake.quantity += quantity
            stake.flow -= quantity * posting.price
            stake.fees += fee
            stake.turnover += abs(quantity) * posting.price

    def _sums(self, amount: Callable[[str, _Stake], Decimal], rates: Mapping[str, Decimal]) -> list[Decimal]:
        """Sum an amount per agent over all instruments, in the reporting currency."""
        sums = [ZERO] * len(self._agents)
        for symbol, stakes in self._stakes.items():
            rate = rates[symbol.split("/")[1]]
            for i, agent in enumerate(self._agents):
                sums[i] += amount(symbol, stakes[agent]) * rate
        return sums

    def _trades(self, agent: str) -> int:
        return sum(stakes[agent].trades for stakes in self._stakes.values())


def _pnl(symbol: str, stake: _Stake, mids: Mapping[str, Decimal]) -> Decimal:
    held = ZERO if stake.quantity == ZERO else stake.quantity * mids[symbol]
    return stake.flow + held - stake.fees


def _round(sums: Sequence[Decimal]) -> list[Decimal]:
    total = to_step(sum(sums, ZERO), REPORT_STEP, decimal.ROUND_HALF_EVEN)
    return round_to_total(sums, total, REPORT_STEP)
