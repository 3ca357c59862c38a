"""Opinions become targets by the words of the risk limits, and targets become returns."""

from pathlib import Path

import numpy as np
import pytest

from tests.tuning_words import DEAF, SYMBOLS, planted_market
from tg_actors.agents.kinds import open_agent
from tg_actors.backtest.evaluation import ENSEMBLE, Chorus, Stances, hear_market, rotations, worth
from tg_actors.backtest.market_bars import load_bars
from tg_actors.backtest.population import TradingCosts
from tg_actors.domain.blocks import Abstention, MarketSnapshot, Opinions
from tg_actors.meta.ensemble import MetaConfig
from tg_actors.portfolio.stances import TargetRule

RULE = TargetRule(confidence_frac_min=0.5, band_frac=0.2)
SHORTS = RULE.model_copy(update={"allow_short": True})
NAN = float("nan")


@pytest.mark.parametrize(
    ("rule", "said", "held"),
    [
        (RULE, [(0.8, 0.6)], 0.8),
        (RULE, [(0.8, 0.4)], 0.0),  # not confident enough to enter
        (RULE, [(0.1, 0.9)], 0.0),  # inside the band
        (RULE, [(-0.8, 0.9)], 0.0),  # no shorts
        (SHORTS, [(-0.8, 0.9)], -0.8),
        (RULE, [(0.8, 0.6), (NAN, NAN)], 0.8),  # silence leaves alone
        (RULE, [(0.8, 0.6), (0.9, 0.6)], 0.8),  # less than the band
        (RULE, [(0.4, 0.6), (0.9, 0.4)], 0.4),  # not confident enough to add
        (RULE, [(0.8, 0.6), (0.5, 0.1)], 0.5),  # whoever shrinks needs no confidence
        (RULE, [(0.8, 0.6), (0.1, 0.1)], 0.0),  # inside the band is closed
        (RULE, [(0.8, 0.6), (0.0, 0.1)], 0.0),
        (SHORTS, [(0.8, 0.6), (-0.9, 0.9)], 0.0),  # a flip closes first
        (SHORTS, [(0.8, 0.6), (-0.9, 0.9), (-0.9, 0.9)], -0.9),
        (RULE, [(2.0, 0.9)], 1.0),
    ],
)
def test_an_exposure_becomes_a_target_as_the_limits_say(
    rule: TargetRule, said: list[tuple[float, float]], held: float
) -> None:
    stances = Stances(1, rule)
    taken = [stances.take(np.array([exposure]), np.array([confidence])) for exposure, confidence in said]
    assert taken[-1].tolist() == [held]


class Scripted:
    """Says one thing, or nonsense."""

    def __init__(self, name: str, direction: float) -> None:
        self.name = name
        self._direction = direction

    def recall(self, memory: np.ndarray | None) -> None:
        assert memory is None

    def opine(self, snapshot: MarketSnapshot) -> Opinions:
        n = len(snapshot.symbols)
        return Opinions(
            agent=self.name,
            cycle=snapshot.cycle,
            horizon_bars=1,
            direction=np.full(n, self._direction),
            confidence=np.ones(n),
            evidence_names=(),
            evidence=np.empty((n, 0)),
            memory=np.empty((n, 0)),
            abstained=(None,) * n if np.isfinite(self._direction) else (Abstention.LATE,) * n,
        )


def test_everybody_and_the_ensemble_are_heard_and_the_incoherent_are_not(tmp_path: Path) -> None:
    market = planted_market(tmp_path, days=3)
    cores = [Scripted("bull", 1.0), Scripted("calm", 0.5), Scripted("mad", 7.0)]
    chorus = Chorus(cores, 2, RULE, MetaConfig())
    told: list[int] = []
    targets = hear_market(chorus, market, 72, told.append)
    assert {name: rows.shape for name, rows in targets.items()} == dict.fromkeys(
        ("bull", "calm", "mad", ENSEMBLE), (72, 2)
    )
    assert [np.unique(targets[name]).tolist() for name in targets] == [[1.0], [0.5], [0.0], [0.75]]
    assert told == [0]


def test_an_agent_alone_says_what_it_says_in_a_chorus(tmp_path: Path) -> None:
    market = planted_market(tmp_path, days=20)
    alone = hear_market(Chorus([open_agent(DEAF, SYMBOLS, 1)], 2, RULE), market, 480)
    others = [open_agent(DEAF, SYMBOLS, 1), Scripted("bull", 1.0)]
    beside = hear_market(Chorus(others, 2, RULE, MetaConfig()), market, 480)
    assert alone["deaf"].tolist() == beside["deaf"].tolist()


def test_the_same_positions_at_other_times_trade_as_much(tmp_path: Path) -> None:
    bars = load_bars(planted_market(tmp_path, days=30))
    rising = ((np.arange(len(bars)) + 13 * 24) // 120 % 2 == 0)[:, np.newaxis] * np.ones((1, 2))
    costs = TradingCosts(0.001, 5.0)
    found = worth("knows the market", bars, rising, costs)
    by_chance = list(rotations(bars, rising, costs, 1, 20))
    assert len({one.tobytes() for one in by_chance}) > 10
    assert all(one.shape == found.returns.shape for one in by_chance)
    assert sum(one.mean() >= found.returns.mean() for one in by_chance) <= 2
    again = list(rotations(bars, rising, costs, 1, 20))
    assert all(np.array_equal(one, other) for one, other in zip(by_chance, again, strict=True))


def test_worth_is_what_a_holder_of_all_instruments_has_after_costs(tmp_path: Path) -> None:
    bars = load_bars(planted_market(tmp_path, days=10))
    found = worth("all in", bars, np.ones(bars.close.shape), TradingCosts(0.001, 5.0))
    paid = bars.open_[1] * 1.0005 * 1.001
    assert found.total_return_frac == pytest.approx((bars.close[-1] / paid).mean() - 1.0)
    assert found.fills == 2
    assert np.prod(1 + found.returns) - 1 == pytest.approx(found.total_return_frac)
