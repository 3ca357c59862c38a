"""Two versions of a model on the days that both were judged on; what keeps one from becoming champion."""

from enum import StrEnum

import numpy as np

from tg_actors.backtest.validation.bootstrap import Interval, interval, mean
from tg_actors.domain.blocks import F64
from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.rl.acts import Act, Role
from tg_actors.rl.manifest import Manifest, OutOfSample, model_id
from tg_actors.rl.registry import ModelRegistry

#: Fewer days together say nothing about which is better.
SHARED_DAYS_MIN = 30
_BPS = 1e4


class Standing(StrEnum):
    """What may be said of one version against another."""

    BETTER = "better"
    WORSE = "worse"
    INDISTINGUISHABLE = "not distinguishable"
    TOO_SHORT = "too few days together"


class Comparison(Message):
    """One version less the other, day by day, on the days that both were judged on.

    ``mean_bps`` a day, with the 95 % percentile interval of the stationary bootstrap; both None where there
    are too few days. ``standing`` is the first one's: better or worse where the interval leaves zero out.
    """

    one: str
    other: str
    days: int
    mean_bps: float | None
    interval_bps: Interval | None
    standing: Standing

    @property
    def sentence(self) -> str:
        """The comparison as a person may repeat it."""
        if self.mean_bps is None or self.interval_bps is None:
            return f"{self.one} against {self.other}: {self.standing} ({self.days})"
        low, high = self.interval_bps.low, self.interval_bps.high
        return (
            f"{self.one} against {self.other}: {self.standing}, {self.mean_bps:+.2f} bps a day "
            f"[{low:+.2f}, {high:+.2f}] over {self.days} days"
        )


def compare_versions(one: Manifest, other: Manifest, seed: int = 0) -> Comparison:
    """Compare the out-of-sample returns of two versions; the same seed gives the same interval."""
    difference = _difference(one, other)
    if len(difference) < SHARED_DAYS_MIN:
        return _said(one, other, len(difference), None, None, Standing.TOO_SHORT)
    average = float(difference.mean())
    around = interval(difference, mean, seed=seed)
    if around is None:
        return _said(one, other, len(difference), None, None, Standing.TOO_SHORT)
    known = around.excludes_zero
    standing = (Standing.BETTER if average > 0 else Standing.WORSE) if known else Standing.INDISTINGUISHABLE
    return _said(one, other, len(difference), average, around, standing)


def refusal(candidate: Manifest, champion: Manifest | None) -> str | None:
    """Say why a version should not become champion, None where its evidence allows it.

    It needs out-of-sample days on which it earned or lost something; they must not have lost money beyond
    doubt, and must not be worse on average than the champion's on the days that both have. A champion
    without evidence defends nothing.
    """
    proof = candidate.evidence
    if proof is None:
        return f"{candidate.id} has no out-of-sample evidence"
    if not any(proof.returns_frac):
        return f"{candidate.id} has held nothing on any day out of sample"
    if proof.sharpe_high is not None and proof.sharpe_high < 0:
        return f"{candidate.id} loses money out of sample, Sharpe ratio at most {proof.sharpe_high:.2f}"
    if champion is None or champion.evidence is None:
        return None
    found = compare_versions(candidate, champion)
    if found.mean_bps is None:
        return (
            f"{candidate.id} and the champion {champion.id} were judged on {found.days} days together, of "
            f"the same market at the same costs; {SHARED_DAYS_MIN} are wanted"
        )
    return f"its evidence is worse: {found.sentence}" if found.mean_bps < 0 else None


def promote(
    registry: ModelRegistry,
    name: str,
    version: int,
    role: Role,
    *,
    reason: str,
    actor: str,
    at_ns: int,
    share_frac: float | None = None,
    override: str | None = None,
    how: str,
) -> Act:
    """Give a version a role as a person may, at the machine or over HTTP: a champion needs evidence.

    ``override``: why the evidence shall not count; ``how`` says in a refusal where such a reason is written.
    Whoever becomes champion between the judgement and the promotion is not replaced by it.

    Raises:
        UserError: the evidence speaks against it and nobody said why it should not count, there is nothing
            to set aside, or as of :meth:`ModelRegistry.promote`.
    """
    roles = registry.roles(name)
    if role is not Role.CHAMPION and override is not None:
        raise UserError("an override sets evidence aside, which only a champion needs: leave it out")
    if role is Role.CHAMPION:
        if roles.champion == version:
            raise UserError(f"{model_id(name, version)} is champion already")
        why = _against(registry, registry.manifest(name, version), roles.champion)
        if why is not None and not (override or "").strip():
            raise UserError(f"{why}: leave the champion, or say why with {how}")
        override = None if why is None else f"{override} (against: {why})"
    return registry.promote(
        name,
        version,
        role,
        reason=reason,
        actor=actor,
        at_ns=at_ns,
        share_frac=share_frac,
        override=override,
        judged=roles,
    )


def _against(registry: ModelRegistry, candidate: Manifest, champion: int | None) -> str | None:
    """Say what speaks against a candidate; a champion that cannot be read may be replaced for a reason."""
    try:
        held = None if champion is None else registry.manifest(candidate.name, champion)
    except UserError as error:
        return str(error)
    return refusal(candidate, held)


def _difference(ours: Manifest, theirs: Manifest) -> F64:
    """Daily returns of one less the other ``(days,)``; none of other markets, bars, costs or times."""
    one, other = ours.evidence, theirs.evidence
    if one is None or other is None or _judged_on(ours, one) != _judged_on(theirs, other):
        return np.zeros(0)
    first = max(one.first_day, other.first_day)
    end = min(one.first_day + one.days, other.first_day + other.days)
    if end <= first:
        return np.zeros(0)
    mine, yours = (np.array(e.returns_frac[first - e.first_day : end - e.first_day]) for e in (one, other))
    difference: F64 = mine - yours
    return difference


def _judged_on(manifest: Manifest, proof: OutOfSample) -> tuple[object, ...]:
    """What two versions must share, for a day of one to be a day of the other: costs are part of it."""
    return proof.market, proof.costs, manifest.bar_ns, frozenset(manifest.instruments)


def _said(
    one: Manifest,
    other: Manifest,
    days: int,
    average: float | None,
    around: Interval | None,
    standing: Standing,
) -> Comparison:
    scaled = None
    if around is not None:
        bounds = {"low": around.low * _BPS, "high": around.high * _BPS}
        scaled = around.model_copy(update=bounds)
    return Comparison(
        one=one.id,
        other=other.id,
        days=days,
        mean_bps=None if average is None else average * _BPS,
        interval_bps=scaled,
        standing=standing,
    )
