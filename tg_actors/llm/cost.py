"""What an answer has cost: the price of the model that served it, when it did, of exactly what it counted.

A price that nobody knows is None, never a guess. Prices come from the bundled table of ``genai-prices``,
which knows tiers, times of day and history; what the owner writes into ``configs/models.yaml`` goes first.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import genai_prices

from tg_actors.domain.money import ZERO
from tg_actors.llm.providers.spec import Price, ProviderSpec, Usage, WireRequest

_MILLION = Decimal(1_000_000)
_S = 10**9
#: Characters of JSON full of digits that make a token, at the very least.
_CHARS_PER_TOKEN = 2


def cost_usd(
    row: ProviderSpec, model_id: str, usage: Usage, at_ns: int, overrides: Mapping[str, Price]
) -> Decimal | None:
    """Return dollars, None where the price is unknown.

    Args:
        row: who bills.
        model_id: who has really answered.
        usage: what was counted.
        at_ns: when the answer came.
        overrides: prices by model that go before the table.
    """
    if model_id in overrides:
        return _overridden(overrides[model_id], usage)
    if row.is_free:
        return ZERO
    if row.price_provider is None:
        return None
    counted = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        price = genai_prices.calc_price(
            counted,
            model_id,
            provider_id=row.price_provider,
            genai_request_timestamp=datetime.fromtimestamp(at_ns // _S, UTC),
        )
    except LookupError:
        return None
    return price.total_price


def _overridden(price: Price, usage: Usage) -> Decimal:
    cached = price.input_usd if price.cached_usd is None else price.cached_usd
    written = price.input_usd if price.cache_write_usd is None else price.cache_write_usd
    parts = (
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, price.input_usd),
        (usage.cached_tokens, cached),
        (usage.cache_write_tokens, written),
        (usage.output_tokens, price.output_usd),
    )
    return sum((count * usd for count, usd in parts), ZERO) / _MILLION


def worst_usage(request_chars: int, answer_tokens_max: int) -> Usage:
    """Return the most tokens that a request may be counted as."""
    return Usage(input_tokens=-(-request_chars // _CHARS_PER_TOKEN), output_tokens=answer_tokens_max)


def worst_request_usd(
    row: ProviderSpec, request: WireRequest, at_ns: int, overrides: Mapping[str, Price]
) -> Decimal | None:
    """Return the most that the model that is asked may charge for one attempt, None where unknown."""
    body = request.body
    most = body.get(row.tokens_key, body.get("options", {}).get(row.tokens_key, 0))
    usage = worst_usage(len(request.text()), int(most))
    return cost_usd(row, str(body["model"]), usage, at_ns, overrides)


def forecast_usd(
    row: ProviderSpec,
    model_id: str,
    calls: int,
    usage: Usage,
    at_ns: int,
    overrides: Mapping[str, Price],
) -> Decimal | None:
    """Return what so many calls of one usage would cost at the price of an instant, None where unknown."""
    one = cost_usd(row, model_id, usage, at_ns, overrides)
    return None if one is None else one * calls
