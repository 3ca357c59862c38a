from decimal import Decimal

from tests.portfolio_words import decimals
from tests.risk_words import DAY_NS, Scene, an_account
from tg_actors.domain.decisions import DenialCode, RiskState, TradingHalted
from tg_actors.domain.orders import TradingState
from tg_actors.risk.breakers import on_mark, rearm
from tg_actors.risk.limits import RiskLimits

LIMITS = RiskLimits(drawdown_frac_max=Decimal("0.15"), daily_loss_frac_max=Decimal("0.05"))


def walk(
    *equities: str, step_ns: int, state: RiskState | None = None
) -> tuple[RiskState, list[TradingHalted | None]]:
    state, halts = state or RiskState(), []
    for i, equity in enumerate(decimals(*equities)):
        state, halt = on_mark(state, LIMITS, equity, i * step_ns)
        halts.append(halt)
    return state, halts


def test_drawdown_halts_once_at_its_limit_and_stays() -> None:
    state, halts = walk("100", "120", "102.01", "102", "90", "200", step_ns=DAY_NS)
    assert [halt is not None for halt in halts] == [False, False, False, True, False, False]
    assert state.drawdown_tripped
    halt = halts[3]
    assert halt is not None
    assert (halt.code, halt.state, halt.at_ns) == (DenialCode.DRAWDOWN_LIMIT, TradingState.HALTED, 3 * DAY_NS)


def test_drawdown_only_reduces_where_positions_are_to_be_flattened() -> None:
    limits = LIMITS.model_copy(update={"drawdown_action": "flatten"})
    state, _ = on_mark(RiskState(), limits, Decimal(100), 0)
    state, halt = on_mark(state, limits, Decimal(80), DAY_NS)
    assert halt is not None
    assert (halt.code, halt.state) == (DenialCode.DRAWDOWN_LIMIT, TradingState.REDUCE_ONLY)
    assert state.drawdown_tripped


def test_daily_loss_reduces_once_and_is_over_with_the_next_day() -> None:
    # A fall below the day's opening counts, a fall from the day's high does not.
    state, halts = walk("100", "104", "95.01", "95", "94", step_ns=1)
    assert [halt is not None for halt in halts] == [False, False, False, True, False]
    halt = halts[3]
    assert halt is not None
    assert (halt.code, halt.state) == (DenialCode.DAILY_LOSS_LIMIT, TradingState.REDUCE_ONLY)
    state, none = on_mark(state, LIMITS, Decimal(93), DAY_NS)
    assert none is None
    assert (state.daily_loss_tripped, state.day, state.day_equity_open) == (False, 1, Decimal(93))


def test_one_mark_that_trips_both_is_a_halt() -> None:
    state, halts = walk("100", "80", step_ns=1)
    assert [halt.code for halt in halts if halt] == [DenialCode.DRAWDOWN_LIMIT]
    assert (state.drawdown_tripped, state.daily_loss_tripped) == (True, True)


def test_person_rearms_from_todays_equity_and_nothing_else_is_forgotten() -> None:
    before = RiskState(
        equity_peak=Decimal(100),
        day=4,
        day_equity_open=Decimal(90),
        trades_today=3,
        cooldowns={"BTC/USDT": 9},
        drawdown_tripped=True,
        daily_loss_tripped=True,
    )
    after = rearm(before, Decimal(80))
    assert after == before.model_copy(
        update={
            "equity_peak": Decimal(80),
            "day_equity_open": Decimal(80),
            "drawdown_tripped": False,
            "daily_loss_tripped": False,
        }
    )
    assert on_mark(after, LIMITS, Decimal(80), 4 * DAY_NS) == (after, None)


def test_account_that_never_held_anything_trips_nothing() -> None:
    _, halts = walk("0", "0", step_ns=1)
    assert halts == [None, None]


def test_judgement_carries_the_halt_once() -> None:
    scene = Scene(state=RiskState(equity_peak=Decimal(200_000)), account=an_account())
    core = scene.core()
    first = core.judge(scene.request())
    assert first.halt is not None
    assert first.state.drawdown_tripped
    later = Scene(cycle=8).request()
    assert core.judge(later).halt is None
