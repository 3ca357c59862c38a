"""The ground all benchmarks stand on: fifty instruments, desks that never stop, the machine's load."""

import datetime as dt
import json
import math
import os
import platform
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from tg_actors.desk.config import DeskConfig, load_desk
from tg_actors.desk.plan import DeskPlan, Flags, flagged, make_plan, plan_market

_BASES = """
    BTC ETH SOL XRP DOGE ADA LTC LINK BNB AVAX DOT ATOM UNI AAVE MKR XLM TRX VET
    ALGO FIL NEAR APT ARB OP SUI INJ RUNE GRT SAND MANA AXS CHZ ENJ ZEC DASH EOS
    XTZ NEO IOTA THETA FTM KAVA ZIL BAT COMP SNX CRV YFI ICP HBAR
"""
FIFTY = ",".join(f"{base}/USDT" for base in _BASES.split())


#: The agents that need nothing but a bar's indicators: what the event path itself costs shows beside them.
TECHNICAL = ("trend", "mean_reversion", "breakout", "momentum")


def desk(instruments: str, speed: str, seed: int = 7, agents: tuple[str, ...] | None = None) -> DeskConfig:
    """The default desk on a simulated market, with all of its agents or those named.

    Its loss breakers are off, for a halted desk is a fast desk.
    """
    config = flagged(
        load_desk("configs/desks/laptop-paper.yaml"),
        Flags("simulated", instruments=instruments, seed=seed, speed=speed),
    )
    never = {"drawdown_frac_max": Decimal(1), "daily_loss_frac_max": Decimal(1)}
    update = {"risk": config.risk.model_copy(update=never), "agents": agents or config.agents}
    return config.model_copy(update=update)


def plan(config: DeskConfig, folder: Path, *, durable: bool) -> DeskPlan:
    """What a start of this desk needs, with its journal in ``folder``."""
    spec, feed = plan_market(config)
    return make_plan(config, spec, feed, folder, str(folder / "journal.sqlite"), durable=durable)


def with_agents(plan: DeskPlan, n: int) -> DeskPlan:
    """The same desk with ``n`` agents: its own ones again and again, under other names."""
    agents = tuple(
        agent.model_copy(update={"name": f"{agent.name}_{i // len(plan.agents)}"})
        for i, agent in ((i, plan.agents[i % len(plan.agents)]) for i in range(n))
    )
    names = tuple(agent.name for agent in agents)
    return plan.model_copy(update={"agents": agents, "meta": plan.meta.model_copy(update={"agents": names})})


@contextmanager
def private_home() -> Iterator[Path]:
    """A ``TG_HOME`` of its own that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tg-bench-") as folder:
        os.environ["TG_HOME"] = folder
        yield Path(folder)


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least a part ``q`` of all values does not exceed."""
    return sorted(values)[max(math.ceil(q * len(values)) - 1, 0)]


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, lowest and highest of a few rounds."""
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


def machine() -> dict[str, Any]:
    """When and where this was measured, and how busy the machine is right now."""
    return {
        "utc": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load_average_1_5_15_min": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }


def show(name: str, before: dict[str, Any], figures: dict[str, Any]) -> None:
    """Print the one JSON object of a benchmark."""
    print(json.dumps({"name": name, "began": before, "ended": machine(), **figures}, indent=2))
