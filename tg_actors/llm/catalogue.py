"""``configs/models.yaml``: which models there are, under which names, at which vendor, for how much."""

from datetime import date
from typing import Annotated, Self

from pydantic import Field, model_validator

from tg_actors.domain.errors import UserError
from tg_actors.domain.message import Message
from tg_actors.llm.budget import BudgetLimits
from tg_actors.llm.providers.spec import Price, ProviderSpec
from tg_actors.llm.providers.table import PROVIDERS

_Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class ModelSpec(Message):
    """One model.

    Attributes:
        provider: a row of the table of vendors.
        id: what the vendor is asked for.
        stands_for: the id that the name once meant; it is said wherever the name is used. None: the same.
        stands_for_retires_on: the last day of that id.
        retires_on: the last day of ``id``, None where none is announced.
        context_tokens: the most tokens of a question and its answer.
        answer_tokens_max: the most tokens of an answer, thinking included.
        effort: how hard it shall think, None for the vendor's own word.
        trained_until: the end of its training data, None where the vendor does not say. Up to that day it
            may know what happened: results are no evidence.
        base_url: where it is served; the generic vendor needs one.
    """

    provider: str
    id: str = Field(min_length=1)
    stands_for: str | None = None
    stands_for_retires_on: _Day | None = None
    retires_on: _Day | None = None
    context_tokens: int = Field(gt=0)
    answer_tokens_max: int = Field(gt=0)
    effort: str | None = None
    trained_until: _Day | None = None
    base_url: str | None = None

    @model_validator(mode="after")
    def _is_coherent(self) -> Self:
        if self.provider not in PROVIDERS:
            raise ValueError(f"there is no provider {self.provider!r}; known are {', '.join(PROVIDERS)}")
        if PROVIDERS[self.provider].base_url is None and self.base_url is None:
            raise ValueError(f"provider {self.provider!r} needs base_url")
        if self.answer_tokens_max >= self.context_tokens:
            raise ValueError("answer_tokens_max must be below context_tokens")
        for day in (self.retires_on, self.trained_until, self.stands_for_retires_on):
            if day is not None:
                date.fromisoformat(day)
        return self

    @property
    def row(self) -> ProviderSpec:
        """The capabilities of its vendor."""
        return PROVIDERS[self.provider]


class ModelsConfig(Message):
    """The whole file.

    ``deadline_s`` bounds one decision with all its attempts and its repair; ``attempts_max`` those of each
    round. ``prices`` go before the price table, by the id of the model that serves; decimals are strings.
    """

    deadline_s: float = Field(gt=0, le=600)
    attempts_max: int = Field(ge=1, le=10)
    budget: BudgetLimits
    prices: dict[str, Price] = Field(default_factory=dict)
    models: dict[str, ModelSpec] = Field(min_length=1)

    def model(self, name: str) -> ModelSpec:
        """Return a model by its name.

        Raises:
            UserError: there is none.
        """
        if name not in self.models:
            raise UserError(
                f"there is no model {name!r} in configs/models.yaml: use {', '.join(self.models)}"
            )
        return self.models[name]


def resolution(name: str, model: ModelSpec) -> str | None:
    """Say in one sentence that a name means another model by now, None where it means itself."""
    if model.stands_for is None:
        return None
    last = f", whose last day is {model.stands_for_retires_on}" if model.stands_for_retires_on else ""
    return f"{name} is asked as {model.id}: it stood for {model.stands_for}{last}"


def retires_in_days(model: ModelSpec, today: str) -> int | None:
    """Days until the model that is asked ends, negative when it has; None where no day is known."""
    if model.retires_on is None:
        return None
    return (date.fromisoformat(model.retires_on) - date.fromisoformat(today)).days
