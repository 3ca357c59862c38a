"""Words for tests of the improvement: policies of hand and a loop on a made-up market, without torch."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tg_actors.backtest.improving import Improver
from tg_actors.backtest.improving_work import Shop, Terms
from tg_actors.backtest.model_gate import GatePlan
from tg_actors.backtest.rehearsal import MODEL, ground_of, small_schooling
from tg_actors.backtest.schooling import Ground, Schooling, best_rule
from tg_actors.rl.acts import Role
from tg_actors.rl.changing_market import ChangingMarket, rules_of_hand
from tg_actors.rl.episodes import ACCOUNT
from tg_actors.rl.improvement import ImprovementPlan
from tg_actors.rl.manifest import Manifest
from tg_actors.rl.market import F32
from tg_actors.rl.registry import ModelRegistry
from tg_actors.rl.sequential import SequentialPlan

DAY_NS = 86_400 * 10**9
#: Seeds, windows and days that need no patience.
TERMS = Terms(
    # Differences as large as here are seen at the first look by who bets more.
    watching=ImprovementPlan(canary_days=7, probation_days=14, sequential=SequentialPlan(rate_max=0.25)),
    gate=GatePlan(seeds_min=2, windows_min=4, days_min=56, samples=200, pbo_blocks=8, drawdown_frac_max=0.5),
    schooling=small_schooling(windows=4, seeds=2),
)


def follower(sign: float, features: int = 2 + len(ACCOUNT)) -> dict[str, F32]:
    """Return a policy that goes all in with the first column (``sign`` 1) or against it (-1), else holds."""
    first, second = np.zeros((1, features)), np.ones((1, 1))
    first[0, 0] = 10.0 * sign
    choice = np.zeros((8, 1))
    choice[0], choice[1] = 4.0, -4.0
    bias = np.zeros(8)
    bias[2], bias[7] = 1.0, 1.0
    arrays = {
        "hidden_0.weight": first,
        "hidden_0.bias": np.zeros(1),
        "hidden_1.weight": second,
        "hidden_1.bias": np.zeros(1),
        "choice.weight": choice,
        "choice.bias": bias,
    }
    return {name: array.astype(np.float32) for name, array in arrays.items()}


def make_by_rule(ground: Ground, schooling: Schooling, begin: int, end: int, seed: int) -> dict[str, F32]:
    """Make a policy of hand: it goes with the signal where the best rule of these days does, else against it.

    Seeds differ a little, so that they are not one.
    """
    del schooling
    arrays = follower(1.0 if ground.rigid(begin, end).name.startswith("with") else -1.0)
    arrays["hidden_0.weight"][0, 1] = 0.5 * seed
    return arrays


def made_up(change_day: int | None, days: int = 200, seed: int = 3) -> Ground:
    """Return a made-up market as a ground: few bars a day, rigid rules that dare a fifth of the limit."""
    market = ChangingMarket(
        seed=seed,
        days=days,
        change_day=change_day,
        assets=3,
        bars_per_day=6,
        edge_frac=0.002,
        deviation_frac=0.012,
    )
    ground = ground_of(market)
    rules = {name: targets * 0.2 for name, targets in rules_of_hand(market.open_()[1]).items()}
    timid = {name: rules[name] for name in ("with_signal", "against_signal")}
    return replace(ground, rigid=best_rule(timid, ground))


class Household:
    """A registry with a first champion, and the loop over it; ``improver`` is a new process's every time."""

    def __init__(self, folder: Path, ground: Ground, sign: float = 1.0, terms: Terms = TERMS) -> None:
        self.folder, self.ground, self.terms = folder, ground, terms
        self.registry = ModelRegistry(folder / "models")
        self.tried: list[Mapping[str, Any]] = []
        manifest = Manifest(
            name=MODEL,
            features=(*ground.market.names, *ACCOUNT),
            instruments=ground.symbols,
            market=ground.key,
            bar_ns=ground.bar_ns,
            from_ns=0,
            to_ns=1,
            seed=0,
            reward="v2",
            shorts=True,
            code_version="test",
            created_at_ns=1,
        )
        self.registry.register(MODEL, follower(sign), manifest)
        self.registry.promote(MODEL, 1, Role.CHAMPION, reason="the first", actor="test", at_ns=1)

    def improver(self) -> Improver:
        return Improver(MODEL, self.terms, self.shop())

    def shop(self) -> Shop:
        return Shop(
            registry=self.registry,
            folder=self.folder / "improvement",
            make=make_by_rule,
            count_trials=self._count,
            code_version="test",
        )

    def live(
        self, until_day: int, from_day: int = 90, every: int = 7, improver: Improver | None = None
    ) -> None:
        """Wake up every few days; each step is taken by a new process unless one is given."""
        first = self.ground.first_day
        for day in range(from_day, until_day + 1, every):
            now, at_ns = self.ground.until(first + day), (first + day) * DAY_NS
            one = improver or self.improver()
            if (day - from_day) % 28 == 0:
                one.begin(at_ns)
            while (improver or self.improver()).step(now, at_ns) is not None:
                pass

    def _count(self, market: str, what: Mapping[str, Any]) -> int:
        del market
        if what not in self.tried:
            self.tried.append(what)
        return len(self.tried)
