"""The equal-weight ensemble: every agent that is heard counts the same. Pure, all instruments at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from pydantic import Field

from tg_actors.domain.blocks import F64, MarketSnapshot, Opinions
from tg_actors.domain.decisions import RegimeView, Targets
from tg_actors.domain.message import Message
from tg_actors.meta.policies import EqualWeightPolicy, Policy
from tg_actors.meta.regime_shapes import Regime
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter


class MetaConfig(Message):
    """How opinions become targets.

    ``quorum`` is how many agents must have an opinion on an instrument before there is a target;
    ``exposure_gain`` multiplies the mean opinion before it is cut off at full exposure.
    ``policy`` says whose opinion counts how much.
    """

    quorum: int = Field(default=1, ge=1)
    exposure_gain: float = Field(default=1.0, gt=0)
    regime: RegimeConfig = RegimeConfig()
    # Not written where nothing is learnt: the plan of such a desk is the one it always was.
    policy: Policy = Field(default=EqualWeightPolicy(), exclude_if=lambda policy: not policy.learns)


class MetaSpec(Message):
    """All that the meta agent must know to start; ``agents`` in the order of the desk."""

    agents: tuple[str, ...]
    config: MetaConfig


@dataclass(frozen=True, slots=True, eq=False)
class CombineRequest:
    """One cycle's question: the market, and the opinions that came in time.

    ``unheard`` came too, but the desk's stage does not let them count: they are only learnt from. ``memory``
    is what the last targets brought along, None at first, and ``memory_of`` the agents whose it is, those of
    this desk where nobody is named; ``cycle_id`` seeds what is drawn. ``switched``
    are arms of which a person has said whether they count; of the others the policy decides.
    """

    snapshot: MarketSnapshot
    opinions: tuple[Opinions, ...]
    unheard: tuple[Opinions, ...] = ()
    memory: F64 | None = None
    cycle_id: str = ""
    memory_of: tuple[str, ...] = ()
    switched: Mapping[str, bool] = field(default_factory=dict)


class EqualWeightEnsemble:
    """Averages what is heard; remembers nothing.

    With ``w = 1 / heard`` for every agent that was heard, and sums over the agents that have an
    opinion on an instrument:

    * ``exposure = clip(gain * sum(w * direction * confidence) / sum(w), -1, 1)``: 1 is full agreement in
      full confidence.
    * ``confidence = sum(w * confidence, aligned) / sum(w)``: who disagrees with the sign of the exposure
      counts as no confidence, so dissent lowers it and a tie has none.
    * ``shares`` are each aligned agent's part of the exposure; a dissenter or a tie is credited nothing.

    An agent that is absent or abstains is missing from all sums: it is never a hold, buy or sell. An
    instrument on which fewer than ``quorum`` agents have an opinion gets NaN. One that a person has disabled
    is not heard.
    """

    def __init__(self, agents: Sequence[str], config: MetaConfig | None = None) -> None:
        self._agents = tuple(agents)
        self._columns = {agent: column for column, agent in enumerate(agents)}
        self._config = config or MetaConfig()
        self._regimes = RegimeFilter(self._config.regime)

    def combine(self, request: CombineRequest) -> Targets:
        """Turn opinions into target exposures; the order of the opinions does not matter.

        Raises:
            KeyError: an opinion is of an agent that this ensemble does not know.
        """
        weights = np.zeros(len(self._agents))
        heard = tuple(one for one in request.opinions if request.switched.get(one.agent, True))
        for opinions in heard:
            weights[self._columns[opinions.agent]] = 1.0 / len(heard)
        return self.weigh(request.snapshot, heard, weights, self._regimes.view(request.snapshot))

    def weigh(
        self, snapshot: MarketSnapshot, heard: Sequence[Opinions], weights: F64, view: RegimeView | None
    ) -> Targets:
        """Turn the opinions that count into target exposures by the weights ``(k,)`` of the agents."""
        n, k = len(snapshot.symbols), len(self._agents)
        direction, confidence = np.full((k, n), np.nan), np.full((k, n), np.nan)
        for opinions in heard:
            row = self._columns[opinions.agent]
            direction[row], confidence[row] = opinions.direction, opinions.confidence
        exposure, trust, shares = self._blend(direction, confidence, weights)
        return Targets(
            cycle=snapshot.cycle,
            regime=Regime.UNKNOWN.value if view is None else view.regime,
            agents=self._agents,
            weights=tuple(weights.tolist()),
            exposure=exposure,
            confidence=trust,
            shares=shares,
            regime_view=view,
        )

    def _blend(self, direction: F64, confidence: F64, weights: F64) -> tuple[F64, F64, F64]:
        """Return exposure ``(n,)``, confidence ``(n,)`` and shares ``(n, k)`` of opinions ``(k, n)``."""
        speaks = ~np.isnan(direction)
        # Sums along an axis, no matrix product: BLAS may add in another order on another machine.
        weight = speaks * weights[:, np.newaxis]
        votes = np.where(speaks, direction * confidence, 0.0) * weight
        total = weight.sum(axis=0)
        heard = np.where((speaks.sum(axis=0) >= self._config.quorum) & (total > 0), total, np.nan)
        mean = self._config.exposure_gain * votes.sum(axis=0) / heard
        exposure = np.minimum(np.maximum(mean, -1.0), 1.0)  # np.clip is slow on short arrays
        # fmax takes the number where the other is NaN: without a target nobody is aligned.
        aligned = np.fmax(votes * np.sign(exposure), 0.0)
        trust = np.where(aligned > 0, confidence * weight, 0.0).sum(axis=0) / heard
        credit = aligned.sum(axis=0)
        shares = (aligned / np.where(credit > 0, credit, 1.0)).T
        return exposure, trust, np.ascontiguousarray(shares)
