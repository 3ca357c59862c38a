"""Tune an agent by nested walk-forward: search inside each training window, score on the next test window.

Training windows are anchored at the first day; between training and test lie as many days as an opinion
looks ahead (purge), and one more (embargo). The score inside is ``sharpe_daily_365`` of the training days
after costs, 0 where it is undefined. The agent's own values are the first trial of every search. What the
search gains inside and keeps outside is the report; last comes one more search over all days, whose
values are proposed and have no test behind them but the walk's.
"""

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from tg_actors.agents.kinds import AgentSpec, open_agent
from tg_actors.backtest.evaluation import Chorus, worth
from tg_actors.backtest.market_bars import MarketBars, load_bars
from tg_actors.backtest.population import DayGrid, TradingCosts, sharpes_365
from tg_actors.backtest.standing import tested, walk
from tg_actors.backtest.tuning_space import Knob, knobs_of, values_of, with_values
from tg_actors.backtest.tuning_study import Studies
from tg_actors.backtest.validation.evidence import Evidence, evidence
from tg_actors.backtest.validation.splits import Split
from tg_actors.domain.blocks import F64, MarketSnapshot
from tg_actors.domain.message import Message
from tg_actors.market.config import MarketSpec, open_market
from tg_actors.portfolio.performance import DAY_NS
from tg_actors.portfolio.stances import TargetRule


@dataclass(frozen=True, slots=True)
class TuningSpec:
    """Everything that decides the outcome of a tuning.

    ``trials`` per search; ``batch`` of them are asked for before their scores are known, so more can run at
    once and each knows less.
    """

    agent: AgentSpec
    market: MarketSpec
    cycles: int
    rule: TargetRule
    costs: TradingCosts
    windows: int = 4
    trials: int = 40
    batch: int = 1
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Job:
    """One agent to be heard over the first ``cycles`` of the market of a tuning."""

    tuning: TuningSpec
    agent: AgentSpec
    cycles: int


#: Jobs in, daily returns ``(days,)`` of each out, in their order.
Scorer = Callable[[Sequence[Job]], list[F64]]


class TunedWindow(Message):
    """One step of the walk; figures are ``sharpe_daily_365``, 0 where undefined.

    ``values`` are those of the best trial in training. ``default`` is the agent as it was.
    """

    train_days: int
    test_days: int
    values: dict[str, float]
    train_tuned: float
    train_default: float
    test_tuned: float
    test_default: float


class TuningReport(Message):
    """What tuning was worth. ``tuned`` and ``default`` are over all test windows, out of sample.

    ``tuned`` is deflated by all ``trials``. ``stability`` is the standard deviation of each value over the
    windows as a part of its range (by ratios where it was searched so): near 0 the same value won everywhere,
    0.29 is what chance would choose. ``proposed`` won on all days: ``in_sample`` is its score there, which is
    no promise.
    """

    agent: str
    kind: str
    windows: tuple[TunedWindow, ...] = Field(min_length=1)
    tuned: Evidence
    default: Evidence
    stability: dict[str, float]
    trials: int
    proposed: dict[str, float]
    in_sample: float

    @property
    def train_mean(self) -> float:
        """Mean score of the chosen values inside the training windows."""
        return float(np.mean([window.train_tuned for window in self.windows]))

    @property
    def test_mean(self) -> float:
        """Mean score of the same values on the test windows that followed."""
        return float(np.mean([window.test_tuned for window in self.windows]))


@dataclass(frozen=True, slots=True, eq=False)
class HeardMarket:
    """A market with its snapshots at hand, for agents that hear it again and again."""

    bars: MarketBars
    snapshots: tuple[MarketSnapshot, ...]


@functools.lru_cache(maxsize=1)
def _heard_market(market_json: str, cycles: int) -> HeardMarket:
    market = MarketSpec.model_validate_json(market_json)
    builder = open_market(market)
    snapshots = tuple(s for cycle in range(cycles) if (s := builder.advance(cycle)) is not None)
    return HeardMarket(load_bars(market, cycles), snapshots)


def score_inline(jobs: Sequence[Job]) -> list[F64]:
    """Hear every agent in this process; the market is kept for the next call.

    Raises:
        UserError: the market cannot be had.
    """
    return [_score(job) for job in jobs]


def _score(job: Job) -> F64:
    tuning = job.tuning
    market = _heard_market(tuning.market.model_dump_json(), tuning.cycles)
    bars = market.bars.slice(0, job.cycles)
    core = open_agent(job.agent, bars.symbols, bars.bar_ns)
    chorus = Chorus([core], len(bars.symbols), tuning.rule)
    for snapshot in market.snapshots[: job.cycles]:
        chorus.hear(snapshot)
    return worth(core.name, bars, chorus.targets()[core.name], tuning.costs).returns


class Tuner:
    """Runs the searches of one tuning, one after the other.

    ``tell`` is told after every batch how many trials were searched so far.

    Raises:
        UserError: nothing of the agent's kind can be tuned, or the time is too short for the windows.
    """

    def __init__(
        self, spec: TuningSpec, bars: MarketBars, studies: Studies, score: Scorer, tell: Callable[[int], None]
    ) -> None:
        self._spec = spec
        self._studies = studies
        self._score = score
        self._tell = tell
        self._bars = bars
        self._day_ns = DayGrid(bars.close_ns, bars.bar_ns).day_ns
        self._knobs = knobs_of(spec.agent)
        self._splits = walk(len(self._day_ns), spec.windows, horizon_days(spec.agent, bars.bar_ns))
        self._trials = 0

    @property
    def trials_total(self) -> int:
        """How many trials there are to search: one search a window, and one over all days."""
        return (len(self._splits) + 1) * self._spec.trials

    def run(self) -> TuningReport:
        """Search and report; stops with whatever ``tell`` raises, and goes on from there another time."""
        chosen = [self._search(split.train.size) for split in self._splits]
        proposed, in_sample = self._search(len(self._day_ns))
        agents = [with_values(self._spec.agent, values) for values, _ in chosen]
        # Past and test in one go, so that memory and positions come out of the past.
        jobs = [self._job(a, int(s.test[-1]) + 1) for a, s in zip(agents, self._splits, strict=True)]
        *after, default = self._score([*jobs, self._job(self._spec.agent, len(self._day_ns))])
        windows = tuple(
            _window(split, values, best, returns, default)
            for split, (values, best), returns in zip(self._splits, chosen, after, strict=True)
        )
        outside = [returns[split.test] for returns, split in zip(after, self._splits, strict=True)]
        return TuningReport(
            agent=self._spec.agent.name,
            kind=self._spec.agent.kind,
            windows=windows,
            tuned=self._weigh("tuned", np.concatenate(outside), self._trials),
            default=self._weigh("default", default[tested(self._splits)], 1),
            stability={
                knob.path: _spread(knob, [w.values[knob.path] for w in windows]) for knob in self._knobs
            },
            trials=self._trials,
            proposed=proposed,
            in_sample=in_sample,
        )

    def _search(self, days: int) -> tuple[dict[str, float], float]:
        """Return the best values on the first ``days``, and their score there."""
        spec, searched = self._spec, self._trials
        search = self._studies.open(
            self._identity(days), self._knobs, values_of(spec.agent, self._knobs), (spec.seed, days)
        )
        while search.done < spec.trials:
            asked = search.ask(min(spec.batch, spec.trials - search.done))
            jobs = [self._job(with_values(spec.agent, values), days) for values in asked]
            search.tell([float(sharpes_365(returns[np.newaxis])[0]) for returns in self._score(jobs)])
            self._tell(searched + search.done)
        self._trials = searched + spec.trials
        values, best = search.best()
        return values_of(with_values(spec.agent, values), self._knobs), best

    def _job(self, agent: AgentSpec, days: int) -> Job:
        cycles = int(np.searchsorted(self._bars.close_ns, self._day_ns[days - 1], side="right"))
        return Job(self._spec, agent, cycles)

    def _identity(self, days: int) -> str:
        """What a search is: the same words, the same trials. How many there will be is no part of it."""
        spec = self._spec
        market = spec.market.model_dump(mode="json", exclude={"prefetch_cycles"})
        knobs = [[k.path, k.low, k.high, k.is_log, k.is_whole] for k in self._knobs]
        words = (spec.agent.model_dump(mode="json"), market, spec.rule.model_dump(mode="json"))
        return json.dumps(
            [*words, spec.costs.sentence, spec.cycles, days, spec.batch, spec.seed, knobs], sort_keys=True
        )

    def _weigh(self, name: str, returns: F64, trials: int) -> Evidence:
        spec = self._spec
        called = f"{spec.agent.name}, {name}"
        return evidence(returns, name=called, costs=spec.costs.sentence, seed=spec.seed, trials=trials)


def horizon_days(agent: AgentSpec, bar_ns: int) -> int:
    """As many days as an opinion looks ahead, begun ones counted: what is purged before a test."""
    return -(-agent.horizon_bars * bar_ns // DAY_NS)


def _window(split: Split, values: dict[str, float], best: float, returns: F64, default: F64) -> TunedWindow:
    return TunedWindow(
        train_days=split.train.size,
        test_days=split.test.size,
        values=values,
        train_tuned=best,
        train_default=_sharpe(default[split.train]),
        test_tuned=_sharpe(returns[split.test]),
        test_default=_sharpe(default[split.test]),
    )


def _sharpe(returns: F64) -> float:
    return float(sharpes_365(returns[np.newaxis])[0])


def _spread(knob: Knob, values: Sequence[float]) -> float:
    """Standard deviation of values as a part of the range that was searched."""
    ends = np.array([knob.low, knob.high, *values])
    scaled = np.log(ends) if knob.is_log else ends
    return float(np.std(scaled[2:]) / (scaled[1] - scaled[0]))
