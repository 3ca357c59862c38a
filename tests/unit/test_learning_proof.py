"""The proof in short, and the pieces it stands on. Values only: what time it took is told, not judged."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tg_actors.backtest.detectors import Answers, Finding, look_ahead
from tg_actors.backtest.tape import Tape, record
from tg_actors.cli.main import app
from tg_actors.domain.blocks import I64
from tg_actors.market.feeds.simulated import SimulatedFeed
from tg_actors.market.needs import MarketNeeds
from tg_actors.market.timeframes import Timeframe
from tg_actors.rl import answer_key, leak_canary, proof
from tg_actors.rl.answer_key import NULL, REGIMES, RULES, STANDARD
from tg_actors.rl.answer_key_episodes import AnswerKeyEpisodes
from tg_actors.rl.answer_key_hidden import Bound, HiddenEpisodes, HiddenKey, bound, played
from tg_actors.rl.answer_key_play import mean_exposure, optimum
from tg_actors.rl.episodes import LEVELS
from tg_actors.rl.market import F32

HIDDEN = HiddenKey()


@pytest.fixture(scope="module")
def bounded() -> Bound:
    return bound(HIDDEN, 6)


def test_the_short_proof_meets_every_goal() -> None:
    told = CliRunner().invoke(app, ["train", "proof", "--json"])
    content = json.loads(told.stdout)
    assert told.exit_code == 0, content
    checks = {row["name"]: row for row in content["checks"]}
    assert set(checks) == {name for name, check in proof.CHECKS.items() if not check.is_long}
    assert all(row["is_met"] for row in checks.values())
    assert checks["cloned_then_trained"]["of_best_frac"] >= 0.97
    assert checks["best_blind_rule"]["of_best_frac"] <= 0.05
    assert checks["hidden_regime"]["of_best_frac"] >= 0.9
    assert checks["hidden_regime"]["value"] < optimum(STANDARD)
    assert checks["nothing_to_win"]["value"] <= 0.02
    assert checks["leak_canary"]["of_best_frac"] >= 0.95


def test_a_missed_goal_is_told_and_ends_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {
        "lazy": proof.Check("stays flat", lambda _: proof.Outcome(0.0, 0.0), 0.5),
        "told": proof.Check("no goal", lambda _: proof.Outcome(1.0, 0.2, "why")),
        "long": proof.Check("never run", lambda _: 1 // 0, is_long=True),  # type: ignore[arg-type, return-value]  # never called
    }
    monkeypatch.setattr(proof, "CHECKS", checks)
    told = CliRunner().invoke(app, ["train", "proof"])
    assert told.exit_code == 1
    assert "MISSED" in told.stdout
    rows = proof.proof(full=False, seed=1, cpu_ns=iter(range(0, 10**10, 10**9)).__next__)
    assert [(row.name, row.is_met, row.goal, row.cpu_s) for row in rows] == [
        ("lazy", False, "at least 0.5", 1.0),
        ("told", None, "", 1.0),
    ]


def test_the_winner_of_generalist_and_specialists_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    checks = {
        "trained_alone": proof.Check("one", lambda _: proof.Outcome(1.0, 0.9), is_long=True),
        "specialists_switched": proof.Check("four", lambda _: proof.Outcome(1.0, 0.85), is_long=True),
    }
    monkeypatch.setattr(proof, "CHECKS", checks)
    told = CliRunner().invoke(app, ["train", "proof", "--full"])
    assert told.exit_code == 0
    assert "lose to one generalist that sees the regime by 5.0 points" in " ".join(told.stderr.split())


def test_no_policy_played_beats_the_bound_and_the_bounds_own_comes_near(bounded: Bound) -> None:
    value, error = played(HIDDEN, bounded.act, rows=500, bars=600, seed=3)
    assert value < bounded.value + 3 * error
    assert value > 0.9 * bounded.value
    assert bounded.value < optimum(STANDARD)
    rng = np.random.default_rng(1)

    def wild(observed: F32) -> I64:
        return np.column_stack((rng.integers(0, 3, len(observed)), rng.integers(0, 5, len(observed))))

    assert played(HIDDEN, wild, rows=100, bars=100, seed=1)[0] < 0.0


def test_a_finer_grid_bounds_closer(bounded: Bound) -> None:
    coarse = [bound(HIDDEN, parts).value for parts in (2, 4)]
    assert coarse[0] > coarse[1] > bounded.value


def test_where_hints_are_certain_nothing_is_hidden() -> None:
    certain = HiddenKey(hints=np.eye(len(REGIMES)))
    assert bound(certain, 2).value == pytest.approx(optimum(STANDARD), rel=1e-3)


def test_what_is_shown_of_a_hidden_regime_is_calibrated() -> None:
    """Of all moments at which a regime was given a chance of p, it was there in a part p."""
    episodes = HiddenEpisodes(HIDDEN, 2_000, 5)
    episodes.reset()
    rng, said, was = np.random.default_rng(2), [], []
    for _ in range(60):
        acts = np.column_stack((rng.integers(0, 3, 2_000), rng.integers(0, 5, 2_000)))
        observed = episodes.step(acts).observed
        np.testing.assert_allclose(observed[:, : len(REGIMES)].sum(axis=1), 1.0, atol=1e-5)
        said.append(episodes.likely[:, 0].copy())
        was.append(episodes.regime == 0)
    chance, there = np.concatenate(said), np.concatenate(was)
    for low in np.arange(0.0, 1.0, 0.2):
        rows = (chance >= low) & (chance < low + 0.2)
        assert there[rows].mean() == pytest.approx(chance[rows].mean(), abs=0.02)


def test_mean_exposure_is_what_long_episodes_show() -> None:
    assert mean_exposure(NULL, RULES["flat"]()) == 0.0
    rule = RULES["momentum"]()
    episodes, often = AnswerKeyEpisodes(STANDARD, 3_000, 4, bars=500), []
    episodes.reset()
    for _ in range(200):
        wanted = rule[episodes.regime, episodes.signal, episodes.exposure]
        change = np.clip(wanted - episodes.exposure, -LEVELS, LEVELS)
        verb = np.select([change > 0, change < 0], [0, 1], 2)
        episodes.step(np.column_stack((verb, np.maximum(np.abs(change), 1) - 1)))
        often.append(np.abs(answer_key.EXPOSURES[episodes.exposure]).mean())
    assert mean_exposure(STANDARD, rule) == pytest.approx(np.mean(often[20:]), abs=0.02)


def test_rows_begin_where_they_are_told_to() -> None:
    begins = proof._at_home(2)
    assert begins.sum() == pytest.approx(1.0)
    episodes = AnswerKeyEpisodes(STANDARD, 20_000, 3, begins=begins)
    episodes.reset()
    assert (episodes.regime == 2).mean() == pytest.approx(0.7, abs=0.02)
    assert all((episodes.regime == g).mean() == pytest.approx(0.1, abs=0.02) for g in (0, 1, 3))


class Leaking:
    """The canary's column, or only the past's, taken from the closes of a tape."""

    def __init__(self, *, honest: bool) -> None:
        self.name, self._honest = "canary", honest

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        close = tape.ohlcv()[:, :, 3]
        moves = leak_canary.next_moves(close)
        if self._honest:
            moves = np.concatenate((np.full((1, moves.shape[1]), np.nan), moves[:-1]))
        return Answers(tape.symbols, moves[first:end], len(tape.symbols))


def test_the_leak_detector_flags_the_very_column_that_the_canary_lives_on() -> None:
    symbols = ("BTC/USDT", "ETH/USDT")
    feed = SimulatedFeed(3, symbols, Timeframe("1h"), dict.fromkeys(symbols, 5.0))
    tape = record(feed, 300, MarketNeeds())
    assert look_ahead(Leaking(honest=False), tape, seed=1).finding is Finding.LEAKS
    assert look_ahead(Leaking(honest=True), tape, seed=1).finding is Finding.CLEAN


def test_the_canarys_best_is_the_best() -> None:
    market = leak_canary.market(1)
    column = leak_canary.NAMES.index(leak_canary.LEAK)

    class Seeing:
        def act(self, observed: F32) -> I64:
            rises = observed[:, column] > 0
            return np.where(rises[:, np.newaxis], (0, 4), (1, 4)).astype(np.int64)

    earned, best = leak_canary.earned(Seeing(), market)
    assert earned == pytest.approx(best, rel=1e-9)
    assert best > 10.0
