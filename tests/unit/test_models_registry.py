"""The registry: versions that never change, a record that cannot be bent unseen, files nobody believes."""

import io
import json
import multiprocessing
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.model_words import FEATURES, NAME, arrays, evidence, manifest, promote, registry
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Role, Roles
from tg_actors.rl.manifest import check_name, parse_model_id
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.record import NO_RECORD
from tg_actors.rl.registry import ModelRegistry, probe_block
from tg_actors.rl.weights import digest


def test_a_policy_is_two_layers_of_tanh_and_logits() -> None:
    given = arrays(1, features=5, hidden=4)
    policy = NumpyPolicy(given)
    observed = np.random.default_rng(0).standard_normal((6, 5)).astype(np.float32)
    hidden = np.tanh(observed @ given["hidden_0.weight"].T + given["hidden_0.bias"])
    hidden = np.tanh(hidden @ given["hidden_1.weight"].T + given["hidden_1.bias"])
    logits = hidden @ given["choice.weight"].T + given["choice.bias"]
    np.testing.assert_allclose(policy.logits(observed), logits, rtol=1e-5)
    actions = policy.act(observed)
    np.testing.assert_array_equal(actions[:, 0], logits[:, :3].argmax(axis=1))
    np.testing.assert_array_equal(actions[:, 1], logits[:, 3:].argmax(axis=1))
    given["choice.bias"][:] = 9.0
    np.testing.assert_array_equal(policy.act(observed), actions)
    with pytest.raises(ValueError, match=r"observations are \(n, 5\)"):
        policy.act(observed[:, :4])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("choice.bias", None, "choice.bias missing or foreign"),
        ("extra", np.zeros(1, np.float32), "extra missing or foreign"),
        ("hidden_0.bias", np.zeros(8), "no array of float32"),
        ("hidden_0.bias", np.zeros(7, np.float32), "bias of another length"),
        ("hidden_1.weight", np.zeros((8, 9), np.float32), "does not take as many values"),
        ("hidden_1.weight", np.zeros(8, np.float32), "has the shape"),
        ("hidden_1.weight", np.full((8, 8), np.nan, np.float32), "no finite number"),
        ("choice.weight", np.zeros((0, 8), np.float32), "has the shape"),
    ],
)
def test_arrays_that_are_no_policy_are_refused(name: str, value: object, words: str) -> None:
    given: dict[str, object] = dict(arrays())
    if value is None:
        del given[name]
    else:
        given[name] = value
    with pytest.raises(ValueError, match=words):
        NumpyPolicy(given)


def test_a_version_comes_back_as_it_was_and_none_is_overwritten(tmp_path: Path) -> None:
    models = registry(tmp_path, 1, 2, proof=evidence())
    assert (models.names(), models.versions(NAME)) == ((NAME,), (1, 2))
    for version, seed in ((1, 1), (2, 2)):
        policy, told = models.load(NAME, version)
        assert told.evidence == evidence()
        assert (told.id, told.sha256) == (f"{NAME}@{version}", digest(arrays(seed)))
        observed = probe_block(len(FEATURES))
        np.testing.assert_array_equal(policy.logits(observed), NumpyPolicy(arrays(seed)).logits(observed))
    assert not list(tmp_path.glob(f"{NAME}/.new-*"))
    with pytest.raises(UserError, match="rl-aggressive has no version 3: there are 1, 2"):
        models.load(NAME, 3)
    with pytest.raises(ValueError, match="of rl-aggressive with 27 columns"):
        models.register("rl-other", arrays(), manifest())
    with pytest.raises(ValueError, match="the weights of rl-aggressive with 5"):
        models.register(NAME, arrays(features=5), manifest())


def test_what_ships_is_champion_until_the_record_says_otherwise(tmp_path: Path) -> None:
    registry(tmp_path / "shipped", 1, 2)
    models = ModelRegistry(tmp_path / "home", tmp_path / "shipped")
    assert models.roles(NAME) == Roles(champion=2)
    assert models.register(NAME, arrays(3), manifest()) == 3
    promote(models, 3)
    assert models.roles(NAME) == Roles(champion=3, former=(2,))
    models.rollback(NAME, reason="worse", actor="test", at_ns=9)
    assert models.all_roles() == {NAME: Roles(champion=2)}
    assert not (tmp_path / "shipped" / NAME / "3").exists()


def test_a_version_that_hides_a_shipped_one_was_never_promoted(tmp_path: Path) -> None:
    registry(tmp_path / "shipped", 1)
    registry(tmp_path / "home", 9)
    models = ModelRegistry(tmp_path / "home", tmp_path / "shipped")
    assert models.manifest(NAME, 1).sha256 == digest(arrays(9))
    assert models.roles(NAME) == Roles()
    (tmp_path / "shipped" / NAME / "1").rename(tmp_path / "shipped" / NAME / "2")
    assert models.roles(NAME) == Roles(champion=2)


def test_a_promotion_does_not_replace_a_champion_that_it_was_not_judged_against(tmp_path: Path) -> None:
    models = registry(tmp_path, 1, 2, 3)
    promote(models, 1)
    judged = models.roles(NAME)
    promote(models, 2)
    with pytest.raises(UserError, match="another champion since a moment ago"):
        models.promote(NAME, 3, reason="r", actor="a", at_ns=1, judged=judged)
    models.promote(NAME, 3, reason="r", actor="a", at_ns=1, judged=models.roles(NAME))
    for role, share in ((Role.CANARY, 0.1), (Role.SHADOW, None)):
        with pytest.raises(UserError, match="rl-aggressive@3 is champion: a"):
            models.promote(NAME, 3, role, reason="r", actor="a", at_ns=1, share_frac=share)
    assert models.roles(NAME) == Roles(champion=3, former=(1, 2))


def test_a_reason_that_the_record_cannot_take_is_refused(tmp_path: Path) -> None:
    models = registry(tmp_path, 1)
    for reason, override in (("x" * 1_001, None), ("r", "x" * 1_001)):
        with pytest.raises(UserError, match="at most 1000 characters, not 1001"):
            models.promote(NAME, 1, reason=reason, actor="a", at_ns=1, override=override)
    promote(models, 1)
    with pytest.raises(UserError, match="at most 1000 characters"):
        models.rollback(NAME, reason="x" * 1_001, actor="a", at_ns=1)


def test_a_folder_that_cannot_be_looked_at_is_said_and_shows_in_the_stamp(tmp_path: Path) -> None:
    models = registry(tmp_path / "models", 1)
    promote(models, 1)
    loop = tmp_path / "models" / "rl-loop"
    loop.symlink_to(loop)
    with pytest.raises(UserError, match="cannot read the folder of models"):
        models.versions("rl-loop")
    known = models.stamp()
    (tmp_path / "models").rename(tmp_path / "away")
    (tmp_path / "models").write_text("in the way")
    assert models.stamp() not in {known, NO_RECORD}
    with pytest.raises(UserError, match="cannot read the record"):
        models.all_roles()


def test_roles_follow_from_what_was_done(tmp_path: Path) -> None:
    models = registry(tmp_path, 1, 2, 3)
    stamps = {models.stamp()}
    assert models.roles(NAME) == Roles()

    def do(version: int, role: Role, share: float | None = None) -> Roles:
        models.promote(NAME, version, role, reason="r", actor="a", at_ns=1, share_frac=share)
        stamps.add(models.stamp())
        return models.roles(NAME)

    assert do(1, Role.CHAMPION) == Roles(champion=1)
    assert do(2, Role.SHADOW) == Roles(champion=1, shadow=2)
    assert do(2, Role.CANARY, 0.1) == Roles(champion=1, canary=2, canary_share_frac=0.1)
    assert do(3, Role.SHADOW).version_of(Role.SHADOW) == 3
    assert do(2, Role.CHAMPION) == Roles(champion=2, shadow=3, former=(1,))
    assert do(3, Role.CANARY, 0.5).shadow is None
    act = models.rollback(NAME, Role.CANARY, reason="bad", actor="a", at_ns=2)
    assert (act.version, models.roles(NAME)) == (None, Roles(champion=2, former=(1,)))
    assert models.rollback(NAME, reason="bad", actor="a", at_ns=3).version == 1
    assert len(stamps) == 7, "every act shows in the stamp"
    assert [act.role for act in models.history(NAME)][-2:] == [Role.CANARY, Role.CHAMPION]
    for role, words in ((Role.CHAMPION, "no champion before"), (Role.SHADOW, "no shadow that could")):
        with pytest.raises(UserError, match=words):
            models.rollback(NAME, role, reason="bad", actor="a", at_ns=4)
    with pytest.raises(UserError, match="above 0 and below 1"):
        do(3, Role.CANARY, 1.0)
    with pytest.raises(UserError, match="only a canary has a share"):
        do(3, Role.CHAMPION, 0.1)


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".", "RL", "rl_a", "rl--a", "-rl", "rl-", "x" * 49])
def test_a_name_is_no_path(name: str, tmp_path: Path) -> None:
    models = ModelRegistry(tmp_path)
    for use in (models.versions, models.roles, models.history):
        with pytest.raises(UserError, match="is no name of a model"):
            use(name)
    with pytest.raises(ValueError, match="name"):
        check_name(name)


@pytest.mark.parametrize(
    "text", ["rl-a", "rl-a@", "rl-a@0", "rl-a@01", "rl-a@-1", "rl-a@1.0", "@1", "rl-a@1@2"]
)
def test_a_version_is_a_name_and_a_number(text: str) -> None:
    with pytest.raises(ValueError, match="name"):
        parse_model_id(text)


def _weights(**changes: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **{**arrays(1), **changes})  # type: ignore[arg-type]  # whatever a stranger saves
    return file.getvalue()


def _compressed() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays(1))  # type: ignore[arg-type]  # by keyword
    return file.getvalue()


def _bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in arrays():
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False}")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no weights of a policy"),
        (b"PK", "no weights of a policy"),
        (_weights()[:-100], "no weights of a policy"),
        (_weights()[:300], "no weights of a policy"),
        (_weights(extra=np.zeros(3, np.float32)), "other arrays than a policy's"),
        (_weights(**{"choice.bias": np.array([object()])}), "no weights of a policy"),
        (_weights(**{"choice.bias": np.full(8, np.inf, np.float32)}), "no finite number"),
        (_weights(**{"choice.bias": np.zeros(8, np.float32)}), "is not what rl-aggressive@1 was made of"),
        (_compressed(), "compressed"),
        (_bomb(), "no weights of a policy"),
        (b"x" * (8 * 2**20 + 1), "larger than any policy"),
    ],
    ids=[
        "empty",
        "cut",
        "torn",
        "short",
        "foreign",
        "pickle",
        "infinite",
        "other",
        "packed",
        "header",
        "large",
    ],
)
def test_a_file_that_is_no_policy_is_refused_in_one_sentence(data: bytes, words: str, tmp_path: Path) -> None:
    models = registry(tmp_path, 1)
    (tmp_path / NAME / "1" / "weights.npz").write_bytes(data)
    with pytest.raises(UserError, match=words) as refused:
        models.load(NAME, 1)
    assert "\n" not in str(refused.value)
    with pytest.raises(UserError):
        promote(models, 1)
    assert models.roles(NAME) == Roles()


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"surprise": 1},
        lambda told: told | {"seed": "1"},
        lambda told: told | {"created_at_ns": float("nan")},
        lambda told: {key: told[key] for key in told if key != "market"},
        lambda told: told | {"version": 2},
    ],
)
def test_a_foreign_manifest_is_refused(change: object, tmp_path: Path) -> None:
    models = registry(tmp_path, 1)
    path = tmp_path / NAME / "1" / "manifest.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))  # type: ignore[operator]  # a lambda
    with pytest.raises(UserError, match=r"manifest"):
        models.manifest(NAME, 1)
    path.write_text('{"name": "rl-aggressive", "name": "rl-aggressive"}')
    with pytest.raises(UserError, match="is no manifest"):
        models.manifest(NAME, 1)


def test_a_torn_last_line_is_survived_and_a_bent_one_is_not(tmp_path: Path) -> None:
    models = registry(tmp_path, 1, 2)
    promote(models, 1)
    promote(models, 2)
    record = tmp_path / "record.jsonl"
    whole = record.read_bytes()
    record.write_bytes(whole[:-20])
    assert models.roles(NAME) == Roles(champion=1)
    promote(models, 2)
    assert models.roles(NAME) == Roles(champion=2, former=(1,))
    lines = record.read_bytes().splitlines(keepends=True)
    bent = (b"".join([lines[0].replace(b'"test"', b'"else"'), lines[1]]), lines[1], b"\n" + whole, b"{}\n")
    for data in bent:
        record.write_bytes(data)
        with pytest.raises(UserError, match=r"line 1 of the record .* is damaged"):
            models.roles(NAME)
        with pytest.raises(UserError, match="is damaged"):
            promote(models, 1)
        assert record.read_bytes() == data, "a damaged record is left as evidence"


def _write_many(folder: Path, count: int) -> None:
    models = ModelRegistry(folder)
    for k in range(count):
        models.register(NAME, arrays(k), manifest())
        promote(models, 1)


def test_two_writers_lose_nothing(tmp_path: Path) -> None:
    registry(tmp_path, 0)
    writers = [
        multiprocessing.get_context("spawn").Process(target=_write_many, args=(tmp_path, 12))
        for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    models = ModelRegistry(tmp_path)
    assert models.versions(NAME) == tuple(range(1, 26))
    assert len(models.history(NAME)) == 24
    assert all(models.load(NAME, version) for version in models.versions(NAME))


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("in the way")
    with pytest.raises(UserError, match="cannot write to"):
        ModelRegistry(tmp_path).register(NAME, arrays(), manifest())
