"""The words of the HTTP API. Amounts are canonical text, fractions -1..1, times UTC nanoseconds."""

from typing import Annotated

from pydantic import Field

from tg_actors.domain.message import Message

#: Of one request: enough for a year of hours of one instrument.
BARS_MAX = 10_000
INSTRUMENTS_MAX = 50
#: The year 2200; its end and every sum of it with a bar's length fit into 64 bits.
OPEN_NS_MAX = 7_258_118_400 * 10**9
#: Rows of one prediction.
ROWS_MAX = 4_096
#: Of one of these rows.
COLUMNS_MAX = 512

#: A file of ``configs/agents``.
AgentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
#: ``BTC/USDT``.
Symbol = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$")]
Reason = Annotated[str, Field(min_length=1, max_length=200)]


class Problem(Message):
    """What is wrong: a word for programs, a sentence for people, and what to do."""

    code: str
    message: str
    what_to_do: str


class Refusal(Message):
    """The body of every answer that is not a success."""

    error: Problem


class AgentView(Message):
    """What one agent says of one instrument; ``model`` is the version that gave it, of learned agents.

    ``direction`` and ``confidence`` are None where the agent abstains, and ``abstained`` says why; ``weight``
    is None where nobody weighs it, of a caller's own bars.
    """

    agent: str
    weight: float | None
    direction: float | None
    confidence: float | None
    horizon_bars: int
    abstained: str | None
    evidence: dict[str, float | None]
    model: str | None = None


class Regime(Message):
    """What kind of market the desk believes it is in; None where it does not know yet."""

    name: str
    probability: float | None
    probabilities: dict[str, float]
    since_ns: int | None


class Signal(Message):
    """What the desk thinks of one instrument, as of its newest cycle.

    ``exposure`` is the ensemble's target as a fraction of the largest position allowed, None where it has
    no view. ``at_ns`` is the market's time, ``age_ms`` how long ago the cycle was decided; ``running`` is
    False when no desk is at work on the run any more, so that nothing newer will come.
    """

    run: str
    running: bool
    instrument: str
    cycle: int
    at_ns: int
    trading_state: str
    regime: Regime
    mid: str | None
    exposure: float | None
    confidence: float | None
    agents: tuple[AgentView, ...]
    absent: dict[str, str]
    models: dict[str, str]
    age_ms: int


class Signals(Message):
    """Every instrument of the desk, of one and the same cycle."""

    run: str
    running: bool
    cycle: int
    at_ns: int
    trading_state: str
    signals: tuple[Signal, ...]
    age_ms: int


class Bar(Message):
    """One closed bar: when it opened, prices in the quote currency, volume in the base currency."""

    open_ns: int = Field(ge=0, le=OPEN_NS_MAX)
    open: float = Field(gt=0)
    high: float = Field(gt=0)
    low: float = Field(gt=0)
    close: float = Field(gt=0)
    volume: float = Field(ge=0)


class ComputeRequest(Message):
    """A caller's own bars, oldest first. All instruments end with the same bar.

    ``agents`` names files of ``configs/agents``; when empty, all that work from bars alone answer: the
    technical and the learned ones.
    """

    timeframe: str = Field(max_length=8)
    bars: dict[Symbol, Annotated[tuple[Bar, ...], Field(min_length=2, max_length=BARS_MAX)]] = Field(
        min_length=1, max_length=INSTRUMENTS_MAX
    )
    agents: tuple[AgentName, ...] = Field(default=(), max_length=50)


class ComputedSignal(Message):
    """What agents say of one instrument of the caller; ``refused`` counts its bad bars."""

    instrument: str
    bars_seen: int
    refused: dict[str, int]
    agents: tuple[AgentView, ...]


class ComputeAnswer(Message):
    """The answer to :class:`ComputeRequest`; ``regime`` is None while too little was shown."""

    at_ns: int
    regime: Regime | None
    signals: tuple[ComputedSignal, ...]


class PredictRequest(Message):
    """Observations, one row each, in the columns of the model's manifest."""

    observed: Annotated[
        tuple[Annotated[tuple[float, ...], Field(min_length=1, max_length=COLUMNS_MAX)], ...],
        Field(min_length=1, max_length=ROWS_MAX),
    ]


class Prediction(Message):
    """One action a row and the very version that gave them, in the role it has.

    An action is [verb, size]: 0 buy, 1 sell, 2 hold; size 0 to 4 is 20 to 100 % of the limit, as a change.
    """

    model: str
    role: str
    actions: tuple[tuple[int, int], ...]


class Word(Message):
    """What a person says with a command."""

    reason: Reason = "by HTTP"


class ApprovalWord(Message):
    """A person's word about one order; ``content_hash`` is what they were shown."""

    content_hash: str | None = Field(default=None, max_length=128)
    reason: Reason = "by HTTP"


class ApprovalRow(Message):
    """One order that waits, or waited, for a person; ``content_hash`` binds a word to what was shown."""

    order: str
    intent_id: str
    content_hash: str
    symbol: str
    side: str
    type: str
    quantity: str
    about: str
    state: str
    requested_ns: int
    expires_ns: int
    user: str
    reason: str


class Promotion(Message):
    """Make a version the one that answers, or let it answer a share, or only look on."""

    version: int = Field(ge=1)
    role: str = Field(default="champion", pattern=r"^(champion|canary|shadow)$")
    share_frac: float | None = Field(default=None, gt=0, lt=1)
    reason: Reason = "by HTTP"
    override: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class PromotionAnswer(Message):
    """What was written into the record of the models."""

    model: str
    version: int
    role: str
    share_frac: float | None
    reason: str
    actor: str
    at_ns: int


class ControlAnswer(Message):
    """The desk that heard, and what may leave it now."""

    run: str
    trading_state: str
    reason: str
    running: bool


class CycleNote(Message):
    """One event of the stream: a new cycle, a changed trading state, or a desk that has begun or ended.

    ``at_ns`` is the market's time, ``decided_ns`` the machine's when the cycle was decided.
    """

    run: str
    running: bool
    cycle: int
    at_ns: int
    decided_ns: int
    trading_state: str
    equity: str
    regime: Regime
    targets: dict[str, float | None]
    weights: dict[str, float]
    absent: dict[str, str]
    version: int
