"""One cycle as readers see it: immutable, and worked out only when somebody asks."""

from collections.abc import Callable
from functools import cached_property

from tg_actors.client.words import AgentView, CycleNote, Regime, Signal, Signals
from tg_actors.desk.block import DecisionBlock, decode
from tg_actors.desk.history import opinion_row
from tg_actors.domain.blocks import Opinions
from tg_actors.domain.decisions import Decision, RegimeView
from tg_actors.domain.money import from_float, money_text
from tg_actors.journal.records import Control

_NS_PER_MS = 1_000_000
_DIGITS = 4


class BoardView:
    """What the desk decided in its newest cycle.

    ``version`` counts up whenever anything that is shown changes, ``seq`` is the newest event that is in it.
    Answers are kept as bytes: whoever asks second gets them as they are, with a new age.
    """

    def __init__(
        self,
        *,
        run: str,
        running: bool,
        version: int,
        seq: int,
        decided_wall_ns: int,
        decision: Decision,
        block: bytes,
        control: Control,
        models: dict[str, str],
    ) -> None:
        self.run = run
        self.running = running
        self.version = version
        self.seq = seq
        self.decision = decision
        self.control = control
        self.models = models
        self._decided_wall_ns = decided_wall_ns
        self._block_bytes = block
        self._signals: dict[str, bytes] = {}

    @property
    def cycle(self) -> int:
        """Number of the cycle."""
        return self.decision.cycle

    @cached_property
    def block(self) -> DecisionBlock:
        """Opinions and targets."""
        return decode(self._block_bytes)

    @cached_property
    def regime(self) -> Regime:
        """The regime that the desk believes in."""
        return regime_of(self.decision.regime, self.decision.regime_view)

    @property
    def followed(self) -> dict[str, str]:
        """Which version of a model each learned agent asked in this cycle."""
        found = ((opinions.agent, model_of(opinions)) for opinions in self.block.opinions)
        return {agent: model for agent, model in found if model is not None}

    def renewed(
        self, version: int, seq: int, control: Control, models: dict[str, str], *, running: bool
    ) -> "BoardView":
        """Return the same cycle of a desk that has changed otherwise: its state, its models, its end."""
        new = BoardView(
            run=self.run,
            running=running,
            version=version,
            seq=seq,
            decided_wall_ns=self._decided_wall_ns,
            decision=self.decision,
            block=self._block_bytes,
            control=control,
            models=models,
        )
        if (control.state, models, running) == (self.control.state, self.models, self.running):
            new._signals = self._signals  # nothing that is shown has changed
        return new

    def signal(self, instrument: str, now_ns: int) -> bytes | None:
        """Return one instrument as JSON, None when the desk does not know it."""
        return self._aged(instrument, now_ns, lambda: self._signal(instrument))

    def signals(self, now_ns: int) -> bytes:
        """Return all instruments as JSON."""
        found = self._aged("", now_ns, self._all)
        assert found is not None  # noqa: S101 - the whole board always is
        return found

    def note(self) -> CycleNote:
        """Return what the stream tells of this cycle."""
        targets = self.block.targets
        return CycleNote(
            run=self.run,
            running=self.running,
            cycle=self.cycle,
            at_ns=self.decision.at_ns,
            decided_ns=self._decided_wall_ns,
            trading_state=self.control.state.value,
            equity=money_text(round(self.decision.equity, 2)),
            regime=self.regime,
            targets=dict(zip(self.block.symbols, map(known, targets.exposure.tolist()), strict=True)),
            weights={agent: round(w, _DIGITS) for agent, w in self.decision.weights.items()},
            absent=self.decision.absent,
            version=self.version,
        )

    def _aged(self, key: str, now_ns: int, build: Callable[[], Signal | Signals | None]) -> bytes | None:
        """Return the answer with its age; all else is written once a cycle."""
        kept = self._signals.get(key)
        if kept is None:
            built = build()
            if built is None:
                return None
            kept = built.model_dump_json().encode().removesuffix(b'"age_ms":0}')
            self._signals[key] = kept
        age_ms = max(0, now_ns - self._decided_wall_ns) // _NS_PER_MS
        return b'%s"age_ms":%d}' % (kept, age_ms)

    def _said(self, opinions: Opinions, i: int) -> AgentView:
        row = opinion_row(opinions, self.block, self.decision, i)
        del row["symbol"]
        return AgentView(**row, model=model_of(opinions))

    def _all(self) -> Signals:
        found = (self._signal(symbol) for symbol in self.block.symbols)
        return Signals(
            run=self.run,
            running=self.running,
            cycle=self.cycle,
            at_ns=self.decision.at_ns,
            trading_state=self.control.state.value,
            signals=tuple(signal for signal in found if signal is not None),
            age_ms=0,
        )

    def _signal(self, instrument: str) -> Signal | None:
        block = self.block
        if instrument not in block.symbols:
            return None
        i = block.symbols.index(instrument)
        mid = float(block.mid[i])
        return Signal(
            run=self.run,
            running=self.running,
            instrument=instrument,
            cycle=self.cycle,
            at_ns=self.decision.at_ns,
            trading_state=self.control.state.value,
            regime=self.regime,
            mid=money_text(from_float(mid)) if mid > 0 else None,
            exposure=known(float(block.targets.exposure[i])),
            confidence=known(float(block.targets.confidence[i])),
            agents=tuple(self._said(opinions, i) for opinions in block.opinions),
            absent=self.decision.absent,
            models=self.models,
            age_ms=0,
        )


def regime_of(label: str, view: RegimeView | None) -> Regime:
    """Return a regime in the words of the API."""
    if view is None:
        return Regime(name=label, probability=None, probabilities={}, since_ns=None)
    return Regime(
        name=view.regime,
        probability=view.probability,
        probabilities=view.probabilities,
        since_ns=view.since_ns,
    )


def model_of(opinions: Opinions) -> str | None:
    """Return which version of a model gave these opinions: a learned agent's evidence begins with it."""
    first = opinions.evidence_names[:1]
    return first[0] if first and "@" in first[0] else None


def known(value: float) -> float | None:
    """Return a score with four digits, None where it is NaN."""
    return round(value, _DIGITS) if value == value else None  # noqa: PLR0124 - NaN is the only x != x
