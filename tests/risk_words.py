"""A scene for the risk room: three instruments at a price of 100, a flat and rich account, one clear wish."""

from dataclasses import dataclass, field
from decimal import Decimal
from math import nan
from typing import Any

import numpy as np

from tests.portfolio_words import BTC, INSTRUMENTS, SYMBOLS, XRP, XRP_BTC
from tg_actors.domain.blocks import F64
from tg_actors.domain.decisions import Account, DenialCode, Judgement, Quotes, RiskState, Targets
from tg_actors.domain.orders import TradingState
from tg_actors.risk.judge import JudgeRequest, RiskCore
from tg_actors.risk.limits import RiskLimits
from tg_actors.risk.stages_plan import StageSpec

BAR_NS = 3_600_000_000_000
DAY_NS = 24 * BAR_NS
NOW_NS = 1_000 * DAY_NS + 12 * BAR_NS
AGENTS = ("trend", "momentum")

Numbers = tuple[float, ...]


def an_account(**changes: Any) -> Account:
    """100,000 USDT and nothing else, seen now."""
    facts: dict[str, Any] = {
        "at_ns": NOW_NS,
        "cash": {"USDT": Decimal(100_000), "BTC": Decimal(0)},
        "positions": {},
        "marks": dict.fromkeys(SYMBOLS, Decimal(100)),
        "rates": {"USDT": Decimal(1), "BTC": Decimal(100)},
        "equity": Decimal(100_000),
        "gross_exposure": Decimal(0),
        "open_notional": {},
        "busy": (),
        "blocked": (),
        "trading_state": TradingState.ACTIVE,
    }
    return Account(**(facts | changes))


def holding(quantity: str, symbol: str = BTC, **changes: Any) -> Account:
    """An account that holds one position, paid out of its cash."""
    held = Decimal(quantity)
    facts: dict[str, Any] = {"positions": {symbol: held}, "gross_exposure": abs(held) * 100}
    return an_account(**(facts | changes))


@dataclass(frozen=True)
class Scene:
    """Everything a judgement depends on; by default a full buy of BTC/USDT that nothing forbids."""

    exposure: Numbers = (1.0, nan, nan)
    confidence: Numbers = (0.9, 0.9, 0.9)
    bid: Numbers = (99.95, 99.95, 99.95)
    ask: Numbers = (100.05, 100.05, 100.05)
    atr: Numbers = (2.0, 2.0, 2.0)
    fresh: Numbers = (1.0, 1.0, 1.0)
    closes: F64 | None = None
    shares: tuple[Numbers, ...] = ((0.75, 0.25), (1.0, 0.0), (0.0, 0.0))
    account: Account = field(default_factory=an_account)
    limits: dict[str, Any] = field(default_factory=dict)
    state: RiskState = field(default_factory=RiskState)
    stages: StageSpec | None = None
    exits: tuple[str, ...] = ()
    at_ns: int = NOW_NS
    cycle: int = 7

    def core(self) -> RiskCore:
        core = RiskCore(RiskLimits(**self.limits), INSTRUMENTS, "desk", "paper", BAR_NS, self.stages)
        core.restore(self.state)
        return core

    def request(self) -> JudgeRequest:
        targets = Targets(
            cycle=self.cycle,
            regime="range",
            agents=AGENTS,
            weights=(0.5, 0.5),
            exposure=np.array(self.exposure),
            confidence=np.array(self.confidence),
            shares=np.array(self.shares),
        )
        bid, ask, atr, fresh = (np.array(values) for values in (self.bid, self.ask, self.atr, self.fresh))
        quotes = Quotes(SYMBOLS, bid, ask, atr, fresh, self.closes)
        return JudgeRequest(self.cycle, self.at_ns, targets, quotes, self.account, self.exits)

    def judge(self) -> Judgement:
        return self.core().judge(self.request())

    def codes(self) -> list[DenialCode]:
        return [denied.code for denied in self.judge().denied]


__all__ = [
    "AGENTS",
    "BAR_NS",
    "BTC",
    "DAY_NS",
    "NOW_NS",
    "SYMBOLS",
    "XRP",
    "XRP_BTC",
    "Scene",
    "an_account",
    "holding",
]
