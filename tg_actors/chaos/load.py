"""The load: a desk that trades as much as it can, whoever dies meanwhile."""

from decimal import Decimal
from pathlib import Path

from tg_actors.desk.config import DeskConfig, SupervisionConfig, load_desk
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market
from tg_actors.desk.supervision import ChildPolicy
from tg_actors.execution.venues.connection import Connection
from tg_actors.execution.wire import RestartIntensity

_BASES = "BTC ETH SOL XRP DOGE ADA LTC LINK AVAX DOT ATOM XLM TRX"
#: All in one currency, and one pair that is paid in another.
INSTRUMENTS = ",".join(f"{base}/USDT" for base in _BASES.split()) + ",XRP/BTC"
#: One: every process that is killed, and every one on a node that is, costs the start of a Python.
_AGENTS = ("momentum",)
#: Every opinion becomes a trade, and nothing of the day's losses ends the load.
_LIVELY = {
    "confidence_frac_min": Decimal("0.1"),
    "cooldown_bars": 0,
    "rebalance_band_frac": Decimal("0.05"),
    "trades_per_day_max": 100_000,
    "take_atr_multiple": Decimal(1),
    "stop_atr_multiple": Decimal(1),
    "drawdown_frac_max": Decimal(1),
    "daily_loss_frac_max": Decimal(1),
    "position_frac_max": Decimal("0.06"),
}
_EAGER = {"enter_score": 0.15, "exit_score": 0.1, "agreement_min": 0.1}
#: A nemesis kills more often than any policy forgives: here deaths are the point, not a fault.
SUPERVISION = SupervisionConfig(
    agents=ChildPolicy(intensity=1_000_000, period_s=3_600),
    core=ChildPolicy(intensity=1_000_000, period_s=3_600),
)
_RESTARTS = RestartIntensity(starts_max=1_000_000)
#: How long the coordinator waits for an actor that restarts on another node.
_STALL_S = 60


def lively_desk(name: str, seed: int) -> DeskConfig:
    """The default paper desk, with everything that holds it back turned down."""
    config = flagged(
        load_desk("configs/desks/laptop-paper.yaml"), Flags(instruments=INSTRUMENTS, seed=seed, speed="max")
    )
    risk = config.risk.model_copy(update=_LIVELY)
    pace = config.pace.model_copy(update={"stall_limit_s": _STALL_S})
    return config.model_copy(
        update={"name": name, "agents": _AGENTS, "risk": risk, "pace": pace, "supervision": SUPERVISION}
    )


def lively_plan(
    config: DeskConfig, folder: Path, connection: Connection, node_resource: str | None
) -> DeskPlan:
    """What a start of this desk needs, with its journal in ``folder``."""
    spec, feed = plan_market(config)
    plan = make_plan(config, spec, feed, folder, str(folder / "journal.sqlite"), durable=True)
    agents = tuple(agent.model_copy(update=_EAGER) for agent in plan.agents)
    executor = plan.account.executor.model_copy(update={"restarts": _RESTARTS})
    account = plan.account.model_copy(update={"executor": executor, "connection": connection})
    return plan.model_copy(update={"agents": agents, "account": account, "node_resource": node_resource})
