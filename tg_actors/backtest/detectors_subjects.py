"""What the detectors examine: agents of any kind, indicators and windows, the regime, baselines."""

from collections.abc import Callable

import numpy as np

from tg_actors.agents.kinds import AgentSpec, open_agent
from tg_actors.backtest.baselines.family import Family
from tg_actors.backtest.baselines.library import members
from tg_actors.backtest.baselines.studies import Studies
from tg_actors.backtest.detectors import Answers
from tg_actors.backtest.market_bars import bars_of
from tg_actors.backtest.tape import Tape, TapedFeed
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.needs import MarketNeeds
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.model import Model

_MEMBERS = 5
_SINCE = "since_ns"
_REASONS = {reason: float(code) for code, reason in enumerate(Abstention)}


class AgentSubject:
    """One agent, asked cycle by cycle as a desk asks it; a learned one asks ``model``."""

    def __init__(self, spec: AgentSpec, model: Model | None = None) -> None:
        self._spec, self._model = spec, model

    @property
    def name(self) -> str:
        """The agent's name."""
        return self._spec.name

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """Direction, confidence, evidence, reason of silence and memory, of every instrument."""
        core = open_agent(self._spec, tape.symbols, tape.bar_ns, self._model)
        core.recall(None)
        columns: list[tuple[str, ...]] = []
        evidence: list[int] = []

        def row(snapshot: MarketSnapshot) -> F64:
            opinions = core.opine(snapshot)
            if not columns:
                columns.append(_columns(opinions, snapshot.symbols))
                evidence.append(len(opinions.evidence_names))
            reasons = [-1.0 if reason is None else _REASONS[reason] for reason in opinions.abstained]
            said = (opinions.direction, opinions.confidence)
            parts = (*said, opinions.evidence, np.array(reasons), opinions.memory)
            return np.concatenate([np.ravel(part) for part in parts])

        values = _walk(tape, first, end, self._spec.needs(), row)
        n = len(tape.symbols)
        return Answers(columns[0], values, spoken=2 * n, reasoned=n * evidence[0])


class MarketSubject:
    """What the market room computes of the bars: every indicator of every instrument, and the window."""

    name = "indicators"

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """The features, and the sums of the window and the days shown: each is a view of the past."""
        columns: list[tuple[str, ...]] = []

        def row(snapshot: MarketSnapshot) -> F64:
            if not columns:
                names = [f"{symbol} {name}" for symbol in snapshot.symbols for name in snapshot.feature_names]
                columns.append((*names, *(f"{symbol} window" for symbol in snapshot.symbols)))
            window = snapshot.window
            shown = np.full(len(snapshot.symbols), np.nan)
            if window is not None and np.isfinite(window.ohlcv).any():
                shown = np.nansum(window.ohlcv, axis=(0, 2))
            return np.concatenate((snapshot.features.ravel(), shown))

        values = _walk(tape, first, end, MarketNeeds(window_bars=64), row)
        return Answers(columns[0], values, spoken=len(columns[0]))


class RegimeSubject:
    """The market's regime."""

    name = "regimes"

    def __init__(self, config: RegimeConfig | None = None) -> None:
        self._config = config or RegimeConfig()

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """The probability of every regime, and since when the label stands."""
        regimes = RegimeFilter(self._config)
        known: dict[str, None] = {}
        told: list[dict[str, float]] = []

        def row(snapshot: MarketSnapshot) -> F64:
            view = regimes.view(snapshot)
            said = {} if view is None else {**view.probabilities, _SINCE: float(view.since_ns)}
            known.update(dict.fromkeys(said))
            told.append(said)
            return np.empty(0)

        _walk(tape, first, end, self._config.needs(), row)
        columns = tuple(sorted(known, key=lambda name: (name == _SINCE, name)))
        values = np.array([[said.get(column, np.nan) for column in columns] for said in told])
        return Answers(columns, values.reshape(len(told), len(columns)), spoken=max(0, len(columns) - 1))


class BaselineSubject:
    """A family of baselines: members from all over its grid of parameters."""

    def __init__(self, family: Family) -> None:
        self._family = family
        every = members([family])
        self._members = every[:: max(1, len(every) // _MEMBERS)]

    @property
    def name(self) -> str:
        """The family's name."""
        return self._family.name

    def answers(self, tape: Tape, first: int, end: int) -> Answers:
        """The targets of every instrument, of all members in turn."""
        grid = tape.ohlcv()[first:]
        closes = np.array([tape.close_ns(cycle) for cycle in range(first, tape.cycles)], dtype=np.int64)
        studies = Studies(bars_of(tape.symbols, tape.bar_ns, closes, grid))
        targets = [member.targets(studies)[: end - first] for member in self._members]
        columns = tuple(f"{symbol} {member.name}" for member in self._members for symbol in tape.symbols)
        return Answers(columns, np.concatenate(targets, axis=1), spoken=len(columns))


def _walk(tape: Tape, first: int, end: int, needs: MarketNeeds, row: Callable[[MarketSnapshot], F64]) -> F64:
    builder = SnapshotBuilder(TapedFeed(tape), needs=needs)
    rows = []
    for cycle in range(first, end):
        snapshot = builder.advance(cycle)
        if snapshot is None:
            break
        rows.append(row(snapshot))
    return np.array(rows)


def _columns(opinions: Opinions, symbols: tuple[str, ...]) -> tuple[str, ...]:
    memories = range(opinions.memory.shape[1])
    return (
        *(f"{symbol} {part}" for part in ("direction", "confidence") for symbol in symbols),
        *(f"{symbol} {name}" for symbol in symbols for name in opinions.evidence_names),
        *(f"{symbol} abstained" for symbol in symbols),
        *(f"{symbol} memory {k}" for symbol in symbols for k in memories),
    )
