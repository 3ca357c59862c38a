"""What is known of a version of a model: where it comes from, what it was shown, what it has proved."""

import re
from typing import Self

from pydantic import Field, model_validator

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.rl.presets import PRESETS

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_NAME_CHARS_MAX = 48
_VERSION = re.compile(r"[1-9][0-9]{0,8}")
_SHA256 = r"^([0-9a-f]{64})?$"


class NoSuchModel(UserError):  # noqa: N818 - what the user named is not there
    """The model or version that was named does not exist, or has none in force."""


def check_name(name: str) -> str:
    """Return the name of a model when it is one: small letters, digits, single dashes.

    Raises:
        ValueError: it is not.
    """
    if len(name) > _NAME_CHARS_MAX or _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of a model: write such as rl-aggressive")
    return name


def model_id(name: str, version: int) -> str:
    """Return ``rl-aggressive@7``."""
    return f"{name}@{version}"


def parse_model_id(text: str) -> tuple[str, int]:
    """Read ``rl-aggressive@7``.

    Raises:
        ValueError: it is not a name, an @ and a version from 1 on.
    """
    name, at, version = text.partition("@")
    if not at or _VERSION.fullmatch(version) is None:
        raise ValueError(f"{text!r} names no version of a model: write such as rl-aggressive@7")
    return check_name(name), int(version)


class OutOfSample(Message):
    """Results on days that no training and no choice has seen, after costs; None is undefined.

    ``returns_frac``: one simple return a day from ``first_day`` (days since 1970-01-01 UTC) on; two versions
    are compared on the days that both have. ``market``: whose days these are, as ``runtime.trials`` names a
    market, or a name of a synthetic one; ``costs``: what was deducted, in words. ``sharpe_low`` to
    ``sharpe_high`` holds the Sharpe ratio with probability ``level_frac``; ``dsr_frac`` is the probability
    that it is better than the luck of ``trials``. ``seeds``: how many trainings stand behind it.
    """

    market: str = Field(min_length=1, max_length=200)
    first_day: int = Field(ge=0)
    returns_frac: tuple[float, ...] = Field(min_length=1, max_length=20_000)
    costs: str = Field(min_length=1, max_length=500)
    trials: int = Field(default=1, ge=1)
    seeds: int = Field(default=1, ge=1)
    total_return_frac: float | None = None
    sharpe_daily_365: float | None = None
    sharpe_low: float | None = None
    sharpe_high: float | None = None
    level_frac: float = Field(default=0.95, gt=0, lt=1)
    psr_frac: float | None = Field(default=None, ge=0, le=1)
    dsr_frac: float | None = Field(default=None, ge=0, le=1)
    pbo_frac: float | None = Field(default=None, ge=0, le=1)
    verdict: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _one_can_lose_all_but_no_more(self) -> Self:
        if min(self.returns_frac) < -1.0:
            raise ValueError("a day loses more than everything")
        if (self.sharpe_low is None) != (self.sharpe_high is None):
            raise ValueError("an interval has two ends")
        return self

    @property
    def days(self) -> int:
        """How many days there are."""
        return len(self.returns_frac)


class Manifest(Message):
    """One version of a model. ``version`` and ``sha256`` are the registry's: 0 and empty before it.

    ``features``: the columns of an observation in order, the account's included. ``instruments``, ``market``,
    ``bar_ns`` and ``from_ns`` to ``to_ns`` (exclusive) say what it was trained on. ``trainer``: every
    parameter of the training. ``parents``: models it was made from, such as ``rl-generalist@3``.
    ``reward``: the preset, which also limits the exposure; ``shorts``: whether it goes below zero.
    ``trials``: attempts among which it was chosen. ``sha256`` is that of its arrays.
    """

    name: str
    version: int = Field(default=0, ge=0)
    features: tuple[str, ...] = Field(min_length=1, max_length=512)
    instruments: tuple[str, ...] = Field(min_length=1, max_length=1_000)
    market: str = Field(min_length=1, max_length=200)
    bar_ns: int = Field(gt=0)
    from_ns: int
    to_ns: int
    seed: int
    reward: str = Field(min_length=1)
    shorts: bool = False
    trainer: dict[str, int | float | str | bool | None] = Field(default_factory=dict)
    code_version: str = Field(min_length=1, max_length=200)
    parents: tuple[str, ...] = ()
    trials: int = Field(default=1, ge=1)
    evidence: OutOfSample | None = None
    created_at_ns: int
    sha256: str = Field(default="", pattern=_SHA256)

    @model_validator(mode="after")
    def _names_are_names(self) -> Self:
        check_name(self.name)
        for parent in self.parents:
            parse_model_id(parent)
        if len(set(self.features)) != len(self.features):
            raise ValueError("two columns have the same name")
        if self.reward not in PRESETS:
            raise ValueError(f"there is no reward {self.reward!r}: known are {', '.join(PRESETS)}")
        if self.from_ns > self.to_ns:
            raise ValueError("from_ns lies after to_ns")
        return self

    @property
    def level_max(self) -> int:
        """How far its exposure goes, in fifths of the limit, as in its training."""
        return PRESETS[self.reward].level_max

    @property
    def id(self) -> str:
        """``rl-aggressive@7``."""
        return model_id(self.name, self.version)
