"""Weights between a learner of stable-baselines3 and flat arrays. Loads the learning libraries."""

from collections.abc import Mapping

import numpy as np
import torch
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import nn

from tg_actors.rl.market import F32
from tg_actors.rl.policy import ARRAYS, LAYERS

#: The critic's layers; only training needs them.
CRITIC_LAYERS = ("critic_0", "critic_1", "value")
CRITIC_ARRAYS = tuple(f"{layer}.{part}" for layer in CRITIC_LAYERS for part in ("weight", "bias"))


def arrays_of(policy: ActorCriticPolicy) -> dict[str, F32]:
    """Return the actor as the flat arrays of :data:`~tg_actors.rl.policy.ARRAYS`, copies.

    Raises:
        ValueError: it is not two hidden layers of tanh, or shares them with the critic in other ways.
    """
    return _read(_actor(policy), ARRAYS)


def critic_of(policy: ActorCriticPolicy) -> dict[str, F32]:
    """Return the critic as the flat arrays of :data:`CRITIC_ARRAYS`, copies.

    Raises:
        ValueError: as of :func:`arrays_of`.
    """
    return _read(_critic(policy), CRITIC_ARRAYS)


def load(policy: ActorCriticPolicy, arrays: Mapping[str, F32]) -> None:
    """Write an actor into a policy, and the critic where the arrays hold one.

    Raises:
        ValueError: an array is missing or of another shape.
    """
    _write(_actor(policy), ARRAYS, arrays)
    if any(name in arrays for name in CRITIC_ARRAYS):
        _write(_critic(policy), CRITIC_ARRAYS, arrays)


def _actor(policy: ActorCriticPolicy) -> list[nn.Linear]:
    return _layers(policy.mlp_extractor.policy_net, policy.action_net)


def _critic(policy: ActorCriticPolicy) -> list[nn.Linear]:
    return _layers(policy.mlp_extractor.value_net, policy.value_net)


def _layers(hidden: nn.Module, last: nn.Module) -> list[nn.Linear]:
    parts = [*hidden.children()]
    if [type(part) for part in parts] != [nn.Linear, nn.Tanh, nn.Linear, nn.Tanh]:
        raise ValueError(f"a policy has {len(LAYERS) - 1} hidden layers of tanh, not {hidden}")
    return [part for part in (*parts, last) if isinstance(part, nn.Linear)]


def _read(layers: list[nn.Linear], names: tuple[str, ...]) -> dict[str, F32]:
    tensors = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    return {
        name: np.array(tensor.detach().cpu().numpy(), dtype=np.float32)
        for name, tensor in zip(names, tensors, strict=True)
    }


def _write(layers: list[nn.Linear], names: tuple[str, ...], arrays: Mapping[str, F32]) -> None:
    tensors = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
    with torch.no_grad():
        for name, tensor in zip(names, tensors, strict=True):
            if name not in arrays or arrays[name].shape != tuple(tensor.shape):
                raise ValueError(f"{name} is missing or not of the shape {tuple(tensor.shape)}")
            tensor.copy_(torch.from_numpy(np.array(arrays[name], dtype=np.float32)))
