"""The desk in one process: cores behind the ports, for backtests and tests. No Ray."""

from collections.abc import Callable, Mapping, Sequence

from tg_actors.agents.opining import OpiningCore
from tg_actors.desk.ports import Hearing
from tg_actors.domain.blocks import F64, Abstention, MarketSnapshot, Opinions
from tg_actors.domain.decisions import Decision, Settlement
from tg_actors.execution.executor import Executor
from tg_actors.execution.sender import ExecutionReport
from tg_actors.rl.agent import RlAgent
from tg_actors.rl.model import Model


class InlineRoster:
    """Asks every core in turn; all are always in time."""

    def __init__(self, agents: Sequence[OpiningCore]) -> None:
        self._agents = tuple(agents)
        self._memories: dict[str, F64] = {}

    def follow(self, agent: str, model: Model | None) -> None:
        """Hand a learned core its version."""
        for core in self._agents:
            if isinstance(core, RlAgent) and core.name == agent:
                core.follow(model)

    def recall(self, memories: Mapping[str, F64]) -> None:
        """Hand every core its memory."""
        self._memories = dict(memories)
        for agent in self._agents:
            agent.recall(memories.get(agent.name))

    def opine(self, snapshot: MarketSnapshot) -> Hearing:
        """Ask all; an incoherent answer is an absence, exactly as on Ray."""
        answers = {agent.name: agent.opine(snapshot) for agent in self._agents}
        return hear(answers, {}, self._memories, len(snapshot.symbols))


def hear(
    answers: Mapping[str, Opinions], absent: Mapping[str, Abstention], memories: dict[str, F64], n: int
) -> Hearing:
    """Sift answers: incoherent ones become absences; ``memories`` takes up the new ones."""
    sound = {name: opinions for name, opinions in answers.items() if opinions.incoherence(n) is None}
    memories |= {name: opinions.memory for name, opinions in sound.items()}
    silent = {name: Abstention.INCOHERENT for name in answers if name not in sound}
    return Hearing(tuple(sound.values()), {**absent, **silent}, dict(memories))


class InlineExecution:
    """The executor core called directly."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def begin_settle(self, snapshot: MarketSnapshot) -> Callable[[], Settlement]:
        """Settle at once; nothing runs beside us."""
        settlement = self._executor.settle(snapshot)
        return lambda: settlement

    def execute(self, decision: Decision) -> ExecutionReport:
        """Permit and send what was approved."""
        return self._executor.execute(decision)

    def flatten(self, snapshot: MarketSnapshot) -> ExecutionReport:
        """Close everything."""
        return self._executor.flatten(snapshot)
