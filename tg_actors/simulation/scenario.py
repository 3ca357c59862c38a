"""What a seed's desk looks like: its limits, what its agents say, and how badly its risk room errs."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Judgement, RiskState
from tg_actors.domain.orders import Intent, OrderType
from tg_actors.domain.stages import StageState
from tg_actors.exchange.config import ExchangeConfig, FeeRates, SlippageModel
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.execution.permits import HardLimits
from tg_actors.execution.start import AccountSpec
from tg_actors.execution.venues.port import Capabilities, Dedupe
from tg_actors.execution.wire import ExecutorSpec, RestartIntensity
from tg_actors.risk.judge import JudgeRequest, RiskCore
from tg_actors.risk.limits import RiskLimits
from tg_actors.simulation.exchange import ACCOUNT
from tg_actors.simulation.market import BAR_NS, INSTRUMENTS
from tg_actors.simulation.scheduler import NS, START_NS

DESK = "simulation"
OPENING_CASH = {"USDT": Decimal(10_000)}
AGENTS = ("weathercock", "mule")
#: An agent with an opinion wants in this often, else out.
_LONG_FRAC = 0.6
#: In so many runs no order waits for a person.
_UNASKED_FRAC = 0.7
#: Bars with faults, then bars without, in which all that was lost must be found.
STORM_BARS, CALM_BARS = 10, 6
#: The faults end a while before the calm bars begin to count.
STORM_NS = STORM_BARS * BAR_NS
DURATION_NS = (STORM_BARS + CALM_BARS) * BAR_NS
STORM_END_NS = START_NS + STORM_NS
END_NS = START_NS + DURATION_NS
#: The last bars bring no trades any more: what is told late can be told.
CLOSE_NS = END_NS - 5 * BAR_NS // 2


#: Belongs to the practice exchange, which nobody opens here.
_NO_EXCHANGE = ExchangeConfig(
    fees=FeeRates(maker_frac=Decimal(0), taker_frac=Decimal(0)),
    slippage=SlippageModel(base_bps=Decimal(0), impact_bps=Decimal(0)),
    volume_frac_max=Decimal(1),
)


#: The venue as Kraken is, with what is changed for other kinds of venue.
_KIND = Capabilities(
    dedupe=Dedupe.OPEN,
    expiry_s_max=60,
    read_lag_s=2,
    look_up_by_client_id=True,
    dead_man_s=0,
    oco=True,
    stops_hold_balance=False,
    order_types=frozenset(OrderType),
    post_only=False,
    reduce_only=False,
    client_id_chars_max=36,
    wall_deadlines=True,
)
#: How often each kind of venue is drawn, and what is different about it.
_KINDS: tuple[tuple[float, dict[str, object]], ...] = (
    (0.15, {}),
    (0.2, {"reduce_only": True}),
    (0.1, {"dead_man_s": 60}),
    (0.25, {"oco": False}),
    (0.15, {"oco": False, "stops_hold_balance": True, "dead_man_s": 60}),
    # Without a deadline at the venue only long silence proves anything: longer than any pause and delay.
    (0.15, {"expiry_s_max": 0, "unknown_horizon_s": 180}),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """The desk of one seed, and the kind of venue it trades at."""

    seed: int
    venue: Capabilities
    account: AccountSpec
    risk_limits: RiskLimits
    #: Chance per approved intent that the risk room gets it wrong; the hard limits must then hold.
    rogue_frac: float
    #: Chance per bar and instrument that agents change their minds.
    restless_frac: float


def draw(seed: int, rng: np.random.Generator) -> Scenario:
    """Draw the desk of a seed."""
    limits = HardLimits(
        order_notional_max=Decimal(int(rng.integers(500, 2_000))),
        gross_exposure_frac_max=Decimal(int(rng.integers(10, 40))) / 100,
        price_band_frac=Decimal("0.02"),
        venue_deadline_s=int(rng.integers(2, 31)),
    )
    executor = ExecutorSpec(
        desk=DESK,
        account=ACCOUNT,
        reporting_currency="USDT",
        bar_ns=BAR_NS,
        opening_cash=OPENING_CASH,
        instruments=INSTRUMENTS,
        limits=limits,
        approval=_draw_approval(rng),
        restarts=RestartIntensity(starts_max=int(rng.integers(6, 30)), window_s=300),
    )
    risk = RiskLimits(
        confidence_frac_min=Decimal("0.1"),
        position_frac_max=Decimal(int(rng.integers(5, 20))) / 100,
        leverage_max=Decimal(1),
        cooldown_bars=int(rng.integers(0, 2)),
        stop_atr_multiple=Decimal(int(rng.integers(1, 9))) / 2,
        take_atr_multiple=Decimal(2) if _happens(rng, 0.5) else None,
        stop_trailing=_happens(rng, 0.3),
        rebalance_band_frac=Decimal("0.1"),
        trades_per_day_max=1_000,
        order_notional_max=Decimal(5_000),
    )
    return Scenario(
        seed=seed,
        venue=_draw_venue(rng),
        account=AccountSpec(executor=executor, exchange=_NO_EXCHANGE, durable=False),
        risk_limits=risk,
        rogue_frac=0.0 if _happens(rng, 0.6) else 0.15,
        restless_frac=0.2 + 0.6 * float(rng.random()),
    )


def _happens(rng: np.random.Generator, chance: float) -> bool:
    return bool(rng.random() < chance)


def _draw_approval(rng: np.random.Generator) -> ApprovalPolicy:
    """Mostly nobody is asked; else about all orders or about large ones, and not for long."""
    if _happens(rng, _UNASKED_FRAC):
        return ApprovalPolicy()
    above = Decimal(0) if _happens(rng, 0.5) else Decimal(int(rng.integers(100, 800)))
    return ApprovalPolicy(above_notional=above, ttl_s=int(rng.integers(10, 60)))


def _draw_venue(rng: np.random.Generator) -> Capabilities:
    """Draw a kind of venue."""
    number = rng.choice(len(_KINDS), p=[chance for chance, _ in _KINDS])
    return _KIND.model_copy(update=_KINDS[number][1])


def stream(seed: int, *numbers: int) -> np.random.Generator:
    """Return one of a seed's independent streams of randomness."""
    return np.random.Generator(np.random.PCG64([seed, *numbers]))


class SeededAgent:
    """An agent whose opinions follow from seed and cycle alone: a repeated question is answered alike."""

    def __init__(self, name: str, scenario: Scenario, quiet_from_ns: int) -> None:
        self.name = name
        self._number = AGENTS.index(name)
        self._scenario = scenario
        self._quiet_from_ns = quiet_from_ns

    def recall(self, memory: F64 | None) -> None:
        """Nothing to remember."""
        del memory

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        """Long, flat or silent per instrument; silent in the quiet phase."""
        n = len(snapshot.symbols)
        rng = stream(self._scenario.seed, 7, self._number, snapshot.cycle)
        speaks = (rng.random(n) < self._scenario.restless_frac) & (snapshot.at_ns < self._quiet_from_ns)
        long = rng.random(n) < _LONG_FRAC
        direction = np.where(speaks, np.where(long, 1.0, 0.0), np.nan)
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=1,
            direction=direction,
            confidence=np.where(speaks, 0.5 + 0.5 * rng.random(n), np.nan),
            evidence_names=(),
            evidence=np.empty((n, 0)),
            memory=np.empty((n, 0)),
            abstained=tuple(None if said else Abstention.NO_CONVICTION for said in speaks.tolist()),
        )


class RogueRisk:
    """The real risk room, whose approved intents are sometimes corrupted on the way out."""

    def __init__(self, core: RiskCore, scenario: Scenario) -> None:
        self._core = core
        self._scenario = scenario

    def judge(self, request: JudgeRequest) -> Judgement:
        """Judge, then perhaps err; the same question gets the same error."""
        judgement = self._core.judge(request)
        rng = stream(self._scenario.seed, 8, request.cycle)
        approved = tuple(self._err(intent, rng) for intent in judgement.approved)
        return judgement.model_copy(update={"approved": approved})

    def rearm(self, equity: Decimal) -> RiskState:
        """Start the breakers again."""
        return self._core.rearm(equity)

    def restage(self, stage: StageState) -> RiskState:
        """Take over a stage that a person has ordered."""
        return self._core.restage(stage)

    def _err(self, intent: Intent, rng: np.random.Generator) -> Intent:
        if rng.random() >= self._scenario.rogue_frac:
            return intent
        mistakes: tuple[dict[str, object], ...] = (
            {"spec": intent.spec.model_copy(update={"quantity": intent.spec.quantity * 20})},
            {"spec": intent.spec.model_copy(update={"quantity": intent.spec.quantity * 4})},
            {"reference_price": intent.reference_price * Decimal("1.1")},
            {"valid_until_ns": intent.decided_at_ns - NS},
        )
        return intent.model_copy(update=mistakes[int(rng.integers(len(mistakes)))])


def rogue_risk(scenario: Scenario, state: RiskState | None) -> RogueRisk:
    """Return the risk room of a coordinator process with the memory that the journal holds."""
    core = RiskCore(scenario.risk_limits, INSTRUMENTS, DESK, ACCOUNT, BAR_NS)
    core.restore(state or RiskState())
    return RogueRisk(core, scenario)
