import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from ray.exceptions import ActorDiedError, RayTaskError

from serving.handles import PolicyHandle, SwapHandle
from serving.regimes import RegimeReplica, snapshot_of
from tests.serve_words import observations
from tg_actors.chaos.swap_verdict import Answer, Swap, judge
from tg_actors.desk.files import configs_folder, load
from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.runtime.serve_config import ServeConfig
from tg_actors.runtime.serving import Deployed, deploy, forget, free_port, recall, remember

HOUR_NS = 3_600 * 10**9
MS = 10**6


class FakeHandle:
    """A deployment whose replicas say what the test wants, one after the other."""

    deployment_name = "Policies"

    def __init__(self, *says: Callable[[], Any]) -> None:
        self._says = list(says)
        self.asked = 0

    def options(self, method_name: str) -> "FakeHandle":
        del method_name
        return self

    async def remote(self, *arguments: object) -> Any:
        del arguments
        self.asked += 1
        return self._says.pop(0)()


def raising(error: Exception) -> Callable[[], Any]:
    def say() -> Any:
        raise error

    return say


def ask(handle: FakeHandle) -> Any:
    return asyncio.run(PolicyHandle(handle, 30.0).predict("rl-balanced", observations()))  # type: ignore[arg-type]  # a stand-in


def test_a_question_is_asked_again_where_a_replica_died_under_it() -> None:
    handle = FakeHandle(raising(ActorDiedError()), lambda: {"version": 3})
    assert ask(handle) == {"version": 3}
    assert handle.asked == 2


def test_replicas_that_die_one_after_the_other_are_an_outside_failure() -> None:
    handle = FakeHandle(*[raising(ActorDiedError())] * 3)
    with pytest.raises(OutsideError, match="Policies is away") as caught:
        ask(handle)
    assert caught.value.retryable


@pytest.mark.parametrize("kind", [UserError, ValueError])
def test_what_a_replica_says_comes_without_the_clothes_of_the_journey(kind: type[Exception]) -> None:
    cause = kind("rl-balanced takes 16 columns")
    error = RayTaskError("predict", "a long trace", cause)  # type: ignore[no-untyped-call]  # Ray gives it no types
    with pytest.raises(UserError if kind is UserError else RayTaskError) as caught:
        ask(FakeHandle(raising(error)))
    assert (caught.value is cause) is (kind is UserError)


def test_a_replica_that_says_nothing_is_late() -> None:
    class Silent(FakeHandle):
        async def remote(self, *arguments: object) -> Any:
            del arguments
            await asyncio.Event().wait()

    with pytest.raises(OutsideError, match="did not answer in time"):
        asyncio.run(SwapHandle(Silent(), 0.01).status())  # type: ignore[arg-type]  # a stand-in


def bars(count: int, instruments: int = 4) -> np.ndarray:
    rng = np.random.default_rng(4)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (count, instruments)), axis=0))
    return np.repeat(close[:, :, np.newaxis], 5, axis=2)


def test_the_regime_of_a_callers_bars_is_the_desks_own() -> None:
    end_ns, ohlcv = 500_000 * HOUR_NS, bars(1_100)
    view = asyncio.run(RegimeReplica().posterior(HOUR_NS, end_ns, ohlcv))
    assert view is not None
    assert view == RegimeFilter().view(snapshot_of(HOUR_NS, end_ns, ohlcv, 10_000))
    assert sum(view.probabilities.values()) == pytest.approx(1.0, abs=1e-3)


def test_the_regime_does_not_know_the_future() -> None:
    end_ns, ohlcv, needed = 500_000 * HOUR_NS, bars(1_100), RegimeConfig().needs().window_bars
    whole = snapshot_of(HOUR_NS, end_ns, ohlcv, needed)
    assert whole.window is not None
    assert (whole.window.ohlcv == ohlcv[-needed:]).all()
    assert asyncio.run(RegimeReplica().posterior(HOUR_NS, end_ns, ohlcv[:10])) is None


@pytest.mark.parametrize(
    ("bar_ns", "end_ns", "shape"),
    [
        (HOUR_NS, 500_000 * HOUR_NS, (10, 4)),
        (HOUR_NS, 500_000 * HOUR_NS, (10, 4, 4)),
        (HOUR_NS, 500_000 * HOUR_NS, (10, 0, 5)),
        (HOUR_NS, 500_000 * HOUR_NS, (10, 257, 5)),
        (0, 500_000 * HOUR_NS, (10, 4, 5)),
        (HOUR_NS, HOUR_NS + 1, (10, 4, 5)),
    ],
)
def test_bars_of_another_shape_are_refused(bar_ns: int, end_ns: int, shape: tuple[int, ...]) -> None:
    with pytest.raises(UserError):
        asyncio.run(RegimeReplica().posterior(bar_ns, end_ns, np.ones(shape)))


def test_http_and_grpc_do_not_share_a_port() -> None:
    with pytest.raises(ValidationError, match="gRPC needs one of its own"):
        ServeConfig(port=8788, grpc_port=8788)
    assert ServeConfig(port=0, grpc_port=0).grpc_port == 0


def test_the_shipped_file_says_what_the_code_assumes() -> None:
    assert load(ServeConfig, configs_folder() / "serve.yaml") == ServeConfig()


def test_a_deployment_is_found_again_and_forgotten(tmp_path: Path) -> None:
    deployed = Deployed(address="127.0.0.1:6379", url="http://127.0.0.1:8788", pid=7)
    remember(tmp_path, deployed)
    assert recall(tmp_path) == deployed
    forget(tmp_path)
    with pytest.raises(UserError, match="nothing was deployed"):
        recall(tmp_path)


def test_a_damaged_note_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "serve").mkdir()
    (tmp_path / "serve" / "deployed.json").write_text("{")
    with pytest.raises(UserError, match="damaged: remove it"):
        recall(tmp_path)


def test_serve_is_not_opened_to_every_interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_SERVE_ENABLE_HA_PROXY", "1")
    with pytest.raises(UserError, match="every interface"):
        deploy(ServeConfig(port=0), tmp_path)


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(UserError, match=r"cannot listen on 203\.0\.113\.7"):
        free_port("203.0.113.7")


def answer(ended_ms: int, version: int | None, *, right: bool = True, tries: int = 1) -> Answer:
    return Answer((ended_ms - 5) * MS, ended_ms * MS, version, right=right, tries=tries, why="gone")


SWAPS = (Swap(0, 1), Swap(1_000 * MS, 2), Swap(2_000 * MS, 9, bad=True))


def verdict(*answers: Answer, refused: bool = True) -> Any:
    return judge(answers, SWAPS, bad_refused=refused, killed=0, recovery_s=None)


def test_a_clean_run_is_well_and_knows_its_blip() -> None:
    found = verdict(answer(500, 1), answer(1_030, 1), answer(1_040, 2), answer(1_900, 2))
    assert found.ok
    assert (found.swaps, found.swaps_seen, found.blip.requests) == (1, 1, 2)
    assert (found.swap_ms.worst_ms, found.overall.p50_ms) == (40.0, 5.0)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        (answer(500, None), "failed"),
        (answer(900, 2), "unknown_version"),
        (answer(900, 7), "unknown_version"),
        (answer(900, 1, right=False), "mixed_up"),
        (answer(2_100, 9), "bad_answers"),
    ],
)
def test_what_went_wrong_is_counted_and_fails_the_run(wrong: Answer, word: str) -> None:
    found = verdict(answer(500, 1), wrong)
    assert getattr(found, word) == 1
    assert not found.ok


def test_silence_a_bad_version_that_was_not_refused_and_a_replica_that_stays_away_are_no_success() -> None:
    assert not verdict().ok
    assert not verdict(answer(500, 1), refused=False).ok
    assert not judge([answer(500, 1)], SWAPS, bad_refused=True, killed=1, recovery_s=None).ok
