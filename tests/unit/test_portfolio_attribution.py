from decimal import Decimal

import pytest

from tests.portfolio_words import BTC, XRP_BTC, a_fill, an_intent, decimals
from tg_actors.domain.orders import Fill, Intent, Leg
from tg_actors.portfolio.attribution import UNATTRIBUTED, AgentResult, Attribution

RATES = {"USDT": Decimal(1), "BTC": Decimal(200)}
STOP = an_intent({}, leg=Leg.STOP)


def results(
    steps: list[tuple[Fill, Intent]], mid: str = "100", agents: tuple[str, ...] = ("a", "b")
) -> dict[str, AgentResult]:
    attribution = Attribution(agents)
    for fill, intent in steps:
        attribution.apply(fill, intent)
    report = attribution.report({BTC: Decimal(mid), XRP_BTC: Decimal("0.01")}, RATES)
    return {result.agent: result for result in report}


def test_open_profit_and_fees_are_divided_by_the_shares_of_the_entry() -> None:
    found = results([(a_fill("4", "100", fee="8"), an_intent({"a": "0.75", "b": "0.25"}))], mid="110")
    assert (found["a"].pnl, found["b"].pnl) == decimals("24", "8")
    assert (found["a"].fees, found["b"].fees) == decimals("6", "2")
    assert (found["a"].turnover_frac, found["b"].turnover_frac) == decimals("0.75", "0.25")
    assert found["a"].trades == 0


def test_protective_stop_falls_on_who_holds_the_position() -> None:
    found = results(
        [
            (a_fill("3", "100"), an_intent({"a": "1"})),
            (a_fill("1", "120"), an_intent({"b": "1"})),
            (a_fill("-2", "130"), STOP),
            (a_fill("-2", "90"), STOP),
        ]
    )
    # Each exit takes three quarters from a and one quarter from b.
    assert found["a"].pnl == Decimal("1.5") * (130 + 90) - 300
    assert found["b"].pnl == Decimal("0.5") * (130 + 90) - 120
    assert (found["a"].trades, found["b"].trades) == (1, 1)


def test_flip_closes_for_the_old_owners_and_opens_for_the_new() -> None:
    found = results(
        [(a_fill("1", "100"), an_intent({"a": "1"})), (a_fill("-3", "110"), an_intent({"b": "1"}))], mid="105"
    )
    assert (found["a"].pnl, found["b"].pnl) == decimals("10", "10")
    assert (found["a"].trades, found["b"].trades) == (1, 0)


def test_profit_in_another_quote_currency_counts_at_its_rate() -> None:
    entry = (a_fill("1000", "0.009", symbol=XRP_BTC, fee_currency="BTC"), an_intent({"a": "1"}, XRP_BTC))
    assert results([entry])["a"].pnl == 200


def test_what_nobody_asked_for_is_shown_as_nobodys() -> None:
    assert list(results([(a_fill("1", "90"), an_intent({}))])) == ["a", "b", UNATTRIBUTED]
    assert list(results([(a_fill("1", "90"), an_intent({"a": "1"}))])) == ["a", "b"]


def test_agent_that_is_not_listed_is_a_bug() -> None:
    with pytest.raises(KeyError):
        results([(a_fill("1", "90"), an_intent({"stranger": "1"}))])


def test_open_position_without_a_price_is_not_valued() -> None:
    attribution = Attribution(["a"])
    attribution.apply(a_fill("1", "90"), an_intent({"a": "1"}))
    with pytest.raises(KeyError):
        attribution.report({}, RATES)
