"""The models of a home: versions that never change, and the record of who was given which role."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import REASON_CHARS_MAX, Act, Role, Roles, Verb, roles_after
from tg_actors.rl.manifest import Manifest, NoSuchModel, check_name, model_id
from tg_actors.rl.market import F32
from tg_actors.rl.policy import NumpyPolicy
from tg_actors.rl.record import ActRecord, Stamp
from tg_actors.rl.weights import digest, packed, unpacked

_WEIGHTS, _MANIFEST, _RECORD = "weights.npz", "manifest.json", "record.jsonl"
_MANIFEST_BYTES_MAX = 2 * 2**20
#: Rows of the block on which a version must answer before it is given a role.
_PROBE_ROWS = 64


class ModelRegistry:
    """``folder/<name>/<version>/`` and, read-only, the same below ``shipped``; a home's version comes first.

    Names and versions are checked before they become paths. Until the record says otherwise the newest
    shipped version of a model is its champion, unless the home has another version of that number: what was
    never promoted does not decide.
    """

    def __init__(self, folder: Path, shipped: Path | None = None) -> None:
        self._folder, self._shipped = folder, shipped
        self.record = folder / _RECORD
        self._record = ActRecord(self.record)

    def names(self) -> tuple[str, ...]:
        """Return all models that have a version, sorted."""
        found = {path.name for root in self._roots() for path in _folders(root) if _is_name(path.name)}
        return tuple(sorted(name for name in found if self.versions(name)))

    def versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a model, oldest first; none for an unknown one.

        Raises:
            UserError: this is no name of a model.
        """
        _checked(name)
        return tuple(sorted({v for root in self._roots() for v in _versions(root / name)}))

    def register(self, name: str, arrays: Mapping[str, F32], manifest: Manifest) -> int:
        """Keep a new version and return its number; the manifest is given it and the arrays' sha256.

        Raises:
            ValueError: the arrays are no policy, or the manifest is of another model or other columns.
            UserError: the name is none, or the folder cannot be written.
        """
        _checked(name)
        policy = NumpyPolicy(arrays)
        if manifest.name != name or len(manifest.features) != policy.features:
            raise ValueError(
                f"the manifest is of {manifest.name} with {len(manifest.features)} columns, the weights of "
                f"{name} with {policy.features}"
            )
        data, sha256 = packed(arrays), digest(arrays)
        try:
            return self._keep(name, data, manifest.model_copy(update={"sha256": sha256}))
        except OSError as error:
            raise UserError(f"cannot write to {self._folder} ({error.strerror}): make room there") from error

    def load(self, name: str, version: int) -> tuple[NumpyPolicy, Manifest]:
        """Return a version, checked against its own manifest.

        Raises:
            UserError: there is no such version, or a file of it is damaged or foreign.
        """
        manifest, folder = self._manifest(name, version)
        arrays = unpacked(folder / _WEIGHTS)
        if digest(arrays) != manifest.sha256:
            raise UserError(f"{folder / _WEIGHTS} is not what {manifest.id} was made of: put a copy back")
        policy = NumpyPolicy(arrays)
        if policy.features != len(manifest.features):
            raise UserError(
                f"{manifest.id} names {len(manifest.features)} columns and takes {policy.features}"
            )
        return policy, manifest

    def manifest(self, name: str, version: int) -> Manifest:
        """Return what is known of a version, without its weights.

        Raises:
            UserError: there is no such version, or its manifest is damaged or foreign.
        """
        return self._manifest(name, version)[0]

    def stamp(self) -> Stamp:
        """Return what changes whenever a role does; it costs one look at a file."""
        return self._record.stamp()

    def roles(self, name: str) -> Roles:
        """Return who serves in which role.

        Raises:
            UserError: this is no name of a model, or the record is damaged.
        """
        _checked(name)
        return self._roles(name, self._record.read())

    def all_roles(self) -> dict[str, Roles]:
        """Return the roles of every model, from one reading of the record.

        Raises:
            UserError: the record is damaged.
        """
        acts = self._record.read()
        return {name: self._roles(name, acts) for name in self.names()}

    def history(self, name: str) -> tuple[Act, ...]:
        """Return what was done to a model, oldest first.

        Raises:
            UserError: this is no name of a model, or the record is damaged.
        """
        _checked(name)
        return tuple(act for act in self._record.read() if act.model == name)

    def promote(
        self,
        name: str,
        version: int,
        role: Role = Role.CHAMPION,
        *,
        reason: str,
        actor: str,
        at_ns: int,
        share_frac: float | None = None,
        override: str | None = None,
        judged: Roles | None = None,
    ) -> Act:
        """Give a version a role once it has answered a probe; whether it deserves it is the caller's word.

        ``judged`` are the roles by which the caller has found so: they must still have that champion.

        Raises:
            UserError: there is no such version, it is damaged or fails the probe, the share is wrong, it is
                champion and should only look on, or another became champion meanwhile.
        """
        if role is Role.CANARY and not (share_frac is not None and 0.0 < share_frac < 1.0):
            raise UserError("a canary gets a share of the requests above 0 and below 1, such as 0.1")
        if role is not Role.CANARY and share_frac is not None:
            raise UserError(f"only a canary has a share, no {role}: leave it out")
        _check_reason(reason, override)
        sha256 = self.probe(name, version).sha256
        act = Act(
            at_ns=at_ns,
            actor=actor,
            verb=Verb.PROMOTE,
            model=name,
            role=role,
            version=version,
            share_frac=share_frac,
            reason=reason,
            override=override,
            sha256=sha256,
        )

        def decide(acts: tuple[Act, ...]) -> Act:
            champion = self._roles(name, acts).champion
            if judged is not None and champion != judged.champion:
                raise UserError(
                    f"{name} has another champion since a moment ago: look at it, then promote again"
                )
            if role is not Role.CHAMPION and champion == version:
                raise UserError(f"{model_id(name, version)} is champion: a {role} is another version")
            return act

        return self._record.append(decide)

    def rollback(self, name: str, role: Role = Role.CHAMPION, *, reason: str, actor: str, at_ns: int) -> Act:
        """Take a role back: the champion goes to the one before it, canary and shadow to nobody.

        Raises:
            UserError: nobody has the role, no champion came before, or the earlier one fails the probe.
        """
        _checked(name)
        _check_reason(reason)

        def decide(acts: tuple[Act, ...]) -> Act:
            roles = self._roles(name, acts)
            if not self.versions(name):
                raise UserError(
                    f"there is no model {name!r}: there are {', '.join(self.names()) or 'none yet'}"
                )
            if roles.version_of(role) is None:
                raise UserError(f"{name} has no {role} that could be taken back")
            version, sha256 = None, ""
            if role is Role.CHAMPION:
                if not roles.former:
                    raise UserError(
                        f"{name} has had no champion before {model_id(name, roles.champion or 0)}"
                    )
                version = roles.former[-1]
                sha256 = self.probe(name, version).sha256
            return Act(
                at_ns=at_ns,
                actor=actor,
                verb=Verb.ROLLBACK,
                model=name,
                role=role,
                version=version,
                reason=reason,
                sha256=sha256,
            )

        return self._record.append(decide)

    def probe(self, name: str, version: int) -> Manifest:
        """Load a version and let it answer a fixed block; its logits must be finite.

        Raises:
            UserError: it cannot be loaded, or its answers are no numbers.
        """
        policy, manifest = self.load(name, version)
        with np.errstate(all="ignore"):
            logits = policy.logits(probe_block(policy.features))
        if not np.isfinite(logits).all():
            raise UserError(f"{manifest.id} answers a probe with what is no number: train it again")
        return manifest

    def _roles(self, name: str, acts: tuple[Act, ...]) -> Roles:
        shipped = _versions(self._shipped / name) if self._shipped is not None else ()
        hidden = _versions(self._folder / name)
        first = Roles(champion=max((v for v in shipped if v not in hidden), default=None))
        return roles_after(first, (act for act in acts if act.model == name))

    def _manifest(self, name: str, version: int) -> tuple[Manifest, Path]:
        folder = self._find(name, version)
        path = folder / _MANIFEST
        try:
            if path.stat().st_size > _MANIFEST_BYTES_MAX:
                raise UserError(f"{path} is larger than any manifest: put a copy back")
            text = path.read_text(encoding="utf-8")
            manifest = Manifest.model_validate_json(json.dumps(json.loads(text, object_pairs_hook=_once)))
        except OSError as error:
            raise UserError(f"cannot read the manifest {path} ({error.strerror}): put a copy back") from error
        except (ValueError, ValidationError, RecursionError) as error:
            raise UserError(f"{path} is no manifest of a model: put a copy back") from error
        if (manifest.name, manifest.version) != (name, version):
            raise UserError(f"{path} is the manifest of {manifest.id}: put the right one back")
        return manifest, folder

    def _find(self, name: str, version: int) -> Path:
        known = self.versions(name)
        if version not in known:
            there = (
                f"there {'is only' if len(known) == 1 else 'are'} {', '.join(str(v) for v in known)}"
                if known
                else "it has none: 'tg train' makes one"
            )
            raise NoSuchModel(f"{name} has no version {version}: {there}")
        return next(r / name / str(version) for r in self._roots() if version in _versions(r / name))

    def _keep(self, name: str, data: bytes, manifest: Manifest) -> int:
        """Write beside, then rename: a version is there whole or not at all, and never replaced."""
        home = self._folder / name
        home.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=home))
        try:
            _write(scratch / _WEIGHTS, data)
            while True:
                version = max(self.versions(name), default=0) + 1
                numbered = manifest.model_copy(update={"version": version})
                _write(scratch / _MANIFEST, numbered.model_dump_json(indent=1).encode())
                try:
                    # It fails on a folder that another process has filled meanwhile: then the next number.
                    scratch.rename(home / str(version))
                except OSError:
                    if version not in self.versions(name):
                        raise
                    continue
                _sync(home)
                return version
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _roots(self) -> tuple[Path, ...]:
        return (self._folder,) if self._shipped is None else (self._folder, self._shipped)


def probe_block(features: int) -> F32:
    """Return the fixed observations ``(64, features)`` that every version must answer: all of -10..10."""
    corners = (
        np.sin(np.arange(_PROBE_ROWS * features, dtype=np.float64)).reshape(_PROBE_ROWS, features) * 10.0
    )
    corners[0], corners[1], corners[2] = 0.0, 10.0, -10.0
    return corners.astype(np.float32)


def _checked(name: str) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise UserError(str(error)) from error


def _check_reason(*texts: str | None) -> None:
    longest = max(len(text or "") for text in texts)
    if longest > REASON_CHARS_MAX:
        raise UserError(f"a reason has at most {REASON_CHARS_MAX} characters, not {longest}: shorten it")


def _is_name(name: str) -> bool:
    try:
        check_name(name)
    except ValueError:
        return False
    return True


def _folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(f"cannot read the folder of models {root} ({error.strerror})") from error


def _versions(folder: Path) -> tuple[int, ...]:
    """Return the versions that stand in a folder; what is still being written has no number."""
    names = [path.name for path in _folders(folder)]
    return tuple(sorted(int(name) for name in names if name.isascii() and name.isdigit() and name[0] != "0"))


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    if len({key for key, _ in pairs}) != len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Make a rename last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
