"""One decision of one model: ask, read, let it repair what is wrong once, and say what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.money import ZERO
from tg_actors.llm.asking import Asked, Patience, ask, outcome_of
from tg_actors.llm.briefing import question_of
from tg_actors.llm.cassette import Cassette, Talk
from tg_actors.llm.catalogue import ModelsConfig, ModelSpec
from tg_actors.llm.contract.observation import Observation
from tg_actors.llm.cost import worst_usage
from tg_actors.llm.exchange import Exchange
from tg_actors.llm.faults import MAYBE_BILLED, Fault, FaultKind, fault
from tg_actors.llm.live import reply_usd
from tg_actors.llm.outcome import DecisionOutcome, provenance_of
from tg_actors.llm.parser import REPARABLE, Parsed, Provenance, SymbolOutcome, parse
from tg_actors.llm.prompts import Prompt
from tg_actors.llm.providers.spec import Ended, Price, Reply, Turn, Usage, WireRequest
from tg_actors.llm.providers.table import request_of

#: What a model is told it said when it said nothing: vendors refuse an empty turn.
_SILENCE = "(nothing)"


@dataclass(slots=True)
class _Round:
    """One answer, and what it is worth."""

    asked: Asked
    parsed: Parsed | None


class Decider:
    """One (model, prompt): decides on observations, one after the other or side by side.

    It learns which parameters its vendor refuses; besides that it remembers nothing.
    """

    def __init__(self, name: str, config: ModelsConfig, prompt: Prompt, cassette: Cassette) -> None:
        """Take a model by its name in the configuration.

        Raises:
            UserError: there is none.
        """
        self._name = name
        self._model: ModelSpec = config.model(name)
        self._prices: Mapping[str, Price] = config.prices
        self._deadline_s, self._attempts_max = config.deadline_s, config.attempts_max
        self._prompt = prompt
        self._cassette = cassette
        self._dropped: frozenset[str] = frozenset()

    def request(self, observation: Observation) -> WireRequest:
        """Return the first request of a decision, as a recording is found by."""
        return self._build(observation, (), frozenset())

    async def decide(self, observation: Observation) -> DecisionOutcome:
        """Ask the model about an observation.

        Raises:
            CassetteMiss: a replay meets what was never recorded.
        """
        asked = self.request(observation)
        if refused := self._too_long(asked):
            return self._outcome(observation, asked, [_Round(Asked(None, refused, ()), None)], 0.0)
        talk = self._cassette.begin(asked, self._dropped, self._context(observation))
        patience = Patience(self._deadline_s)
        rounds = [await self._round(talk, observation, (), patience)]
        if (turn := self._repair(rounds[0])) is not None and patience.remaining_s:
            rounds.append(await self._round(talk, observation, (turn,), patience))
        talk.close()
        self._dropped |= talk.dropped
        return self._outcome(observation, asked, rounds, patience.spent_s)

    async def _round(
        self, talk: Talk, observation: Observation, turns: Sequence[Turn], patience: Patience
    ) -> _Round:
        asked = await ask(
            talk, lambda dropped: self._build(observation, turns, dropped), patience, self._attempts_max
        )
        return _Round(asked, None if asked.reply is None else _parsed(asked.reply, observation))

    def _repair(self, first: _Round) -> Turn | None:
        """What to say to a model whose answer is not whole, None where nothing is to be said."""
        if first.parsed is None or first.asked.reply is None or first.parsed.is_whole:
            return None
        complaints = "\n".join(f"- {one}" for one in first.parsed.complaints())
        return Turn(
            said=first.asked.reply.text.strip() or _SILENCE,
            reply=self._prompt.render("repair", complaints=complaints),
        )

    def _build(self, observation: Observation, turns: Sequence[Turn], dropped: frozenset[str]) -> WireRequest:
        row = self._model.row
        return request_of(row, question_of(self._model, self._prompt, observation, turns, dropped), dropped)

    def _too_long(self, request: WireRequest) -> Fault | None:
        tokens = worst_usage(len(request.text()), self._model.answer_tokens_max)
        needed = tokens.input_tokens + tokens.output_tokens
        if needed <= self._model.context_tokens:
            return None
        most = self._model.context_tokens
        said = f"up to {needed} tokens are needed, {self._name} has {most}: nothing was asked"
        return fault(FaultKind.CONTEXT_OVERFLOW, said)

    def _context(self, observation: Observation) -> dict[str, str]:
        return {
            "model": self._name,
            "prompt": self._prompt.name,
            "prompt_digest": self._prompt.digest,
            "observation_digest": observation.digest(),
        }

    def _outcome(
        self, observation: Observation, asked: WireRequest, rounds: Sequence[_Round], elapsed_s: float
    ) -> DecisionOutcome:
        exchanges = [exchange for one in rounds for exchange in one.asked.exchanges]
        replies = [one.asked.reply for one in rounds if one.asked.reply is not None]
        first = rounds[0].parsed
        symbols = _merged(observation, rounds)
        is_first_parsed = first is not None and first.is_whole and first.mistake is None
        return DecisionOutcome(
            model=self._name,
            provider=self._model.provider,
            asked_id=self._model.id,
            served_id=replies[-1].served_model if replies else None,
            mode=observation.mode,
            prompt=self._prompt.name,
            prompt_digest=self._prompt.digest,
            observation_digest=observation.digest(),
            request_key=asked.key(),
            symbols=symbols,
            attempts=len(exchanges),
            rounds=len(rounds),
            is_first_parsed=is_first_parsed,
            is_repaired=not is_first_parsed and len(replies) == len(rounds) > 1 and not _is_left(symbols),
            mends=tuple(dict.fromkeys(name for one in rounds if one.parsed for name in one.parsed.mends)),
            ungrounded_numbers=sum(one.parsed.ungrounded_numbers for one in rounds[-1:] if one.parsed),
            dropped=tuple(sorted(self._dropped)),
            usage=sum((reply.usage for reply in replies if reply.usage is not None), Usage()),
            cost_usd=self._cost(asked, exchanges),
            cost_is_floor=any(one.fault is not None and one.fault.kind in MAYBE_BILLED for one in exchanges),
            elapsed_s=elapsed_s,
            fault=rounds[-1].asked.fault,
            answers=tuple(reply.text for reply in replies),
            headers=_headers(exchanges),
        )

    def _cost(self, asked: WireRequest, exchanges: Sequence[Exchange]) -> Decimal | None:
        """The cost of all replies, None where that of one is unknown."""
        whole = ZERO
        for exchange in exchanges:
            reply, _ = outcome_of(asked.dialect, exchange)
            if reply is None:
                continue
            cost = reply_usd(self._model.row, reply, exchange.done_ns, self._prices)
            if cost is None:
                return None
            whole += cost
        return whole


def _parsed(reply: Reply, observation: Observation) -> Parsed:
    if reply.ended is Ended.STOP:
        return parse(reply.text, observation)
    refused = reply.ended is Ended.REFUSAL
    why = f"the model refused: {reply.why}" if refused else "the answer was cut off: be brief"
    provenance = Provenance.REFUSAL if refused else Provenance.PARSE_ERROR
    outcomes = tuple(
        SymbolOutcome(symbol=symbol, provenance=provenance, why=why) for symbol in observation.symbols
    )
    return Parsed(outcomes=outcomes, mistake=why)


def _merged(observation: Observation, rounds: Sequence[_Round]) -> tuple[SymbolOutcome, ...]:
    """What was whole at first stays; a repair counts for the rest, unless it came to nothing."""
    failed = rounds[0].asked.fault
    if rounds[0].parsed is None:
        why, provenance = (
            (failed.detail, provenance_of(failed)) if failed else ("", Provenance.PROVIDER_ERROR)
        )
        return tuple(
            SymbolOutcome(symbol=symbol, provenance=provenance, why=why) for symbol in observation.symbols
        )
    second = rounds[-1].parsed
    if len(rounds) == 1 or second is None:
        return rounds[0].parsed.outcomes
    pairs = zip(rounds[0].parsed.outcomes, second.outcomes, strict=True)
    return tuple(later if first.provenance in REPARABLE else first for first, later in pairs)


def _is_left(symbols: Sequence[SymbolOutcome]) -> bool:
    return any(one.provenance in REPARABLE for one in symbols)


def _headers(exchanges: Sequence[Exchange]) -> dict[str, str]:
    answers = [exchange.answer for exchange in exchanges if exchange.answer is not None]
    return answers[-1].headers if answers else {}
