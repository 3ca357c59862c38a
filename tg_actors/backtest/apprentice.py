"""How one policy of an attempt is made: cloned from a rigid rule, then improved by playing. Loads torch."""

import numpy as np

from tg_actors.backtest.schooling import Ground, Maker, Schooling
from tg_actors.rl.classroom import Classroom, Fold
from tg_actors.rl.cloning import Demonstrations, clone
from tg_actors.rl.demonstrations import Shown, Teacher, demonstrate
from tg_actors.rl.episodes import Episodes
from tg_actors.rl.market import F32, LearningMarket
from tg_actors.rl.policy import ARRAYS
from tg_actors.rl.ppo import train
from tg_actors.rl.schooling import learn
from tg_actors.rl.specialists import GENERALIST, Specialist
from tg_actors.rl.trials import Trial

#: Of the days of a training, the last part, on which the best weights are chosen.
_CHOOSE_FRAC = 0.2


def make(ground: Ground, schooling: Schooling, begin: int, end: int, seed: int) -> dict[str, F32]:
    """Train one policy on the days ``begin`` to before ``end``; the same arguments give the same weights.

    The rule that was best on these days is copied, softened, and then left behind as far as playing for
    itself pays. It needs no regimes.
    """
    market = ground.days(begin, end)
    shown = _shown(ground, schooling, begin, end, market, schooling.reward, seed)
    lesson = Demonstrations(shown.observed, shown.actions, shown.weights)
    cloned = clone(schooling.cloning.model_copy(update={"seed": seed}), lesson)
    plan = schooling.training.model_copy(update={"seed": seed})
    episodes = Episodes(market, ground.rules, plan.rows, seed, schooling.reward)
    return dict(train(plan, episodes, start_from=cloned.arrays).arrays)


def maker_of(one: Specialist) -> Maker:
    """Return how a specialist is made: as ``tg train`` does, the generalist of the same seed first.

    Weights are chosen on the last fifth of the days. The market names the probabilities of its regimes.
    """

    def made(ground: Ground, schooling: Schooling, begin: int, end: int, seed: int) -> dict[str, F32]:
        market = ground.days(begin, end)
        bars = len(market.close)
        cut = bars - round(_CHOOSE_FRAC * bars)
        fold = Fold(train_end=cut, choose_first=cut, choose_end=bars, judge_first=bars, judge_end=bars)
        taught = {
            (0, pupil): _shown(ground, schooling, begin, end, market.slice(0, cut), reward, seed)
            for pupil, reward in ((GENERALIST, schooling.reward), (one.name, one.reward))
        }
        room = Classroom(
            market=market,
            rules=ground.rules,
            folds=(fold,),
            plan=schooling.training,
            cloning=schooling.cloning,
            shown=taught,
        )
        arrays = learn(Trial(specialist=GENERALIST, seed=seed, fold=0), room, None).arrays
        if one.name != GENERALIST:
            arrays = learn(Trial(specialist=one.name, seed=seed, fold=0), room, arrays).arrays
        return {name: arrays[name] for name in ARRAYS}

    return made


def _shown(
    ground: Ground,
    schooling: Schooling,
    begin: int,
    end: int,
    market: LearningMarket,
    reward: str,
    seed: int,
) -> Shown:
    """Let the best rule of these days show what it does on their first bars, those of ``market``."""
    rule = ground.rigid(begin, end)
    targets = ground.targets(rule, begin, end)[: len(market.close)]
    return demonstrate(
        market,
        ground.rules,
        Teacher(rule.name, targets, np.ones(targets.shape)),
        reward=reward,
        samples=schooling.demonstrations,
        seed=seed,
    )
