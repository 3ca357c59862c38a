"""The algorithms by name: what a desk file may say of each, and how it is opened."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.meta.bandits.bandit import Bandit
from tg_actors.meta.bandits.contextual import DiscountedLeader, LinUcb, PerRegime
from tg_actors.meta.bandits.sampling import BetaThompson, Exp3, GaussianThompson
from tg_actors.meta.bandits.ucb import DiscountedUcb, SlidingWindowUcb, Ucb1, UcbTuned

_Discount = Annotated[float, Field(gt=0, le=1)]
_Breadth = Annotated[float, Field(gt=0, le=100)]


class Ucb1Spec(Message):
    """UCB1; ``c`` None follows the rewards' own variance, 2 is the textbook's."""

    kind: Literal["ucb1"] = "ucb1"
    c: _Breadth | None = None


class UcbTunedSpec(Message):
    """UCB-tuned, which has nothing to set."""

    kind: Literal["ucb_tuned"] = "ucb_tuned"


class DiscountedUcbSpec(Message):
    """Discounted UCB."""

    kind: Literal["discounted_ucb"] = "discounted_ucb"
    c: _Breadth = 2.0
    discount: _Discount = 0.995


class SlidingWindowUcbSpec(Message):
    """Sliding-window UCB; ``window`` counts cycles, and all of them travel in the journal every cycle."""

    kind: Literal["sliding_window_ucb"] = "sliding_window_ucb"
    c: _Breadth = 2.0
    window: int = Field(default=200, ge=2, le=1000)


class GaussianThompsonSpec(Message):
    """Thompson sampling with a normal posterior; ``deviation`` None is the rewards' own."""

    kind: Literal["gaussian_thompson"] = "gaussian_thompson"
    deviation: float | None = Field(default=None, gt=0, le=1)
    discount: _Discount = 0.995


class BetaThompsonSpec(Message):
    """Thompson sampling with a Beta posterior."""

    kind: Literal["beta_thompson"] = "beta_thompson"
    discount: _Discount = 0.995


class Exp3Spec(Message):
    """EXP3; ``gamma`` is the share of exploring and the rate of learning."""

    kind: Literal["exp3"] = "exp3"
    gamma: float = Field(default=0.1, gt=0, le=1)


class LinUcbSpec(Message):
    """LinUCB with the regimes' probabilities as context."""

    kind: Literal["linucb"] = "linucb"
    alpha: _Breadth = 0.5
    ridge: float = Field(default=1.0, gt=0)


#: What needs no context, and so can be kept once for each regime.
BlindSpec = Annotated[
    Ucb1Spec
    | UcbTunedSpec
    | DiscountedUcbSpec
    | SlidingWindowUcbSpec
    | GaussianThompsonSpec
    | BetaThompsonSpec
    | Exp3Spec,
    Field(discriminator="kind"),
]


class PerRegimeSpec(Message):
    """One bandit for each regime."""

    kind: Literal["per_regime"] = "per_regime"
    each: BlindSpec = Ucb1Spec()


class LeaderSpec(Message):
    """The discounted leader; ``switching_cost`` in units of the reward, ``prior`` imagined rewards of 0.5."""

    kind: Literal["leader"] = "leader"
    discount: _Discount = 0.99
    switching_cost: float = Field(default=0.0, ge=0, le=1)
    prior: float = Field(default=1.0, gt=0)
    by_regime: bool = False


AlgorithmSpec = Annotated[
    Ucb1Spec
    | UcbTunedSpec
    | DiscountedUcbSpec
    | SlidingWindowUcbSpec
    | GaussianThompsonSpec
    | BetaThompsonSpec
    | Exp3Spec
    | LinUcbSpec
    | PerRegimeSpec
    | LeaderSpec,
    Field(discriminator="kind"),
]

#: Opens a bandit: its spec, the number of arms, the number of regimes.
_Open = Callable[[Any, int, int], Bandit]


def _per_regime(spec: PerRegimeSpec, arms: int, contexts: int) -> Bandit:
    return PerRegime(arms, contexts, lambda: open_bandit(spec.each, arms, contexts))


def _leader(spec: LeaderSpec, arms: int, contexts: int) -> Bandit:
    known = contexts if spec.by_regime else 1
    return DiscountedLeader(arms, known, spec.discount, spec.switching_cost, spec.prior)


_OPENERS: Mapping[str, _Open] = {
    "ucb1": lambda spec, arms, _: Ucb1(arms, spec.c),
    "ucb_tuned": lambda _, arms, __: UcbTuned(arms),
    "discounted_ucb": lambda spec, arms, _: DiscountedUcb(arms, spec.c, spec.discount),
    "sliding_window_ucb": lambda spec, arms, _: SlidingWindowUcb(arms, spec.c, spec.window),
    "gaussian_thompson": lambda spec, arms, _: GaussianThompson(arms, spec.deviation, spec.discount),
    "beta_thompson": lambda spec, arms, _: BetaThompson(arms, spec.discount),
    "exp3": lambda spec, arms, _: Exp3(arms, spec.gamma),
    "linucb": lambda spec, arms, contexts: LinUcb(arms, contexts, spec.alpha, spec.ridge, 0.5),
    "per_regime": _per_regime,
    "leader": _leader,
}


def open_bandit(spec: AlgorithmSpec, arms: int, contexts: int) -> Bandit:
    """Return a blank bandit of this kind."""
    return _OPENERS[spec.kind](spec, arms, contexts)
