"""The decision cycle, pure: snapshot -> opinions -> targets -> verdicts -> permits.

It is the one brain. Backtest, paper and live drive this very class; what differs is who stands
behind its ports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from tg_actors.desk.block import DecisionBlock, block_hash, encode
from tg_actors.desk.ports import Ensemble, Execution, Hearing, Market, Risk, Roster
from tg_actors.domain.blocks import MarketSnapshot, Opinions
from tg_actors.domain.decisions import Decision, Quotes, Settlement, Targets
from tg_actors.domain.errors import Fenced
from tg_actors.domain.ids import cycle_id
from tg_actors.execution.sender import ExecutionReport
from tg_actors.meta.ensemble import CombineRequest
from tg_actors.meta.learned import META
from tg_actors.portfolio.days import closes_of
from tg_actors.risk.judge import JudgeRequest

#: The opinions that the ensemble may hear; the others are journaled all the same.
Heard = Callable[[tuple[Opinions, ...]], tuple[Opinions, ...]]
#: Arms that a person has switched, as they stand in a cycle.
Switched = Callable[[int], Mapping[str, bool]]
#: Journals a decision and its block; returns False when the cycle was decided before.
Record = Callable[[Decision, bytes], bool]


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything outside the cycle."""

    market: Market
    roster: Roster
    ensemble: Ensemble
    risk: Risk
    execution: Execution
    record: Record
    heard: Heard
    switched: Switched


@dataclass(frozen=True, slots=True)
class CycleReport:
    """What one cycle did, for display and metrics."""

    snapshot: MarketSnapshot
    hearing: Hearing
    targets: Targets
    settlement: Settlement
    decision: Decision
    execution: ExecutionReport


class DecisionCycle:
    """Runs cycles in order; has no memory of its own."""

    def __init__(self, desk: str, ports: Ports) -> None:
        self._desk = desk
        self._ports = ports

    def run(self, cycle: int) -> CycleReport | None:
        """Decide one cycle and act on it; None when the market has ended."""
        snapshot = self._ports.market.observe(cycle)
        return None if snapshot is None else self.decide(snapshot)

    def resume(self, decision: Decision) -> Settlement | None:
        """Finish a decided cycle after a start: what it had sent is not sent again."""
        snapshot = self._ports.market.observe(decision.cycle)
        if snapshot is None:
            return None
        settlement = self._ports.execution.begin_settle(snapshot)()
        self._ports.execution.execute(decision)
        return settlement

    def decide(self, snapshot: MarketSnapshot) -> CycleReport:
        """Everything after the snapshot. Settling and opining overlap; neither waits for the other."""
        settling = self._ports.execution.begin_settle(snapshot)
        hearing = self._ports.roster.opine(snapshot)
        heard = self._ports.heard(hearing.opinions)
        snapshot_hash = snapshot.digest()
        ident = cycle_id(self._desk, snapshot.cycle, snapshot_hash)
        unheard = tuple(opinions for opinions in hearing.opinions if opinions not in heard)
        switched = self._ports.switched(snapshot.cycle)
        request = CombineRequest(snapshot, heard, unheard, cycle_id=ident, switched=switched)
        targets = self._ports.ensemble.combine(request)
        settlement = settling()
        judgement = self._ports.risk.judge(
            JudgeRequest(
                cycle=snapshot.cycle,
                at_ns=snapshot.at_ns,
                targets=targets,
                quotes=_quotes(snapshot),
                account=settlement.account,
                exits=settlement.exits,
            )
        )
        memories = hearing.memories if targets.memory is None else {**hearing.memories, META: targets.memory}
        block = encode(DecisionBlock(snapshot.symbols, snapshot.mid, hearing.opinions, memories, targets))
        decision = Decision(
            cycle=snapshot.cycle,
            cycle_id=ident,
            at_ns=snapshot.at_ns,
            snapshot_hash=snapshot_hash,
            bars=int(snapshot.is_fresh.sum()),
            block_hash=block_hash(block),
            regime=targets.regime,
            regime_view=targets.regime_view,
            weights=dict(zip(targets.agents, targets.weights, strict=True)),
            absent={agent: why.value for agent, why in hearing.absent.items()},
            equity=settlement.account.equity,
            judgement=judgement,
        )
        if not self._ports.record(decision, block):
            raise Fenced(f"cycle {decision.cycle} was decided by another coordinator", retryable=False)
        execution = self._ports.execution.execute(decision)
        return CycleReport(snapshot, hearing, targets, settlement, decision, execution)


def _quotes(snapshot: MarketSnapshot) -> Quotes:
    return Quotes(
        symbols=snapshot.symbols,
        bid=snapshot.bid,
        ask=snapshot.ask,
        atr=snapshot.feature("atr_14"),
        fresh=snapshot.is_fresh.astype(np.float64),
        # For risk, which finds clusters in them where they are limited (RiskLimits.needs).
        closes=None if snapshot.days is None else closes_of(snapshot.days, snapshot.symbols),
    )
