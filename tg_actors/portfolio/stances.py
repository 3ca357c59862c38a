"""When an exposure becomes a position, without sizes, stops and breakers: for what is traded in thought."""

import numpy as np
from pydantic import Field

from tg_actors.domain.blocks import F64
from tg_actors.domain.message import Message


class TargetRule(Message):
    """When an exposure becomes a target; the same words as in the risk limits of a desk.

    An entry or an increase needs ``confidence_frac_min``; nothing moves for less than ``band_frac`` of a
    full position, and a position of less is closed.
    """

    confidence_frac_min: float = Field(ge=0, le=1)
    band_frac: float = Field(ge=0, lt=1)
    allow_short: bool = False


def next_stance(held: F64, exposure: F64, confidence: F64, rule: TargetRule) -> F64:
    """Return what is held after one cycle, in the shape of ``held``; NaN exposure leaves its position alone.

    A flip closes first and enters in a later cycle, as on the desk.
    """
    # Comparisons with NaN are false: silence moves nothing. np.clip is slow on short arrays.
    aim = np.minimum(np.maximum(exposure, -1.0 if rule.allow_short else 0.0), 1.0)
    size = np.abs(aim)
    leaves = (held != 0) & ((aim * held <= 0) | (size < rule.band_frac))
    allowed = (size <= np.abs(held)) | (confidence >= rule.confidence_frac_min)
    moves = allowed & (np.abs(aim - held) >= rule.band_frac) & (aim != held)
    return np.where(leaves, 0.0, np.where(moves, aim, held))
