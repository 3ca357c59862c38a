"""What came of one question to one model: views with their provenance, and what it took."""

from decimal import Decimal

from pydantic import Field

from tg_actors.domain.message import Message
from tg_actors.llm.contract.observation import Mode
from tg_actors.llm.faults import Fault, FaultKind
from tg_actors.llm.parser import Provenance, SymbolOutcome
from tg_actors.llm.providers.spec import Usage


class DecisionOutcome(Message):
    """The record of one decision, as it is journaled.

    Attributes:
        model: the name in ``configs/models.yaml``; ``asked_id`` is what it means, ``served_id`` who answered.
        request_key: SHA-256 of the question as it was asked.
        symbols: one outcome for each instrument.
        attempts: POSTs that were made or refused, repairs included; ``rounds`` is 2 with a repair.
        is_first_parsed: whether the first answer gave a view or an honest hold on every instrument.
        is_repaired: whether the second one did, after the first had not.
        mends: what had to be mended in the texts.
        dropped: parameters that the vendor has refused.
        cost_usd: of everything that was answered, by the model that served; None where a price or a count is
            unknown. ``cost_is_floor``: an attempt that gave nothing may be billed as well.
        elapsed_s: all attempts and waits.
        answers: the texts as they came, one of each round that was answered.
        headers: what the vendor said about itself and its rate in the last answer.
    """

    model: str
    provider: str
    asked_id: str
    served_id: str | None
    mode: Mode
    prompt: str
    prompt_digest: str
    observation_digest: str
    request_key: str
    symbols: tuple[SymbolOutcome, ...]
    attempts: int = Field(ge=0)
    rounds: int = Field(ge=0, le=2)
    is_first_parsed: bool
    is_repaired: bool
    mends: tuple[str, ...]
    ungrounded_numbers: int = Field(ge=0)
    dropped: tuple[str, ...]
    usage: Usage
    cost_usd: Decimal | None
    cost_is_floor: bool
    elapsed_s: float = Field(ge=0)
    fault: Fault | None
    answers: tuple[str, ...]
    headers: dict[str, str]

    def counts(self) -> dict[str, int]:
        """How many instruments there are of each provenance that occurs."""
        said = [one.provenance for one in self.symbols]
        return {one.value: said.count(one) for one in Provenance if one in said}


_BY_FAULT = {FaultKind.TIMEOUT: Provenance.DEADLINE, FaultKind.BUDGET: Provenance.BUDGET}


def provenance_of(fault: Fault) -> Provenance:
    """Return where "no view" comes from when nobody answered."""
    return _BY_FAULT.get(fault.kind, Provenance.PROVIDER_ERROR)
