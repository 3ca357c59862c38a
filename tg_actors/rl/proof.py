"""What is learned where the best policy is known, beside that best. Loads the learning libraries.

Nothing is chosen by the answer: a training's last weights are valued, once, whatever they are worth.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message
from tg_actors.rl import answer_key, leak_canary
from tg_actors.rl.answer_key import BLIND, NULL, REGIMES, RULES, STANDARD, Policy
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.answer_key_hidden import HiddenEpisodes, HiddenKey, bound, played
from tg_actors.rl.answer_key_play import actions_to, demonstrated, mean_exposure, optimum, policy_of, worth
from tg_actors.rl.cloning import Demonstrations, clone
from tg_actors.rl.plans import CloningPlan, TrainingPlan
from tg_actors.rl.policy import ARRAYS, NumpyPolicy
from tg_actors.rl.ppo import Arrays, train

#: Demonstrations are 64 rows of as many bars, of which a part is drawn at random.
_ROWS, _BARS, _ASTRAY_FRAC, _EPOCHS, _SOFTEN = 64, 320, 0.3, 40, 0.1
_CLONED_STEPS, _HIDDEN_STEPS, _NULL_STEPS, _STEPS = 200_000, 100_000, 65_536, 1_048_576
#: Trunk and specialists together play as much as the generalist beside them.
_TRUNK_STEPS, _SPECIALIST_STEPS = _STEPS // 2, _STEPS // 8
#: The part of a specialist's episodes that begins in its own regime.
_HOME_FRAC = 0.7
_PLAYED_ROWS, _PLAYED_BARS, _PARTS = 1_000, 600, 6


class Outcome(NamedTuple):
    """What a check found: a value, and the part of the best that it is."""

    value: float
    of_best_frac: float
    note: str = ""


class Check(NamedTuple):
    """One line of the proof.

    The outcome's part is to be at least, or at most, ``goal_frac``; without one it is told, win or lose.
    ``measure`` says what ``of_best_frac`` is a part of.
    """

    meaning: str
    run: Callable[[int], Outcome]
    goal_frac: float | None = None
    is_at_most: bool = False
    is_long: bool = False
    measure: str = "of the best value"


class ProofRow(Message):
    """A check and what came of it; ``is_met`` is None where there is no goal. ``cpu_s`` is processor time."""

    name: str
    meaning: str
    measure: str
    value: float
    of_best_frac: float
    goal: str
    is_met: bool | None
    cpu_s: float
    note: str


def proof(
    *,
    full: bool,
    seed: int,
    cpu_ns: Callable[[], int],
    on_row: Callable[[ProofRow], None] = lambda _: None,
) -> tuple[ProofRow, ...]:
    """Run the checks, the long ones too with ``full``; ``cpu_ns`` is a clock of processor time."""
    rows = []
    for name, check in CHECKS.items():
        if check.is_long and not full:
            continue
        began_ns = cpu_ns()
        outcome = check.run(seed)
        rows.append(_row(name, check, outcome, (cpu_ns() - began_ns) / 1e9))
        on_row(rows[-1])
    return tuple(rows)


def _row(name: str, check: Check, outcome: Outcome, cpu_s: float) -> ProofRow:
    goal, is_met, part = "", None, outcome.of_best_frac
    if check.goal_frac is not None:
        goal = f"{'at most' if check.is_at_most else 'at least'} {check.goal_frac:g}"
        is_met = part <= check.goal_frac if check.is_at_most else part >= check.goal_frac
    return ProofRow(
        name=name,
        meaning=check.meaning,
        measure=check.measure,
        value=outcome.value,
        of_best_frac=part,
        goal=goal,
        is_met=is_met,
        cpu_s=cpu_s,
        note=outcome.note,
    )


def _plan(steps: int, seed: int) -> TrainingPlan:
    return TrainingPlan(steps=steps, seed=seed, learning_rate=2e-3, gae_lambda=0.9, device="cpu")


def _gentle(steps: int, seed: int) -> TrainingPlan:
    """After cloning: what is good already is soon lost in large steps."""
    return TrainingPlan(steps=steps, seed=seed, gae_lambda=0.9, clip=0.1, entropy=0.002, device="cpu")


def _learned(plan: TrainingPlan, start: Arrays | None = None, begins: F64 | None = None) -> Arrays:
    seed = plan.seed
    return train(plan, AnswerKeyEpisodes(STANDARD, plan.rows, seed, begins=begins), start_from=start).weights


def _policy(weights: Arrays) -> Policy:
    return policy_of(_acting(weights))


def _acting(weights: Arrays) -> NumpyPolicy:
    return NumpyPolicy({name: array for name, array in weights.items() if name in ARRAYS})


def _judged(policy: Policy, note: str = "") -> Outcome:
    value = worth(STANDARD, policy) + 0.0
    return Outcome(value, value / optimum(STANDARD), note)


def _taught(teacher: Policy, seed: int) -> Outcome:
    """Clone a teacher, then train on."""
    observed, actions = demonstrated(
        STANDARD, teacher, rows=_ROWS, bars=_BARS, seed=seed, astray_frac=_ASTRAY_FRAC
    )
    cloned = clone(
        CloningPlan(epochs=_EPOCHS, soften=_SOFTEN, seed=seed), Demonstrations(observed, actions)
    ).arrays
    before = _judged(_policy(cloned)).of_best_frac
    learned = _learned(_gentle(_CLONED_STEPS, seed), cloned)
    return _judged(_policy(learned), f"teacher {_judged(teacher).of_best_frac:.3f}, clone {before:.3f}")


def _cloned_and_trained(seed: int) -> Outcome:
    return _taught(answer_key.best_policy(STANDARD)[0], seed)


def _rule_and_trained(seed: int) -> Outcome:
    return _taught(RULES["knowing"](), seed)


def _blind(_: int) -> Outcome:
    name = max(BLIND, key=lambda rule: worth(STANDARD, RULES[rule]()))
    return _judged(RULES[name](), name)


def _hidden(seed: int) -> Outcome:
    """Learn from one who acts as if the likeliest regime were certain, then from what is paid."""
    hidden = HiddenKey()
    best, teacher = bound(hidden, _PARTS), answer_key.best_policy(STANDARD)[0]
    shown = HiddenEpisodes(hidden, _ROWS, seed)
    seen, done = [shown.reset()], []
    for _ in range(_BARS):
        regime = shown.likely.argmax(axis=1)
        done.append(actions_to(shown.exposure, teacher[regime, shown.signal, shown.exposure]))
        seen.append(shown.step(done[-1]).observed)
    demos = Demonstrations(np.concatenate(seen[:-1]), np.concatenate(done))
    cloned = clone(CloningPlan(epochs=_EPOCHS, soften=_SOFTEN, seed=seed), demos).arrays
    plan = _gentle(_HIDDEN_STEPS, seed)
    trained = train(plan, HiddenEpisodes(hidden, plan.rows, seed), start_from=cloned)
    value, error = played(
        hidden, _acting(trained.arrays).act, rows=_PLAYED_ROWS, bars=_PLAYED_BARS, seed=seed + 1
    )
    full = optimum(STANDARD)
    of_full = f"of full sight the bound {best.value / full:.3f}, this {value / full:.3f}"
    return Outcome(value, value / best.value, f"± {error / best.value:.3f}; {of_full}")


def _null(seed: int) -> Outcome:
    plan = _plan(_NULL_STEPS, seed)
    trained = train(plan, AnswerKeyEpisodes(NULL, plan.rows, seed))
    policy = policy_of(_acting(trained.arrays))
    exposure = mean_exposure(NULL, policy)
    return Outcome(exposure, exposure, f"worth {worth(NULL, policy):.4f}, staying flat 0")


def _canary(seed: int) -> Outcome:
    plan = leak_canary.plan(seed)
    trained = train(plan, leak_canary.episodes(leak_canary.market(seed), plan.rows, seed))
    earned, best = leak_canary.earned(_acting(trained.arrays), leak_canary.market(seed + 1))
    return Outcome(earned, earned / best, "log growth on a path that it was not trained on")


def _alone(seed: int) -> Outcome:
    return _judged(_policy(_learned(_plan(_STEPS, seed))), f"{_STEPS} steps")


def _specialists(seed: int) -> Outcome:
    """Fine-tune the same trunk in each regime, then let the regime choose."""
    trunk = _learned(_plan(_TRUNK_STEPS, seed))
    alone = [
        _policy(_learned(_plan(_SPECIALIST_STEPS, seed + 1 + g), trunk, _at_home(g)))
        for g in range(len(REGIMES))
    ]
    single = max(worth(STANDARD, policy) for policy in alone) / optimum(STANDARD)
    switched = np.stack([policy[g] for g, policy in enumerate(alone)])
    trunk_worth = _judged(_policy(trunk)).of_best_frac
    return _judged(switched, f"trunk {trunk_worth:.3f}, best single one everywhere {single:.3f}")


def _at_home(regime: int) -> F64:
    """How often episodes begin in each regime and signal ``(4, 5)``."""
    often = STANDARD.stationary()
    home = np.zeros((len(REGIMES), 1))
    home[regime] = 1.0
    begins: F64 = _HOME_FRAC * often * home / often[regime].sum()
    begins += (1.0 - _HOME_FRAC) * often * (1.0 - home) / (1.0 - often[regime].sum())
    return begins


#: What is shown, in this order.
CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "cloned_then_trained": Check(
            "a clone of optimal play, a third astray, trained on", _cloned_and_trained, 0.97
        ),
        "best_blind_rule": Check("the best rule that does not see the regime", _blind, 0.05, is_at_most=True),
        "hidden_regime": Check(
            "the same where the regime is hidden", _hidden, 0.9, measure="of an upper bound of the best value"
        ),
        "nothing_to_win": Check(
            "trained where nothing can be won", _null, 0.02, is_at_most=True, measure="mean exposure"
        ),
        "leak_canary": Check("trained with the next return in sight", _canary, 0.95),
        "rule_then_trained": Check(
            "a clone of the rule of hand, trained on", _rule_and_trained, is_long=True
        ),
        "trained_alone": Check("trained from nothing", _alone, 0.85, is_long=True),
        "specialists_switched": Check(
            "four specialists, switched by regime, as many steps in all", _specialists, 0.85, is_long=True
        ),
    }
)
