"""Prometheus metrics of the desk: names with units, one registry, one loopback port."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from tg_actors.domain.orders import TradingState

_STATE_LEVEL = {TradingState.ACTIVE: 0, TradingState.REDUCE_ONLY: 1, TradingState.HALTED: 2}


@dataclass(frozen=True, slots=True)
class CycleFigures:
    """What one cycle adds to the metrics; counts are of this cycle only."""

    seconds: float
    equity: float
    trading_state: TradingState
    orders: int
    denials: Mapping[str, int]
    agents_up: Mapping[str, bool]
    bars_rejected: Mapping[str, int] = field(default_factory=dict)


class DeskMetrics:
    """The desk's metrics in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        self._cycle_seconds = Histogram(
            "tg_cycle_seconds",
            "From asking for a snapshot to the last permit",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=self.registry,
        )
        self._cycles = Counter("tg_cycles", "Decided cycles", registry=self.registry)
        self._equity = Gauge("tg_equity", "Marked equity in the reporting currency", registry=self.registry)
        self._state = Gauge("tg_trading_state", "0 ACTIVE, 1 REDUCE_ONLY, 2 HALTED", registry=self.registry)
        self._orders = Counter("tg_orders", "Permitted orders", registry=self.registry)
        self._denials = Counter("tg_denials", "Our refusals by code", ["code"], registry=self.registry)
        self._agents = Gauge("tg_agent_up", "1 while the agent answers", ["agent"], registry=self.registry)
        self._rejected = Counter(
            "tg_bars_rejected", "Bars refused at the border", ["reason"], registry=self.registry
        )

    def observe(self, figures: CycleFigures) -> None:
        """Add one cycle."""
        self._cycle_seconds.observe(figures.seconds)
        self._cycles.inc()
        self._equity.set(figures.equity)
        self._state.set(_STATE_LEVEL[figures.trading_state])
        self._orders.inc(figures.orders)
        for code, count in figures.denials.items():
            self._denials.labels(code).inc(count)
        for agent, is_up in figures.agents_up.items():
            self._agents.labels(agent).set(is_up)
        for reason, count in figures.bars_rejected.items():
            self._rejected.labels(reason).inc(count)

    def serve(self, port: int, address: str = "127.0.0.1") -> None:
        """Answer ``/metrics`` on a background thread.

        Raises:
            OSError: the port is taken.
        """
        start_http_server(port, addr=address, registry=self.registry)
