import decimal
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.portfolio_words import INSTRUMENTS, OPENING, an_intent, fills, marks
from tg_actors.domain.money import to_step
from tg_actors.domain.orders import Fill
from tg_actors.portfolio.attribution import REPORT_STEP, Attribution
from tg_actors.portfolio.books import Books

AGENTS = ("trend", "momentum", "breakout")
#: Shares to six places that sum to 1, or none at all.
shares = st.one_of(
    st.just(dict[str, str]()),
    st.lists(st.integers(0, 1_000_000), min_size=2, max_size=2).map(
        lambda cuts: {
            agent: str(Decimal(high - low) / 1_000_000)
            for agent, low, high in zip(AGENTS, (0, *sorted(cuts)), (*sorted(cuts), 1_000_000), strict=True)
        }
    ),
)
histories = st.lists(st.tuples(fills(), shares), max_size=10)


@given(history=histories, mids=marks)
def test_agents_share_the_profit_of_the_books_to_the_last_decimal(
    history: list[tuple[Fill, dict[str, str]]], mids: dict[str, Decimal]
) -> None:
    books, attribution = Books(OPENING, INSTRUMENTS, "USDT"), Attribution(AGENTS)
    for fill, parts in history:
        books.apply(fill)
        attribution.apply(fill, an_intent(parts, fill.symbol))
    value = books.mark(mids)
    gained = value.equity - sum(amount * value.rates[c] for c, amount in OPENING.items())
    report = attribution.report(mids, value.rates)
    assert sum(result.pnl for result in report) == to_step(gained, REPORT_STEP, decimal.ROUND_HALF_EVEN)
    assert sum(result.turnover_frac for result in report) == (1 if history else 0)


@given(history=histories, mids=marks)
def test_one_agent_alone_gets_everything(
    history: list[tuple[Fill, dict[str, str]]], mids: dict[str, Decimal]
) -> None:
    books, attribution = Books(OPENING, INSTRUMENTS, "USDT"), Attribution(["only"])
    trades = 0
    for fill, _ in history:
        trades += books.apply(fill) is not None
        attribution.apply(fill, an_intent({"only": "1"}, fill.symbol))
    (result,) = attribution.report(mids, books.rates(mids))
    fees = sum((p.fees * books.rates(mids)[s.split("/")[1]] for s, p in books.positions.items()), Decimal(0))
    assert result.fees == to_step(fees, REPORT_STEP, decimal.ROUND_HALF_EVEN)
    assert result.trades == trades
