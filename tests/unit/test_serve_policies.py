import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from serving.batching import Batcher
from serving.choice import choose, is_drawn
from serving.models import ModelBoard
from serving.policies import PolicyReplica
from serving.shelf import Shelf
from serving.swap import Orders, Place, Report, Switchboard, Table
from tests.serve_words import FEATURES, add_version, champion, observations, tiny_arrays
from tg_actors.domain.errors import OutsideError, UserError
from tg_actors.rl.acts import Role
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.registry import ModelRegistry

NAME = "rl-aggressive"
T = TypeVar("T")


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    registry = ModelRegistry(tmp_path)
    for seed in (1, 2, 3):
        add_version(registry, NAME, seed)
    champion(registry, NAME, 1)
    return registry


class Household:
    """Two replicas and the board of models in one event loop."""

    def __init__(self, registry: ModelRegistry) -> None:
        self.board = ModelBoard(Switchboard("board", 10**12), registry, lambda: 0, hold_s=0.0)
        self.replicas = [PolicyReplica(name, registry, self.board.sync, 2) for name in ("a", "b")]

    async def settle(self) -> None:
        await self.board.look()
        for _ in range(3):
            for replica in self.replicas:
                await replica.follow_once()


def with_replicas(registry: ModelRegistry, scene: Callable[[Household, PolicyReplica], Awaitable[T]]) -> T:
    async def play() -> T:
        household = Household(registry)
        await household.settle()
        return await scene(household, household.replicas[0])

    return asyncio.run(play())


def test_answers_are_those_of_the_version_that_they_name(registry: ModelRegistry) -> None:
    rows = observations()

    async def scene(household: Household, replica: PolicyReplica) -> None:
        for version in (1, 2, 3):
            champion(registry, NAME, version)
            await household.settle()
            answer = await replica.predict(NAME, rows)
            policy = NumpyPolicy(tiny_arrays(version))
            assert (answer["version"], answer["role"]) == (version, "champion")
            assert (answer["actions"] == policy.act(rows)).all()

    with_replicas(registry, scene)


def test_a_pinned_version_answers_whatever_is_in_force(registry: ModelRegistry) -> None:
    async def scene(_: Household, replica: PolicyReplica) -> None:
        answer = await replica.predict(f"{NAME}@3", observations())
        assert (answer["version"], answer["role"]) == (3, "pinned")

    with_replicas(registry, scene)


def test_weights_that_rot_after_their_promotion_never_answer(registry: ModelRegistry, tmp_path: Path) -> None:
    async def scene(household: Household, replica: PolicyReplica) -> None:
        champion(registry, NAME, 2)
        weights = tmp_path / NAME / "2" / "weights.npz"
        weights.write_bytes(weights.read_bytes()[:-40])
        await household.settle()
        assert (await replica.predict(NAME, observations()))["version"] == 1
        (refused,) = (await household.board.status())["refused"]
        assert refused["version"] == 2
        assert "weights" in refused["reason"]

    with_replicas(registry, scene)


def test_what_only_happens_to_be_held_is_not_counted_on(registry: ModelRegistry) -> None:
    async def scene(household: Household, replica: PolicyReplica) -> None:
        for one in household.replicas:
            await one.predict(f"{NAME}@2", observations())
            await one.follow_once()
        champion(registry, NAME, 2)
        await household.board.look()
        status = await household.board.status()
        assert status["models"][NAME]["champion"] == 1  # nobody has promised to keep 2
        for version in (3, 1, 3):
            await replica.predict(f"{NAME}@{version}", observations())
        await household.settle()
        assert (await replica.predict(NAME, observations()))["version"] == 2

    with_replicas(registry, scene)


def test_a_successor_with_other_columns_is_refused(registry: ModelRegistry) -> None:
    async def scene(household: Household, replica: PolicyReplica) -> None:
        champion(registry, NAME, add_version(registry, NAME, 4, features=FEATURES + 1))
        await household.settle()
        assert (await replica.predict(NAME, observations()))["version"] == 1
        (refused,) = (await household.board.status())["refused"]
        assert "takes other columns" in refused["reason"]

    with_replicas(registry, scene)


def test_a_canary_meets_its_share_and_the_same_id_always_the_same_version(registry: ModelRegistry) -> None:
    registry.promote(NAME, 2, Role.CANARY, reason="", actor="test", at_ns=2, share_frac=0.25)

    async def scene(_: Household, replica: PolicyReplica) -> None:
        ids = [f"request {k}" for k in range(400)]
        first = [(await replica.predict(NAME, observations(1), i))["version"] for i in ids]
        again = [(await replica.predict(NAME, observations(1), i))["version"] for i in ids]
        assert first == again
        # Four standard deviations of so many draws.
        assert abs(first.count(2) / len(ids) - 0.25) < 0.09
        assert set(first) == {1, 2}

    with_replicas(registry, scene)


def test_a_shadow_is_asked_and_compared_and_never_answers(registry: ModelRegistry) -> None:
    registry.promote(NAME, 2, Role.SHADOW, reason="", actor="test", at_ns=2)
    rows = observations(40)
    alike = (
        (NumpyPolicy(tiny_arrays(1)).act(rows) == NumpyPolicy(tiny_arrays(2)).act(rows)).all(axis=1).mean()
    )

    async def scene(household: Household, replica: PolicyReplica) -> None:
        assert (await replica.predict(NAME, rows))["version"] == 1
        await asyncio.gather(*replica._shadows)
        await household.settle()
        (row,) = (await household.board.status())["shadows"]
        assert row["rows"] == len(rows)
        assert row["agreement_frac"] == pytest.approx(alike)

    with_replicas(registry, scene)


@pytest.mark.parametrize(
    ("model", "rows", "word"),
    [
        ("rl-nobody", observations(), "no version of 'rl-nobody' is in force"),
        (f"{NAME}@9", observations(), "no version 9"),
        ("../etc", observations(), "no name of a model"),
        (NAME, observations(features=FEATURES - 1), "columns"),
        (NAME, observations()[0], "rows of equal length"),
        (NAME, np.full((1, FEATURES), np.nan, dtype=np.float32), "not a finite number"),
    ],
)
def test_a_question_without_an_answer_is_one_sentence(
    registry: ModelRegistry, model: str, rows: np.ndarray, word: str
) -> None:
    async def scene(_: Household, replica: PolicyReplica) -> None:
        with pytest.raises(UserError, match=word):
            await replica.predict(model, rows)

    with_replicas(registry, scene)


def test_a_replica_that_cannot_hold_what_is_in_force_does_not_begin_to_answer(
    registry: ModelRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.policies._READY_S", 0.05)

    async def scene(household: Household, _: PolicyReplica) -> None:
        (tmp_path / NAME / "1" / "weights.npz").unlink()
        late = PolicyReplica("late", registry, household.board.sync, 2)
        with pytest.raises(OutsideError, match="not ready to answer"):
            await late.get_ready()

    with_replicas(registry, scene)


def test_a_damaged_record_changes_nothing_and_is_shown(registry: ModelRegistry, tmp_path: Path) -> None:
    async def scene(household: Household, replica: PolicyReplica) -> None:
        with (tmp_path / "record.jsonl").open("a") as record:
            record.write("{}\n")
        await household.settle()
        assert (await replica.predict(NAME, observations()))["version"] == 1
        assert "record" in (await household.board.status())["record"]

    with_replicas(registry, scene)


def test_requests_of_one_turn_share_a_pass_and_versions_never_do() -> None:
    first, second = NumpyPolicy(tiny_arrays(1)), NumpyPolicy(tiny_arrays(2))
    blocks = [observations(rows, seed=rows) for rows in (1, 4, 2)]

    async def scene() -> None:
        batcher = Batcher()
        asked = [batcher.act(policy, block) for policy in (first, second) for block in blocks]
        answers = await asyncio.gather(*asked)
        assert batcher.passes == 2
        expected = [policy.act(block) for policy in (first, second) for block in blocks]
        for answer, right in zip(answers, expected, strict=True):
            assert (answer == right).all()

    asyncio.run(scene())


def test_a_caller_that_went_away_does_not_hurt_the_others() -> None:
    policy, block = NumpyPolicy(tiny_arrays(1)), observations()

    async def scene() -> None:
        batcher = Batcher()
        gone = asyncio.ensure_future(batcher.act(policy, block))
        stays = asyncio.ensure_future(batcher.act(policy, block))
        # In turn: both ask, one goes away, then comes the pass.
        asyncio.get_running_loop().call_soon(gone.cancel)
        assert (await stays == policy.act(block)).all()

    asyncio.run(scene())


def test_the_longest_unused_version_without_a_role_leaves_first() -> None:
    policy = NumpyPolicy(tiny_arrays(1))
    shelf = Shelf(2)
    shelf.want(["x@1"])
    for version in (1, 2, 3):
        shelf.put(f"x@{version}", policy)
    assert shelf.get("x@2") is policy
    shelf.put("x@4", policy)
    assert shelf.ids() == ("x@1", "x@2", "x@4")
    shelf.want([])
    assert shelf.ids() == ("x@2", "x@4")


def test_a_held_replica_is_told_of_news_at_once(registry: ModelRegistry) -> None:
    async def scene() -> None:
        board = ModelBoard(Switchboard("board", 10**12), registry, lambda: 0, hold_s=60.0)
        await board.look()
        report = Report(replica="a", loaded=(f"{NAME}@1",))
        seen = await board.sync(report, None)
        waiting = asyncio.create_task(board.sync(report, seen))
        champion(registry, NAME, 2)
        await board.look()
        orders: Orders = await asyncio.wait_for(waiting, timeout=30)
        assert orders.wanted == (f"{NAME}@1", f"{NAME}@2")

    asyncio.run(scene())


def test_the_share_is_a_share_of_ids_and_shifts_with_the_model() -> None:
    ids = [str(k) for k in range(2_000)]
    drawn = {i for i in ids if is_drawn("rl-balanced", i, 0.1)}
    assert 140 < len(drawn) < 260
    assert drawn <= {i for i in ids if is_drawn("rl-balanced", i, 0.3)}
    assert drawn != {i for i in ids if is_drawn("rl-contrarian", i, 0.1)}


def test_a_name_without_a_champion_is_refused() -> None:
    table = Table(board="b", places={NAME: Place(canary=2, canary_share_frac=0.5)})
    with pytest.raises(UserError, match="there is none"):
        choose(NAME, table, "1")
