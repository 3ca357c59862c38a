"""Ask a deployed model without pause while its versions are promoted, one is bad and a replica is killed."""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tg_actors.chaos.swap_verdict import Answer, Swap, SwapVerdict, judge
from tg_actors.client import ApiError, TripleGainClient
from tg_actors.client.words import PredictRequest
from tg_actors.domain.errors import OutsideError
from tg_actors.rl.acts import Act, Role, Verb
from tg_actors.rl.manifest import Manifest, parse_model_id
from tg_actors.rl.market import F32
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.record import ActRecord
from tg_actors.rl.registry import ModelRegistry
from tg_actors.runtime.clock import wall_ns

#: The model of the test; a home of its own keeps it from every other.
MODEL = "rl-swap-test"
_FEATURES, _WIDTH, _ROWS = 16, 64, 4
#: A caller tries again for so long: a replica that died is replaced within it.
_TRY_S = 20.0
_AGAIN_S = 0.02
#: The best logit of another summation order lies this close to the best of ours.
_TIE = 1e-3
_WAIT_S = 30.0
_LOOK_S = 0.05

Status = Callable[[], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SwapPlan:
    """So many promotions in so many seconds under requests from so many threads."""

    swaps: int
    seconds: float
    threads: int = 4
    kill: bool = True


@dataclass(slots=True)
class _Run:
    """What all threads share."""

    url: str
    token: str
    policies: Mapping[int, NumpyPolicy]
    answers: list[Answer] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)


def prepare(registry: ModelRegistry, versions: int) -> dict[int, NumpyPolicy]:
    """Register versions of small policies that nobody trained, and put the first in force."""
    policies = {}
    for seed in range(versions):
        arrays = _arrays(np.random.default_rng(seed))
        policies[registry.register(MODEL, arrays, _manifest(seed))] = NumpyPolicy(arrays)
    registry.promote(MODEL, min(policies), reason="the first of a test", actor="swap-test", at_ns=wall_ns())
    return policies


def swap_under_load(
    url: str, token: str, models: Path, policies: Mapping[int, NumpyPolicy], status: Status, plan: SwapPlan
) -> SwapVerdict:
    """Run the plan against a deployment that reads the registry in ``models``.

    ``policies`` come from :func:`prepare`: one more than there are swaps, and one for the bad version.

    Raises:
        OutsideError: the first version does not come into force.
    """
    registry = ModelRegistry(models)
    first, *others = sorted(policies)
    _wait(lambda: _champion(status()) == first, f"{MODEL}@{first} did not come into force")
    run = _Run(url, token, policies)
    swaps = [Swap(wall_ns(), first)]
    threads = [threading.Thread(target=_ask, args=(run, k)) for k in range(plan.threads)]
    for thread in threads:
        thread.start()
    try:
        recovery = _promote_all(registry, models, others, swaps, status, plan)
        if recovery is not None:
            recovery.join()
        bad = next(swap.version for swap in swaps if swap.bad)
        refused = any(row["model"] == MODEL and row["version"] == bad for row in status()["refused"])
    finally:
        run.stop.set()
        for thread in threads:
            thread.join()
    return judge(
        run.answers,
        swaps,
        bad_refused=refused,
        killed=int(recovery is not None),
        recovery_s=None if recovery is None else recovery.seconds,
    )


def _promote_all(
    registry: ModelRegistry,
    models: Path,
    others: list[int],
    swaps: list[Swap],
    status: Status,
    plan: SwapPlan,
) -> "_Recovery | None":
    """Promote one version after another; returns who watches the replica that was killed on the way."""
    began, every_s = time.monotonic(), plan.seconds / (plan.swaps + 1)
    bad_at, kill_at = max(plan.swaps * 2 // 5, 1), max(plan.swaps * 7 // 10, 1)
    recovery: _Recovery | None = None
    for k in range(1, plan.swaps + 1):
        time.sleep(max(0.0, began + k * every_s - time.monotonic()))
        swaps.append(Swap(wall_ns(), others[k - 1]))
        registry.promote(MODEL, others[k - 1], reason=f"swap {k}", actor="swap-test", at_ns=wall_ns())
        if k == bad_at:
            _wait(lambda: status()["settled"], "a promotion did not come into force")
            swaps.append(Swap(wall_ns(), others[-1], bad=True))
            _promote_bad(models, others[-1])
            _wait(lambda: bool(status()["refused"]), "the bad version was not refused")
        if k == kill_at and plan.kill:
            recovery = _Recovery(status)
            recovery.start()
    time.sleep(every_s)
    return recovery


def _promote_bad(models: Path, version: int) -> None:
    """Spoil a version, then put it into the record past the probe, as a disk that goes bad would."""
    weights = models / MODEL / str(version) / "weights.npz"
    with np.load(weights, allow_pickle=False) as members:
        spoilt = {name: np.full_like(members[name], np.nan) for name in members.files}
    with weights.open("wb") as file:
        np.savez(file, **spoilt)
    act = Act(
        at_ns=wall_ns(),
        actor="swap-test",
        verb=Verb.PROMOTE,
        model=MODEL,
        role=Role.CHAMPION,
        version=version,
        reason="spoilt on purpose",
    )
    ActRecord(models / "record.jsonl").append(lambda _: act)


class _Recovery(threading.Thread):
    """Kills a replica and watches until another process has taken its place."""

    def __init__(self, status: Status) -> None:
        super().__init__(name="recovery")
        rows = status()["replicas"]
        self._status, self._replicas, self._victim = status, len(rows), int(rows[0]["pid"])
        self.seconds: float | None = None

    def run(self) -> None:
        began = time.monotonic()
        os.kill(self._victim, signal.SIGKILL)
        while time.monotonic() - began < _WAIT_S:
            if sum(row["pid"] != self._victim for row in self._status()["replicas"]) >= self._replicas:
                self.seconds = round(time.monotonic() - began, 3)
                return
            time.sleep(_LOOK_S)


def _ask(run: _Run, thread: int) -> None:
    """Ask until told to stop, over one connection."""
    rng = np.random.default_rng(1_000 + thread)
    with TripleGainClient(run.url, run.token, tries=1) as client:
        while not run.stop.is_set():
            observed: F32 = rng.standard_normal((_ROWS, _FEATURES)).astype(np.float32)
            run.answers.append(_asked(run, client, observed))


def _asked(run: _Run, client: TripleGainClient, observed: F32) -> Answer:
    request = PredictRequest(observed=tuple(tuple(map(float, row)) for row in observed))
    began_ns, tries = time.time_ns(), 0
    while True:
        tries += 1
        try:
            answer = client.predict(MODEL, request)
        except ApiError as error:
            if time.time_ns() - began_ns > _TRY_S * 1e9:
                return Answer(began_ns, time.time_ns(), None, right=False, tries=tries, why=str(error))
            time.sleep(_AGAIN_S)
            continue
        _, version = parse_model_id(answer.model)
        right = _is_right(run.policies.get(version), observed, np.array(answer.actions))
        return Answer(began_ns, time.time_ns(), version, right=right, tries=tries)


def _is_right(policy: NumpyPolicy | None, observed: F32, actions: Any) -> bool:
    """Whether these are the actions of this policy; ties of the last bits may fall either way."""
    if policy is None or actions.shape != (len(observed), 2):
        return False
    logits = policy.logits(observed)
    rows = np.arange(len(observed))
    verbs, sizes = logits[:, :3], logits[:, 3:]
    verb_ok = verbs[rows, actions[:, 0]] >= verbs.max(axis=1) - _TIE
    size_ok = sizes[rows, actions[:, 1]] >= sizes.max(axis=1) - _TIE
    return bool((verb_ok & size_ok).all())


def _champion(status: Mapping[str, Any]) -> int | None:
    place = status["models"].get(MODEL)
    return None if place is None else place["champion"]


def _wait(look: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + _WAIT_S
    while not look():
        if time.monotonic() > end:
            raise OutsideError(f"{otherwise} within {_WAIT_S:.0f} s", retryable=True)
        time.sleep(_LOOK_S)


def _arrays(rng: np.random.Generator) -> dict[str, F32]:
    shapes = {
        "hidden_0.weight": (_WIDTH, _FEATURES),
        "hidden_0.bias": (_WIDTH,),
        "hidden_1.weight": (_WIDTH, _WIDTH),
        "hidden_1.bias": (_WIDTH,),
        "choice.weight": (8, _WIDTH),
        "choice.bias": (8,),
    }
    return {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def _manifest(seed: int) -> Manifest:
    return Manifest(
        name=MODEL,
        features=tuple(f"feature_{k}" for k in range(_FEATURES)),
        instruments=("BTC/USDT",),
        market="none",
        bar_ns=3_600 * 10**9,
        from_ns=0,
        to_ns=1,
        seed=seed,
        reward="v2",
        code_version="swap-test",
        created_at_ns=wall_ns(),
    )
