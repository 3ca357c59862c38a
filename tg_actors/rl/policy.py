"""A learned policy in NumPy alone: what desk and serving ask, without a learning library."""

from collections.abc import Mapping
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tg_actors.rl.episodes import LEVELS, VERBS
from tg_actors.rl.market import F32

#: The layers in order, each a ``.weight (out, in)`` and a ``.bias (out,)``; tanh follows all but the last.
LAYERS = ("hidden_0", "hidden_1", "choice")
#: Every array of a policy, and nothing else.
ARRAYS = tuple(f"{layer}.{part}" for layer in LAYERS for part in ("weight", "bias"))
#: Logits of the verb, then of the size.
CHOICES = VERBS + LEVELS


class NumpyPolicy:
    """Two hidden layers of tanh and the logits of ``MultiDiscrete [3, 5]``.

    Takes the arrays named by :data:`ARRAYS`, ``float32``; they are copied and never written again. The same
    rows in a block of the same length give the same bits; beside other rows the last bits of a logit may
    differ, as BLAS adds in another order.

    Raises:
        ValueError: an array is missing, foreign, of a wrong type or shape, or holds what is no number.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        check_arrays(arrays)
        self.arrays: Mapping[str, F32] = MappingProxyType({name: _frozen(arrays[name]) for name in ARRAYS})
        self.features = int(self.arrays["hidden_0.weight"].shape[1])
        self._layers = [
            (np.ascontiguousarray(self.arrays[f"{layer}.weight"].T), self.arrays[f"{layer}.bias"])
            for layer in LAYERS
        ]

    def __reduce__(self) -> tuple[type["NumpyPolicy"], tuple[dict[str, F32]]]:
        """Cross process borders as the arrays, which are checked again."""
        return (NumpyPolicy, (dict(self.arrays),))

    def logits(self, observed: F32) -> F32:
        """Return the logits ``(n, 8)`` of observations ``(n, features)``.

        Raises:
            ValueError: the observations have another number of columns.
        """
        if observed.shape[1:] != (self.features,):
            raise ValueError(f"observations are (n, {self.features}), not {observed.shape}")
        (first, bias_0), (second, bias_1), (last, bias) = self._layers
        hidden = np.tanh(observed.astype(np.float32, copy=False) @ first + bias_0)
        hidden = np.tanh(hidden @ second + bias_1)
        logits: F32 = hidden @ last + bias
        return logits

    def act(self, observed: F32) -> NDArray[np.int64]:
        """Return the likeliest verb and size ``(n, 2)``; of equals the first."""
        return self.choose(self.logits(observed))

    @staticmethod
    def choose(logits: F32) -> NDArray[np.int64]:
        """Return the likeliest verb and size ``(n, 2)`` of logits ``(n, 8)``."""
        actions = np.empty((len(logits), 2), dtype=np.int64)
        logits[:, :VERBS].argmax(axis=1, out=actions[:, 0])
        logits[:, VERBS:].argmax(axis=1, out=actions[:, 1])
        return actions


def check_arrays(arrays: Mapping[str, Any]) -> None:
    """Say what is wrong with arrays that should be a policy.

    Raises:
        ValueError: as of :class:`NumpyPolicy`.
    """
    if set(arrays) != set(ARRAYS):
        odd = sorted(set(arrays) ^ set(ARRAYS))
        raise ValueError(f"a policy is made of {', '.join(ARRAYS)}: {', '.join(odd)} missing or foreign")
    for name in ARRAYS:
        _check_array(name, arrays[name])
    for layer in LAYERS:
        if arrays[f"{layer}.bias"].shape != arrays[f"{layer}.weight"].shape[:1]:
            raise ValueError(f"{layer} has a bias of another length than its weights")
    for before, after in pairwise(LAYERS):
        if arrays[f"{after}.weight"].shape[1] != arrays[f"{before}.weight"].shape[0]:
            raise ValueError(f"{after} does not take as many values as {before} gives")
    if arrays["choice.bias"].shape != (CHOICES,):
        raise ValueError(f"choice gives {len(arrays['choice.bias'])} logits, not {CHOICES}")


def _check_array(name: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.float32:
        raise ValueError(f"{name} is no array of float32")
    if array.ndim != (2 if name.endswith("weight") else 1) or not array.size:
        raise ValueError(f"{name} has the shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is no finite number")


def _frozen(array: F32) -> F32:
    copy = np.array(array, dtype=np.float32, order="C")
    copy.flags.writeable = False
    return copy
