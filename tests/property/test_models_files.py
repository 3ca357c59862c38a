"""Whatever becomes of a registry's files: the same policy comes back, or one sentence."""

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.model_words import NAME, arrays, manifest, promote, registry
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Act, Role, Roles, Verb, roles_after
from tg_actors.rl.registry import ModelRegistry, probe_block

FILES = ("1/weights.npz", "1/manifest.json")


@given(
    name=st.sampled_from(FILES),
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_a_changed_byte_or_a_cut_never_passes_as_another_policy(
    name: str, place: float, byte: int, cut: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = registry(Path(folder), 1)
        path = Path(folder) / NAME / name
        whole = bytearray(path.read_bytes())
        at = int(place * len(whole))
        data = whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
        path.write_bytes(data)
        try:
            policy, told = models.load(NAME, 1)
        except UserError as error:
            _is_one_line(str(error))
            return
        assert told.name == NAME
        observed = probe_block(policy.features)
        expected = registry(Path(folder) / "again", 1).load(NAME, 1)[0].logits(observed)
        np.testing.assert_array_equal(policy.logits(observed), expected)


def _is_one_line(sentence: str) -> None:
    assert "\n" not in sentence


@given(cut=st.integers(0, 3_000), acts=st.integers(1, 4))
def test_a_record_that_was_cut_anywhere_is_a_shorter_one(cut: int, acts: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        models = registry(Path(folder), 1, 2)
        for k in range(acts):
            promote(models, 1 + k % 2)
        record = Path(folder) / "record.jsonl"
        whole = record.read_bytes()
        kept = whole[:-cut] if 0 < cut < len(whole) else whole
        record.write_bytes(kept)
        assert len(models.history(NAME)) == kept.count(b"\n")
        promote(models, 2)
        assert models.roles(NAME).champion == 2


versions = st.integers(1, 4)
promotions = st.builds(
    lambda role, version: Act(
        at_ns=1,
        actor="a",
        verb=Verb.PROMOTE,
        model=NAME,
        role=role,
        version=version,
        share_frac=0.1 if role is Role.CANARY else None,
        reason="",
    ),
    st.sampled_from(Role),
    versions,
)


@given(acts=st.lists(promotions, max_size=12))
def test_a_version_serves_in_one_role_and_the_newest_act_holds(acts: list[Act]) -> None:
    roles = roles_after(Roles(), acts)
    beside = [roles.canary, roles.shadow]
    known = [version for version in beside if version is not None]
    assert len(set(known)) == len(known)
    assert (roles.canary is None) == (roles.canary_share_frac is None)
    champions = [act.version for act in acts if act.role is Role.CHAMPION]
    assert roles.champion == (champions[-1] if champions else None)
    if acts:
        assert roles.version_of(acts[-1].role) == acts[-1].version


def test_a_registry_is_where_its_folder_is(tmp_path: Path) -> None:
    registry(tmp_path / "one", 1)
    (tmp_path / "one").rename(tmp_path / "two")
    assert ModelRegistry(tmp_path / "two").load(NAME, 1)[1].name == manifest().name
    assert arrays(1).keys() == ModelRegistry(tmp_path / "two").load(NAME, 1)[0].arrays.keys()
