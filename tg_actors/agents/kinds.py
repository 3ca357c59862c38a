"""The table of kinds: which spec a file is read as, and which core works from it.

Nobody else knows an agent by its kind: desk, backtests, detectors and commands ask here. A new kind is a
row in ``KINDS``, a branch of ``AgentSpec``, and an actor in ``agents/actor.py``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from tg_actors.agents.opining import OpiningCore
from tg_actors.domain.message import Message
from tg_actors.institutional.correlation import CorrelationAgent
from tg_actors.institutional.correlation_spec import CorrelationSpec
from tg_actors.institutional.liquidity import LiquidityAgent
from tg_actors.institutional.liquidity_spec import LiquiditySpec
from tg_actors.institutional.rebalancing import RebalancingAgent
from tg_actors.institutional.rebalancing_spec import RebalancingSpec
from tg_actors.institutional.smart_money import SmartMoneyAgent
from tg_actors.institutional.smart_money_spec import SmartMoneySpec
from tg_actors.institutional.volume_profile import VolumeProfileAgent
from tg_actors.institutional.volume_profile_spec import VolumeProfileSpec
from tg_actors.market.needs import MarketNeeds
from tg_actors.meta.regime_shapes import REGIMES
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.agent import RlAgent, misfit
from tg_actors.rl.model import Model
from tg_actors.rl.observation import Observer
from tg_actors.rl.spec import RlSpec
from tg_actors.technical.agent import TechnicalAgent
from tg_actors.technical.spec import TechnicalSpec

#: Any file in ``configs/agents``, by its ``kind``.
AgentSpec = Annotated[
    TechnicalSpec
    | LiquiditySpec
    | SmartMoneySpec
    | VolumeProfileSpec
    | CorrelationSpec
    | RebalancingSpec
    | RlSpec,
    Field(discriminator="kind"),
]

#: Opens a core: its spec, the instruments in the order of the desk, the length of a bar.
OpenCore = Callable[[Any, tuple[str, ...], int], OpiningCore]


@dataclass(frozen=True, slots=True)
class Kind:
    """One row: the model of its files, and how a core is made of one.

    ``rebalances``: it changes what is held without closing it, which a stage may forbid.
    """

    spec: type[Message]
    open: OpenCore
    rebalances: bool = False


#: A file that names no kind is one of these: the first agents had none.
DEFAULT_KIND = "technical"

#: What every learned agent sees of the market.
OBSERVER = Observer(tuple(regime.value for regime in REGIMES))


def open_learned(spec: RlSpec, symbols: tuple[str, ...], bar_ns: int) -> RlAgent:
    """Return the core of a learned agent; it abstains until it is handed a model."""
    del bar_ns  # policies count bars
    regimes = RegimeFilter(RegimeConfig(window_bars=spec.regime_bars))
    return RlAgent(spec, len(symbols), OBSERVER, regimes.view)


KINDS: dict[str, Kind] = {
    "technical": Kind(TechnicalSpec, lambda spec, symbols, _: TechnicalAgent(spec, len(symbols))),
    "liquidity": Kind(LiquiditySpec, LiquidityAgent),
    "smart_money": Kind(SmartMoneySpec, SmartMoneyAgent),
    "volume_profile": Kind(VolumeProfileSpec, VolumeProfileAgent),
    "correlation": Kind(CorrelationSpec, CorrelationAgent),
    "rebalancing": Kind(RebalancingSpec, RebalancingAgent, rebalances=True),
    "rl": Kind(RlSpec, open_learned),
}


def open_agent(
    spec: AgentSpec, symbols: tuple[str, ...], bar_ns: int, model: Model | None = None
) -> OpiningCore:
    """Return the core of an agent; it opines once it has been recalled.

    ``model`` is what a learned agent asks from the beginning; a desk hands it on later.
    """
    core = KINDS[spec.kind].open(spec, symbols, bar_ns)
    if isinstance(core, RlAgent):
        core.follow(model)
    return core


def misfit_of(features: tuple[str, ...]) -> str | None:
    """Say why a version of a model with these columns cannot be asked here, None when it can."""
    return misfit(features, OBSERVER)


def rebalancers(specs: Iterable[AgentSpec]) -> tuple[str, ...]:
    """Return the names of those that a stage without rebalancing does not hear."""
    return tuple(spec.name for spec in specs if KINDS[spec.kind].rebalances)


def needs_of(specs: Iterable[AgentSpec], *others: MarketNeeds) -> MarketNeeds:
    """Return what a market must hold for all of these agents, and others: the most that any asks for."""
    needs = [*(spec.needs() for spec in specs), *others]
    return MarketNeeds(
        window_bars=max((one.window_bars for one in needs), default=0),
        days=max((one.days for one in needs), default=0),
        references=tuple(dict.fromkeys(name for one in needs for name in one.references)),
        facts=any(one.facts for one in needs),
        depth_levels=max((one.depth_levels for one in needs), default=0),
    )
