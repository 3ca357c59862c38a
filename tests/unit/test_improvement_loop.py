from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.improvement_words import DAY_NS, TERMS, Household, follower, made_up, make_by_rule
from tg_actors.backtest.rehearsal import MODEL
from tg_actors.backtest.schooling import Ground, outcome, school
from tg_actors.backtest.shelf import FolderShelf, Shelf
from tg_actors.domain.errors import UserError
from tg_actors.rl.acts import Role, Verb
from tg_actors.rl.improvement import Stage
from tg_actors.rl.market import F32
from tg_actors.rl.policy import NumpyPolicy


def stages(house: Household) -> list[Stage]:
    return list(dict.fromkeys(entry.stage for entry in house.improver().entries()))


@pytest.fixture(scope="module")
def improved(tmp_path_factory: pytest.TempPathFactory) -> Household:
    """A desk whose champion goes against the signal where going with it pays; every step a new process."""
    house = Household(tmp_path_factory.mktemp("improved"), made_up(None), sign=-1.0)
    house.live(140)
    return house


def test_a_champion_that_loses_is_replaced_by_a_challenger_that_earns(improved: Household) -> None:
    assert [s for s in stages(improved) if s is not Stage.SEQUENTIAL] == [
        Stage.COLLECTING,
        Stage.TRAINING,
        Stage.GATE,
        Stage.SHADOW,
        Stage.CANARY,
        Stage.CHAMPION,
        Stage.SETTLED,
    ][: len(stages(improved))]
    roles = improved.registry.roles(MODEL)
    assert (roles.champion, roles.former, roles.canary, roles.shadow) == (2, (1,), None, None)
    acts = [(act.verb, act.role, act.version) for act in improved.registry.history(MODEL)[1:]]
    assert acts == [(Verb.PROMOTE, role, 2) for role in (Role.SHADOW, Role.CANARY, Role.CHAMPION)]


def test_the_version_carries_its_evidence_and_the_gate_its_report(improved: Household) -> None:
    manifest = improved.registry.manifest(MODEL, 2)
    assert manifest.evidence is not None
    assert manifest.evidence.days == 4 * 14
    assert (manifest.evidence.sharpe_low or 0.0) > 0.0
    assert manifest.trials == len(improved.tried) == 1
    assert manifest.from_ns < manifest.to_ns < manifest.created_at_ns + DAY_NS
    report = improved.improver().report()
    assert report is not None
    assert report.passed
    assert report.chance_frac is not None


def test_one_process_and_a_new_one_for_every_step_write_the_same_record(
    improved: Household, tmp_path: Path
) -> None:
    alone = Household(tmp_path, improved.ground, sign=-1.0)
    alone.live(140, improver=alone.improver())
    assert alone.improver().entries() == improved.improver().entries()


def test_an_equal_challenger_is_refused_and_nobody_is_promoted(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None), sign=1.0)
    house.live(130)
    attempt = house.improver().attempt()
    assert (attempt.number, attempt.stage) == (2, Stage.REFUSED)
    assert house.registry.roles(MODEL).champion == 1
    report = house.improver().report()
    assert report is not None
    assert "gain_over_champion_frac" in report.failing


def test_too_few_days_are_waited_for(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    house.live(84, from_day=56)
    assert house.improver().attempt().stage is Stage.COLLECTING


@pytest.mark.parametrize("broken", ["shadow", "canary", "champion"])
def test_killed_between_the_record_and_the_registry_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    real = house.registry.promote
    died: list[Role] = []

    def dies_once(name: str, version: int, role: Role, **rest: object) -> object:
        if role.value == broken and not died:
            died.append(role)
            raise SystemExit
        return real(name, version, role, **rest)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(house.registry, "promote", dies_once)
    with pytest.raises(SystemExit):
        house.live(160)
    stage_at_death = house.improver().attempt().stage
    assert house.registry.roles(MODEL).version_of(Role(broken)) != 2
    first = house.ground.first_day + 91
    house.improver().step(house.ground.until(first), first * DAY_NS)
    if stage_at_death is house.improver().attempt().stage:
        assert house.registry.roles(MODEL).version_of(Role(broken)) == 2
    house.live(140, from_day=91)
    assert house.registry.roles(MODEL).champion == 2
    assert house.registry.versions(MODEL) == (1, 2)


def test_killed_after_registering_it_registers_no_second_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    day = house.ground.first_day + 90
    now, at_ns = house.ground.until(day), day * DAY_NS
    house.improver().begin(at_ns)
    assert house.improver().step(now, at_ns) is not None
    dying = house.improver()
    monkeypatch.setattr(dying, "_append", _die)
    with pytest.raises(SystemExit):
        dying.step(now, at_ns)
    assert house.registry.versions(MODEL) == (1, 2)
    after = house.improver().step(now, at_ns)
    assert after is not None
    assert after.challenger == 2
    assert house.registry.versions(MODEL) == (1, 2)


def _die(*_: object) -> None:
    raise SystemExit


def test_a_torn_last_line_counts_as_never_written(improved: Household, tmp_path: Path) -> None:
    house = Household(tmp_path, improved.ground, sign=-1.0)
    house.live(90)
    entries = house.improver().entries()
    path = tmp_path / "improvement" / f"{MODEL}.jsonl"
    path.write_bytes(path.read_bytes() + b'{"at_ns": 1, "model"')
    assert house.improver().entries() == entries
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"".join(lines[2:]))
    with pytest.raises(UserError, match="line 2 of the record"):
        house.improver().entries()


def test_what_a_person_promotes_meanwhile_ends_the_attempt(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    house.live(104)
    assert house.improver().attempt().stage is Stage.SHADOW
    manifest = house.registry.manifest(MODEL, 1)
    third = house.registry.register(MODEL, follower(1.0), manifest)
    house.registry.promote(MODEL, third, Role.CHAMPION, reason="mine", actor="person", at_ns=1)
    day = house.ground.first_day + 111
    attempt = house.improver().step(house.ground.until(day), day * DAY_NS)
    assert attempt is not None
    assert attempt.stage is Stage.REFUSED
    assert "was promoted meanwhile" in attempt.why
    roles = house.registry.roles(MODEL)
    assert (roles.champion, roles.shadow) == (third, None)


def test_what_a_person_takes_out_of_its_role_is_not_put_back(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    house.live(125)
    assert house.improver().attempt().stage is Stage.CHAMPION
    house.registry.rollback(MODEL, Role.CHAMPION, reason="no", actor="person", at_ns=1)
    day = house.ground.first_day + 132
    attempt = house.improver().step(house.ground.until(day), day * DAY_NS)
    assert attempt is not None
    assert attempt.stage is Stage.ROLLED_BACK
    assert house.registry.roles(MODEL).champion == 1


def test_a_challenger_that_fails_in_service_is_taken_back_and_the_old_one_decides_again(
    tmp_path: Path,
) -> None:
    # The market turns after the promotion: what was learned loses from then on.
    watching = TERMS.watching.model_copy(update={"probation_days": 90})
    terms = replace(TERMS, watching=watching)
    house = Household(tmp_path, made_up(127), sign=-1.0, terms=terms)
    house.live(200)
    assert Stage.ROLLED_BACK in stages(house)
    acts = [(act.verb, act.role) for act in house.registry.history(MODEL)]
    assert (Verb.ROLLBACK, Role.CHAMPION) in acts


def test_a_model_without_a_champion_is_told_how_to_get_one(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None))
    empty = Household.__new__(Household)
    empty.__dict__.update(house.__dict__)
    from tg_actors.rl.registry import ModelRegistry

    empty.registry = ModelRegistry(tmp_path / "none")
    with pytest.raises(UserError, match="tg train"):
        empty.improver().begin(1)


def test_a_champion_of_another_market_is_refused_in_one_sentence(tmp_path: Path) -> None:
    house = Household(tmp_path, made_up(None), sign=-1.0)
    other = made_up(None, seed=4)
    object.__setattr__(other.market, "names", ("something", "else"))
    house.improver().begin(1)
    with pytest.raises(UserError, match="columns that are not"):
        house.improver().step(other, 1)


def test_schooling_sees_nothing_after_its_last_day() -> None:
    whole, cut = made_up(None), made_up(None).until(made_up(None).first_day + 100)
    champion = NumpyPolicy(follower(-1.0))
    from tests.improvement_words import make_by_rule

    end = whole.first_day + 100
    found = [
        school(ground, TERMS.schooling, champion, 1, make=make_by_rule, shelf=Shelf())
        for ground in (whole.until(end), cut)
    ]
    np.testing.assert_array_equal(found[0].sample.seeds, found[1].sample.seeds)
    np.testing.assert_array_equal(found[0].sample.rule, found[1].sample.rule)
    assert found[0].sample.seeds.shape == (2, 56)
    # Twice the costs are never better.
    assert (found[0].sample.stressed.sum(axis=1) <= found[0].sample.seeds.sum(axis=1)).all()


def test_a_day_of_an_outcome_is_that_day_whatever_comes_after() -> None:
    ground, policy = made_up(None), NumpyPolicy(follower(1.0))
    first = ground.first_day + 10
    short = outcome(ground, policy, first, first + 20, "v2").returns
    long = outcome(ground, policy, first, first + 40, "v2").returns
    assert len(short) == 20
    np.testing.assert_array_equal(short, long[:20])


def test_a_folder_keeps_what_was_trained_and_a_damaged_file_is_trained_again(tmp_path: Path) -> None:
    shelf = FolderShelf(tmp_path)
    shelf.put("a", follower(1.0))
    again = FolderShelf(tmp_path).get("a")
    assert again is not None
    np.testing.assert_array_equal(again["choice.weight"], follower(1.0)["choice.weight"])
    (tmp_path / "a.npz").write_bytes(b"torn")
    assert FolderShelf(tmp_path).get("a") is None
    assert FolderShelf(tmp_path).get("b") is None


def test_what_was_trained_on_other_bars_or_costs_is_not_taken_from_the_shelf() -> None:
    ground, trained = made_up(None, days=60), list[int]()
    schooling = TERMS.schooling.model_copy(update={"windows": 2, "seeds": 1})
    shelf = Shelf()

    def schooled(on: Ground) -> int:
        before = len(trained)

        def counted(*asked: Any) -> dict[str, F32]:
            trained.append(asked[-1])
            return make_by_rule(*asked)

        school(on, schooling, NumpyPolicy(follower(1.0)), 1, make=counted, shelf=shelf)
        return len(trained) - before

    assert schooled(ground) == 3
    assert schooled(ground) == 0
    dearer = replace(ground, market=replace(ground.market, worse=ground.market.worse * 2.0))
    assert schooled(dearer) == 3
    # A correction of a day on which only the newest training learns.
    close = ground.market.close.copy()
    close[-3 * ground.bars_per_day] *= 1.001
    assert schooled(replace(ground, market=replace(ground.market, close=close))) == 1
