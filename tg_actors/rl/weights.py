"""Arrays of a policy as a file: ``.npz`` without pickle, checked before anything of it is believed."""

import hashlib
import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tg_actors.domain.errors import UserError
from tg_actors.rl.market import F32
from tg_actors.rl.policy import ARRAYS, check_arrays

#: Of a file, and of what it unpacks to: two layers of 512 over 512 columns take a quarter of it.
BYTES_MAX = 8 * 2**20
#: What zipfile and NumPy raise over bytes that are no archive, or a cut one.
_TORN = (ValueError, OSError, EOFError, KeyError, OverflowError, MemoryError, zipfile.BadZipFile)


def digest(arrays: Mapping[str, F32]) -> str:
    """Hex SHA-256 of the arrays: names, shapes and little-endian values in the order of ``ARRAYS``."""
    sha = hashlib.sha256()
    for name in ARRAYS:
        array = np.ascontiguousarray(arrays[name], dtype="<f4")
        sha.update(f"{name}\x1f".encode() + struct.pack(f"<{array.ndim + 1}q", array.ndim, *array.shape))
        sha.update(array.tobytes())
    return sha.hexdigest()


def packed(arrays: Mapping[str, F32]) -> bytes:
    """Return the file's bytes.

    Raises:
        ValueError: the arrays are no policy, or are too many.
    """
    check_arrays(arrays)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ARRAYS:
            # Without a time of its own: the same arrays make the same bytes.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                array = np.ascontiguousarray(arrays[name], dtype="<f4")
                np.lib.format.write_array(member, array, allow_pickle=False)
    if file.tell() > BYTES_MAX:
        raise ValueError(f"a policy of {file.tell()} bytes is too large: {BYTES_MAX} are allowed")
    return file.getvalue()


def unpacked(path: Path) -> dict[str, F32]:
    """Read the arrays of a file.

    Raises:
        UserError: it is missing, too large, torn, foreign, or holds no policy.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UserError(f"{path} is larger than any policy ({BYTES_MAX} bytes): put another file there")
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read the weights {path} ({error.strerror}): put a copy back") from error
    try:
        return _arrays(data)
    except _TORN as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"{path} holds no weights of a policy ({why}): put a copy back") from error


def _arrays(data: bytes) -> dict[str, F32]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = [member.filename for member in archive.infolist()]
        if sorted(names) != sorted(f"{name}.npy" for name in ARRAYS):
            raise ValueError("other arrays than a policy's")
        if any(member.compress_type or member.flag_bits & 1 for member in archive.infolist()):
            raise ValueError("it is compressed or encrypted")
        if sum(member.file_size for member in archive.infolist()) > BYTES_MAX:
            raise ValueError("it unpacks to more than any policy")
    with np.load(io.BytesIO(data), allow_pickle=False) as members:
        arrays = {name: members[name] for name in ARRAYS}
    check_arrays(arrays)
    return arrays
