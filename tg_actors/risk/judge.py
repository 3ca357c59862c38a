"""The risk room's core: targets and books in, sized intents and denials out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import (
    Account,
    DenialCode,
    Denied,
    Judgement,
    Quotes,
    RiskState,
    Targets,
)
from tg_actors.domain.ids import intent_id
from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import ONE, ZERO, from_float
from tg_actors.domain.orders import (
    Intent,
    Leg,
    OrderSpec,
    OrderType,
    Protection,
    Share,
    TimeInForce,
)
from tg_actors.domain.stages import StageChange, StageState
from tg_actors.portfolio.allocation import allocate
from tg_actors.risk.breakers import on_mark, rearm
from tg_actors.risk.clusters import ClusterFinder, Clusters
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.rules import Committed, Context, Refusal, find_account_gap, refuse
from tg_actors.risk.sizing import protect, size_entry, size_exit
from tg_actors.risk.stages import StageMachine, restaged, unstaged
from tg_actors.risk.stages_plan import StageSpec
from tg_actors.risk.wishes import Wish, WishFinder

#: Agents' shares of an intent are kept to six places.
SHARE_STEP = Decimal("1e-6")


@dataclass(frozen=True, slots=True, eq=False)
class JudgeRequest:
    """One cycle's question. ``exits`` are instruments whose position was reduced since the last one."""

    cycle: int
    at_ns: int
    targets: Targets
    quotes: Quotes
    account: Account
    exits: tuple[str, ...]


class RiskCore:
    """Sizes or denies; remembers only :class:`RiskState`. No Ray, clock or I/O.

    Equal state and request give the equal judgement. The same cycle again returns the same judgement
    and changes nothing, so that a lost answer may be asked for once more.
    """

    def __init__(
        self,
        limits: RiskLimits,
        instruments: Sequence[Instrument],
        desk: str,
        account: str,
        bar_ns: int,
        stages: StageSpec | None = None,
    ) -> None:
        self._limits = limits
        self._stages = None if stages is None else StageMachine(stages)
        self._symbols = tuple(instrument.symbol for instrument in instruments)
        self._quote_of = {instrument.symbol: instrument.quote for instrument in instruments}
        self._wishes = WishFinder(limits, instruments)
        limited = limits.cluster_exposure_frac_max is not None
        self._clusters = ClusterFinder(limits, len(instruments)) if limited else None
        self._desk = desk
        self._account = account
        self._bar_ns = bar_ns
        self._last: Judgement | None = None
        self.state = RiskState()

    def restore(self, state: RiskState) -> None:
        """Take back what was remembered, from the newest journaled judgement."""
        self.state = state
        self._last = None

    def rearm(self, equity: Decimal) -> RiskState:
        """A person resumes trading: the breakers start again from this equity; the new memory."""
        self.state = rearm(self.state, equity)
        return self.state

    def restage(self, stage: StageState) -> RiskState:
        """A person moves the desk to another stage, or ends a pause; the new memory."""
        self.state = restaged(self.state, stage)
        return self.state

    def judge(self, request: JudgeRequest) -> Judgement:
        """Turn targets into approved intents and denials, exits first, then the most confident entries.

        Raises:
            ValueError: the arrays are of other instruments, or the targets of another cycle.
        """
        if self._last is not None and self._last.cycle == request.cycle:
            return self._last
        self._check(request)
        gap = find_account_gap(request.account, self._quote_of, request.at_ns, self._bar_ns)
        state, halt = self._cool(request), None
        changes: tuple[StageChange, ...] = ()
        if gap is None:
            # A mark of half the books would trip a breaker, or hide that it should.
            state, halt = on_mark(state, self._limits, request.account.equity, request.at_ns)
            state, changes = self._stage(state, request)
        context = self._context(request, gap, state)
        committed = context.committed
        approved: list[Intent] = []
        denied: list[Denied] = []
        targets = self._targets(request.targets, state)
        for wish in self._wishes.find(targets, request.quotes, context.account):
            answer = self._decide(wish, context, request)
            if isinstance(answer, Intent):
                approved.append(answer)
            else:
                denied.append(Denied(symbol=wish.instrument.symbol, code=answer[0], detail=answer[1]))
        if committed.trades:
            state = state.model_copy(update={"trades_today": state.trades_today + committed.trades})
        self.state = state
        self._last = Judgement(
            cycle=request.cycle,
            approved=tuple(approved),
            denied=tuple(denied),
            halt=halt,
            state=self.state,
            stage_changes=changes,
        )
        return self._last

    def _targets(self, targets: Targets, state: RiskState) -> Targets:
        """What the ensemble wants, or nothing at all once a drawdown has to be flattened."""
        if not state.drawdown_tripped or self._limits.drawdown_action != "flatten":
            return targets
        flat = np.zeros_like(targets.exposure)
        return replace(targets, exposure=flat, confidence=flat + 1.0)

    def _stage(self, state: RiskState, request: JudgeRequest) -> tuple[RiskState, tuple[StageChange, ...]]:
        """Mark the stage; without stages there is nothing to mark."""
        if self._stages is None:
            return state, ()
        stage, changes = self._stages.on_mark(state.stage, request.account.equity, request.at_ns)
        return restaged(state, stage), changes

    def _context(self, request: JudgeRequest, gap: str | None, state: RiskState) -> Context:
        """The world of this cycle, cut down to what the desk's stage allows."""
        limits, account, stage = self._limits, request.account, None
        if self._stages is not None:
            stage = self._stages.limits(state.stage)
            limits = limits.model_copy(update={"leverage_max": min(limits.leverage_max, stage.leverage_max)})
            account = account.model_copy(update={"equity": min(account.equity, stage.capital_usd)})
        elif state.stage is not None:
            stage = unstaged(state.stage)
        clusters = None
        if self._clusters is not None and gap is None:
            labels = self._clusters.find(request.quotes.closes)
            clusters = Clusters.of(self._symbols, labels, account)
        return Context(
            limits, account, gap, state, request.at_ns, Committed(), self._quote_of, stage, clusters
        )

    def _check(self, request: JudgeRequest) -> None:
        targets, quotes = request.targets, request.quotes
        shape = (len(self._symbols),)
        arrays = (targets.exposure, targets.confidence, quotes.bid, quotes.ask, quotes.atr, quotes.fresh)
        if quotes.closes is not None and quotes.closes.shape[1:] != shape:
            raise ValueError("closes must be of the desk's instruments, in their order")
        if quotes.symbols != self._symbols or any(array.shape != shape for array in arrays):
            raise ValueError("quotes and targets must be of the desk's instruments, in their order")
        if targets.shares.shape != (*shape, len(targets.agents)):
            raise ValueError("shares must have one row an instrument and one column an agent")
        if targets.cycle != request.cycle:
            raise ValueError(f"targets are of cycle {targets.cycle}, not {request.cycle}")

    def _cool(self, request: JudgeRequest) -> RiskState:
        """Forget cooldowns that are over, start those of this cycle's exits."""
        until_ns = request.at_ns + self._limits.cooldown_bars * self._bar_ns
        running = {s: ns for s, ns in self.state.cooldowns.items() if ns > request.at_ns}
        started = dict.fromkeys(request.exits, until_ns) if self._limits.cooldown_bars else {}
        cooldowns = running | started
        if cooldowns == self.state.cooldowns:
            return self.state
        return self.state.model_copy(update={"cooldowns": cooldowns})

    def _decide(self, wish: Wish, context: Context, request: JudgeRequest) -> Intent | Refusal:
        refusal = refuse(wish, context)
        if refusal is not None:
            return refusal
        if wish.leg is Leg.EXIT:
            quantity = size_exit(wish, context)
            return self._intent(wish, quantity, request) if isinstance(quantity, Decimal) else quantity
        protection = protect(wish, self._limits)
        quantity = size_entry(wish, context, protection.stop_frac)
        if not isinstance(quantity, Decimal):
            return quantity
        _commit(wish, quantity, context)
        targets = request.targets
        return self._intent(
            wish, quantity, request, protection, _shares(targets.agents, targets.shares[wish.row])
        )

    def _intent(
        self,
        wish: Wish,
        quantity: Decimal,
        request: JudgeRequest,
        protection: Protection | None = None,
        shares: tuple[Share, ...] = (),
    ) -> Intent:
        exits = wish.leg is Leg.EXIT
        symbol = wish.instrument.symbol
        return Intent(
            intent_id=intent_id(self._desk, self._account, request.cycle, symbol, wish.side, wish.leg),
            cycle=request.cycle,
            leg=wish.leg,
            spec=OrderSpec(
                symbol=symbol,
                side=wish.side,
                order_type=OrderType.MARKET,
                quantity=quantity,
                # What is not sold of a position must still be sold; what is not bought may be missed.
                time_in_force=TimeInForce.GTC if exits else TimeInForce.IOC,
                reduce_only=exits,
            ),
            reference_price=from_float(wish.mid),
            decided_at_ns=request.at_ns,
            valid_until_ns=request.at_ns + self._limits.order_ttl_bars * self._bar_ns,
            protection=protection,
            shares=shares,
        )


def deny_all(request: JudgeRequest, code: DenialCode, detail: str) -> Judgement:
    """Return the judgement of a room that cannot judge: every instrument denied, nothing remembered."""
    denied = (Denied(symbol=symbol, code=code, detail=detail) for symbol in request.quotes.symbols)
    return Judgement(cycle=request.cycle, approved=(), denied=tuple(denied), halt=None, state=RiskState())


def _commit(wish: Wish, quantity: Decimal, context: Context) -> None:
    """Take an approved entry off what is left for the next ones."""
    committed, quote = context.committed, wish.instrument.quote
    notional = quantity * from_float(wish.mid) * context.account.rates[quote]
    committed.trades += 1
    committed.notional += notional
    committed.cash[quote] = committed.cash.get(quote, ZERO) + notional
    if context.clusters is not None:
        context.clusters.add(wish.instrument.symbol, notional)


def _shares(agents: Sequence[str], parts: F64) -> tuple[Share, ...]:
    """Return the agents with a part in the target; the fractions sum to exactly 1."""
    credited = [
        (agent, from_float(part))
        for agent, part in zip(agents, parts.tolist(), strict=True)
        if np.isfinite(part) and part > 0
    ]
    if not credited:
        return ()
    fracs = allocate(ONE, [part for _, part in credited], SHARE_STEP)
    return tuple(
        Share(agent=agent, frac=frac) for (agent, _), frac in zip(credited, fracs, strict=True) if frac > ZERO
    )
