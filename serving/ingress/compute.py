"""What the desk's agents say of a caller's own bars: the same snapshots, indicators and cores as there."""

from collections.abc import Sequence

import numpy as np

from serving.board_view import known, model_of, regime_of
from serving.ingress.errors import Refused
from tg_actors.agents.kinds import AgentSpec, needs_of, open_agent
from tg_actors.agents.opining import OpiningCore
from tg_actors.client.words import AgentView, ComputeAnswer, ComputedSignal, ComputeRequest
from tg_actors.desk.config import load_agent
from tg_actors.desk.files import configs_folder
from tg_actors.domain.blocks import F64, I64, Opinions
from tg_actors.domain.errors import UserError
from tg_actors.market.builder import SnapshotBuilder
from tg_actors.market.feed import RawRows
from tg_actors.market.timeframes import Timeframe
from tg_actors.meta.regimes import RegimeConfig, RegimeFilter
from tg_actors.rl.agent import RlAgent
from tg_actors.rl.model import Model
from tg_actors.rl.registry import ModelRegistry

#: Cycles that the agents live through, so that stances and accounts are not those of the very first bar.
_LIVED_BARS = 64
#: Kinds that work from bars alone: they answer when nobody is named.
_FROM_BARS = ("technical", "rl")
_COLUMNS = 5
_CLOSE = 3
#: A caller sends no quotes, and the border refuses a market whose bid is not below its ask.
_HALF_SPREAD = 1e-6


class CallerFeed:
    """A caller's bars as a feed: its last bars are the cycles, all before them the history."""

    def __init__(self, asked: ComputeRequest) -> None:
        """Take the bars.

        Raises:
            UserError: the timeframe is none, bars are not in the order of time, or the instruments do not end
                with the same bar.
        """
        self.symbols = tuple(asked.bars)
        self.bar_ns = _timeframe(asked.timeframe).bar_ns
        self._rows = [
            _rows([list(bar.model_dump().values()) for bar in bars]) for bars in asked.bars.values()
        ]
        if unsorted := [
            symbol
            for symbol, rows in zip(self.symbols, self._rows, strict=True)
            if (np.diff(rows.open_ns) < 0).any()
        ]:
            raise UserError(f"the bars of {unsorted[0]} are not in the order of time: send the oldest first")
        ends = {int(rows.open_ns[-1]) for rows in self._rows}
        if len(ends) > 1:
            raise UserError("the instruments end with different bars: send all of them up to the same one")
        end_ns = ends.pop()
        lived = min(_LIVED_BARS, min(len(rows) for rows in self._rows) - 1)
        self.start_ns = end_ns - (lived - 1) * self.bar_ns
        self.cycles: int | None = lived

    def rows(self, i: int, first_cycle: int, count: int) -> RawRows:
        """Rows of instrument ``i`` in some cycles."""
        rows = self._rows[i]
        cycles = (rows.open_ns - self.start_ns) // self.bar_ns
        return rows.pick((cycles >= first_cycle) & (cycles < first_cycle + count))

    def history(self, i: int, before_cycle: int, n_bars: int) -> RawRows:
        """The newest rows of instrument ``i`` before a cycle."""
        rows = self._rows[i]
        before = rows.pick((rows.open_ns - self.start_ns) // self.bar_ns < before_cycle)
        return before.pick(slice(max(0, len(before) - n_bars), None))


def computed(asked: ComputeRequest, registry: ModelRegistry) -> ComputeAnswer:
    """Return what every agent says at the close of the newest bar; work for the processor.

    Raises:
        Refused: an agent is unknown.
        UserError: the bars cannot be a market.
    """
    feed = CallerFeed(asked)
    specs = _specs(asked.agents)
    cores = [_opened(spec, feed, registry) for spec in specs]
    builder = SnapshotBuilder(feed, needs=needs_of(specs, RegimeConfig().needs()))
    said: list[Opinions] = []
    snapshot = None
    for cycle in range(feed.cycles or 0):
        snapshot = builder.advance(cycle)
        assert snapshot is not None  # noqa: S101 - the feed has that many
        said = [core.opine(snapshot) for core in cores]
    assert snapshot is not None  # noqa: S101 - a request holds two bars at least
    view = RegimeFilter().view(snapshot)
    rejected = {line.symbol: line.rejected for line in builder.health().instruments}
    return ComputeAnswer(
        at_ns=snapshot.at_ns,
        regime=None if view is None else regime_of(view.regime, view),
        signals=tuple(
            ComputedSignal(
                instrument=symbol,
                bars_seen=int(snapshot.bars_seen[i]),
                refused={reason.value: count for reason, count in rejected[symbol].items()},
                agents=tuple(_view(opinions, i) for opinions in said),
            )
            for i, symbol in enumerate(feed.symbols)
        ),
    )


def _specs(names: Sequence[str]) -> list[AgentSpec]:
    shipped = sorted(path.stem for path in (configs_folder() / "agents").glob("*.yaml"))
    if unknown := [name for name in names if name not in shipped]:
        raise Refused(
            422, "unknown_agent", f"there is no agent {unknown[0]!r}", f"name some of {', '.join(shipped)}"
        )
    if names:
        return [load_agent(name) for name in names]
    return [spec for name in shipped if (spec := load_agent(name)).kind in _FROM_BARS]


def _opened(spec: AgentSpec, feed: CallerFeed, registry: ModelRegistry) -> OpiningCore:
    core = open_agent(spec, feed.symbols, feed.bar_ns)
    if isinstance(core, RlAgent) and spec.kind == "rl":
        champion = registry.roles(spec.model).champion
        core.follow(None if champion is None else Model(*registry.load(spec.model, champion)))
    core.recall(None)
    return core


def _view(opinions: Opinions, i: int) -> AgentView:
    why = opinions.abstained[i]
    return AgentView(
        agent=opinions.agent,
        weight=None,
        direction=known(float(opinions.direction[i])),
        confidence=known(float(opinions.confidence[i])),
        horizon_bars=opinions.horizon_bars,
        abstained=None if why is None else why.value,
        evidence={
            name: known(score)
            for name, score in zip(opinions.evidence_names, opinions.evidence[i].tolist(), strict=True)
        },
        model=model_of(opinions),
    )


def _rows(bars: Sequence[Sequence[float]]) -> RawRows:
    open_ns: I64 = np.array([int(bar[0]) for bar in bars], dtype=np.int64)
    ohlcv: F64 = np.array([bar[1:] for bar in bars], dtype=np.float64).reshape(-1, _COLUMNS)
    close = ohlcv[:, _CLOSE]
    return RawRows(open_ns, ohlcv, close * (1.0 - _HALF_SPREAD), close * (1.0 + _HALF_SPREAD))


def _timeframe(name: str) -> Timeframe:
    try:
        return Timeframe(name)
    except ValueError:
        known_names = ", ".join(Timeframe)
        raise UserError(f"there is no timeframe {name!r}: use one of {known_names}") from None
