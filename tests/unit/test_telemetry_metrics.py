from prometheus_client import generate_latest

from tg_actors.domain.orders import TradingState
from tg_actors.telemetry.metrics import CycleFigures, DeskMetrics


def _figures(state: TradingState = TradingState.ACTIVE) -> CycleFigures:
    return CycleFigures(
        seconds=0.03,
        equity=10_000.5,
        trading_state=state,
        orders=2,
        denials={"COOLDOWN": 1},
        agents_up={"TechnicalActor:trend": True, "TechnicalActor:momentum": False},
    )


def _values(metrics: DeskMetrics) -> dict[str, float]:
    lines = generate_latest(metrics.registry).decode().splitlines()
    rows = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def test_counts_add_up_and_gauges_show_the_newest() -> None:
    metrics = DeskMetrics()
    for state in TradingState:
        metrics.observe(_figures(state))
    values = _values(metrics)
    assert values["tg_cycles_total"] == 3
    assert values["tg_orders_total"] == 6
    assert values['tg_denials_total{code="COOLDOWN"}'] == 3
    assert values["tg_equity"] == 10_000.5
    assert values["tg_trading_state"] == 2, "HALTED came last"
    assert values['tg_agent_up{agent="TechnicalActor:trend"}'] == 1
    assert values['tg_agent_up{agent="TechnicalActor:momentum"}'] == 0
    assert values['tg_cycle_seconds_bucket{le="0.02"}'] == 0
    assert values['tg_cycle_seconds_bucket{le="0.05"}'] == 3


def test_two_desks_in_one_process_do_not_share_their_figures() -> None:
    first, second = DeskMetrics(), DeskMetrics()
    first.observe(_figures())
    assert _values(second)["tg_cycles_total"] == 0
