"""What stands in for the market, the agents and the risk room in an experiment. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from tg_actors.backtest.kernel import DUST_FRAC
from tg_actors.domain.blocks import F64, Abstention, Depth, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Account, Judgement, RiskState, Targets
from tg_actors.domain.ids import intent_id
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.money import ZERO, from_float
from tg_actors.domain.orders import Intent, Leg, OrderSpec, OrderType, Protection, TimeInForce
from tg_actors.domain.stages import StageState
from tg_actors.exchange.path import CLOSE
from tg_actors.meta.ensemble import CombineRequest
from tg_actors.risk.judge import JudgeRequest

AGENT = "script"
_ACCOUNT = "experiment"
_DUST = from_float(DUST_FRAC)
_NO_MEMORY: F64 = np.empty((1, 0))
_NO_EVIDENCE: F64 = np.empty((1, 0))


@dataclass(frozen=True, slots=True, eq=False)
class Script:
    """Per bar the target to order, NaN for none, and the price that sizes it."""

    wanted: F64
    sized_at: F64


class ScriptedMarket:
    """One instrument's bars as snapshots; after the last comes one without a bar, to show the last fills."""

    def __init__(
        self,
        symbol: str,
        ohlcv: F64,
        close_ns: NDArray[np.int64],
        bar_ns: int,
        depth: Callable[[int], Depth | None],
    ) -> None:
        self._symbols = (symbol,)
        self._ohlcv = ohlcv
        self._close_ns = close_ns.tolist()
        self._bar_ns = bar_ns
        self._depth = depth
        self._traded = np.isfinite(ohlcv).all(axis=1)
        rows = np.where(self._traded, np.arange(len(ohlcv)), -1)
        #: The newest bar that traded, per bar; -1 before the first.
        self._newest = np.maximum.accumulate(rows).tolist()
        self._seen = np.cumsum(self._traded).tolist()

    def observe(self, cycle: int) -> MarketSnapshot | None:
        """Return the snapshot of a bar; None after the one that ends it."""
        total = len(self._newest)
        if cycle > total:
            return None
        last = min(cycle, total - 1)
        row = self._newest[last]
        bar = self._ohlcv[row : row + 1] if row >= 0 else np.full((1, 5), np.nan)
        close = bar[:, CLOSE]
        return MarketSnapshot(
            cycle=cycle,
            at_ns=self._close_ns[last] + (self._bar_ns if cycle == total else 0),
            bar_ns=self._bar_ns,
            symbols=self._symbols,
            ohlcv=bar,
            bid=close,
            ask=close,
            close_ns=np.array([self._close_ns[row] if row >= 0 else 0], dtype=np.int64),
            bars_seen=np.array([self._seen[last]], dtype=np.int64),
            feature_names=("atr_14",),
            features=np.full((1, 1), np.nan),
            depth=self._depth(row) if row >= 0 and cycle < total else None,
        )


class ScriptedAgent:
    """Says the target of the bar in full confidence, and is silent where there is none."""

    name = AGENT

    def __init__(self, script: Script) -> None:
        self._wanted = script.wanted

    def recall(self, memory: F64 | None) -> None:
        """Nothing is remembered: the script holds everything."""

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Return the scripted target as an opinion."""
        target = self._wanted[snapshot.cycle] if snapshot.cycle < len(self._wanted) else np.nan
        silent = bool(np.isnan(target))
        return Opinions(
            agent=AGENT,
            cycle=snapshot.cycle,
            horizon_bars=1,
            direction=np.array([target]),
            confidence=np.array([np.nan if silent else 1.0]),
            evidence_names=(),
            evidence=_NO_EVIDENCE,
            memory=_NO_MEMORY,
            abstained=(Abstention.NO_CONVICTION if silent else None,),
        )


class ScriptedEnsemble:
    """Takes the script's word as the target."""

    def combine(self, request: CombineRequest) -> Targets:
        """Return the one opinion as it is."""
        (opinions,) = request.opinions
        return Targets(
            cycle=request.snapshot.cycle,
            regime="scripted",
            agents=(AGENT,),
            weights=(1.0,),
            exposure=opinions.direction,
            confidence=opinions.confidence,
            shares=np.zeros((1, 1)),
        )


class ScriptedRisk:
    """Turns targets into orders of exactly their size; it limits nothing and remembers nothing."""

    def __init__(
        self, instrument: Instrument, script: Script, protection: Protection | None, bar_ns: int
    ) -> None:
        self._instrument = instrument
        self._script = script
        self._protection = protection
        self._bar_ns = bar_ns

    def judge(self, request: JudgeRequest) -> Judgement:
        """Size the target of this cycle, if there is one."""
        target = float(request.targets.exposure[0])
        approved = () if np.isnan(target) else self._orders(target, request)
        return Judgement(cycle=request.cycle, approved=approved, denied=(), halt=None, state=RiskState())

    def rearm(self, equity: Decimal) -> RiskState:  # noqa: ARG002 - the port's signature
        """Nothing can have tripped."""
        return RiskState()

    def restage(self, stage: StageState) -> RiskState:  # noqa: ARG002 - the port's signature
        """An experiment has no stages."""
        return RiskState()

    def _orders(self, target: float, request: JudgeRequest) -> tuple[Intent, ...]:
        price = from_float(self._script.sized_at[request.cycle])
        held, equity = self._worth(request.account, price)
        change = from_float(target) * equity / price - held
        quantity = self._instrument.quantise_quantity(abs(change))
        if quantity == ZERO or abs(change) * price <= _DUST * equity:
            return ()
        return (self._intent(Side.BUY if change > ZERO else Side.SELL, quantity, request),)

    def _worth(self, account: Account, price: Decimal) -> tuple[Decimal, Decimal]:
        """Return the position and the equity at a price."""
        held = account.positions.get(self._instrument.symbol, ZERO)
        return held, account.cash[self._instrument.quote] + held * price

    def _intent(self, side: Side, quantity: Decimal, request: JudgeRequest) -> Intent:
        buys, symbol = side is Side.BUY, self._instrument.symbol
        leg = Leg.ENTRY if buys else Leg.EXIT
        return Intent(
            intent_id=intent_id(_ACCOUNT, _ACCOUNT, request.cycle, symbol, side, leg),
            cycle=request.cycle,
            leg=leg,
            spec=OrderSpec(
                symbol=symbol,
                side=side,
                order_type=OrderType.MARKET,
                quantity=quantity,
                time_in_force=TimeInForce.IOC,
                reduce_only=not buys,
            ),
            reference_price=from_float(float(request.quotes.mid[0])),
            decided_at_ns=request.at_ns,
            valid_until_ns=request.at_ns + self._bar_ns,
            protection=self._protection if buys else None,
        )
