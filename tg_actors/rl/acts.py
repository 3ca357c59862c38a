"""Who serves in which role: what people and gates did, and the roles that follow from it. Pure."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Self

from pydantic import Field, model_validator

from tg_actors.domain.message import Message
from tg_actors.rl.chain import Linked

#: The longest reason that the record takes.
REASON_CHARS_MAX = 1_000


class Role(StrEnum):
    """What a version does: decide, decide for a share of the requests, or be asked without effect."""

    CHAMPION = "champion"
    CANARY = "canary"
    SHADOW = "shadow"


class Verb(StrEnum):
    """What was done: a version was given a role, or a role was taken back."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"


class Roles(Message):
    """The versions in force of one model, None where there is none.

    ``canary_share_frac`` of the requests go to the canary. ``former``: earlier champions, the newest last.
    """

    champion: int | None = None
    canary: int | None = None
    canary_share_frac: float | None = None
    shadow: int | None = None
    former: tuple[int, ...] = ()

    def version_of(self, role: Role) -> int | None:
        """Return the version in a role."""
        return {Role.CHAMPION: self.champion, Role.CANARY: self.canary, Role.SHADOW: self.shadow}[role]


class Act(Linked):
    """One line of the record: who did what, when and why.

    ``version`` is the one that has the role from now on, None where nobody has. ``override``: the reason for
    which the evidence was set aside.
    """

    at_ns: int
    actor: str = Field(min_length=1, max_length=200)
    verb: Verb
    model: str
    role: Role
    version: int | None = Field(default=None, ge=1)
    share_frac: float | None = Field(default=None, gt=0, lt=1)
    reason: str = Field(max_length=REASON_CHARS_MAX)
    override: str | None = Field(default=None, max_length=REASON_CHARS_MAX)
    sha256: str = ""

    @model_validator(mode="after")
    def _share_belongs_to_a_canary(self) -> Self:
        is_canary = self.role is Role.CANARY and self.version is not None
        if is_canary != (self.share_frac is not None):
            raise ValueError("a canary has a share above 0 and below 1, and nobody else has")
        return self


def roles_after(roles: Roles, acts: Iterable[Act]) -> Roles:
    """Fold acts on one model over the roles it had before them."""
    for act in acts:
        roles = _AFTER[act.role](roles, act)
    return roles


def _champion(roles: Roles, act: Act) -> Roles:
    former = roles.former
    if act.verb is Verb.ROLLBACK:
        former = former[:-1]
    elif roles.champion is not None and roles.champion != act.version:
        former = (*former, roles.champion)
    roles = roles.model_copy(update={"champion": act.version, "former": former})
    # A version serves in one role.
    if act.version is not None and roles.canary == act.version:
        roles = roles.model_copy(update={"canary": None, "canary_share_frac": None})
    if act.version is not None and roles.shadow == act.version:
        roles = roles.model_copy(update={"shadow": None})
    return roles


def _canary(roles: Roles, act: Act) -> Roles:
    shadow = None if act.version is not None and roles.shadow == act.version else roles.shadow
    return roles.model_copy(
        update={"canary": act.version, "canary_share_frac": act.share_frac, "shadow": shadow}
    )


def _shadow(roles: Roles, act: Act) -> Roles:
    changed = {"shadow": act.version}
    if act.version is not None and roles.canary == act.version:
        return roles.model_copy(update={**changed, "canary": None, "canary_share_frac": None})
    return roles.model_copy(update=changed)


_AFTER = {Role.CHAMPION: _champion, Role.CANARY: _canary, Role.SHADOW: _shadow}
