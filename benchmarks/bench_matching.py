"""Orders a second through the marketplace, beside a bare heap that does no more than match prices.

Both get the same stream: limits around a moving price, cancels, market orders, a new book every few
orders. The bare limit keeps floats in two heaps and dicts and knows no money, fees, events or accounts.
"""

import argparse
import functools
import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from benchmarks.ground import machine, show, spread
from tg_actors.domain.instruments import Instrument, Side
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.config import ExchangeConfig, FeeRates, SlippageModel
from tg_actors.exchange.marketplace import Accepted, Marketplace, NewOrder

_SYMBOL = "BTC/USDT"
_TICK = Decimal("0.01")
_BTC = Instrument(
    symbol=_SYMBOL, tick=_TICK, lot=Decimal("0.001"), quantity_min=Decimal("0.001"), notional_min=Decimal(0)
)
_CONFIG = ExchangeConfig(
    fees=FeeRates(maker_frac=Decimal("0.0016"), taker_frac=Decimal("0.0026")),
    slippage=SlippageModel(base_bps=Decimal(0), impact_bps=Decimal(0)),
    volume_frac_max=Decimal(1),
)
_ACCOUNTS = 8
_LEVELS = 10
#: One new book for this many orders, and of these: limits that rest, their cancels, takers.
_PER_BOOK = 10
_MIX = (0.45, 0.35, 0.20)


@dataclass(frozen=True, slots=True)
class Act:
    """One request: ``kind`` 0 rests a limit ``away`` ticks from the mid, 1 cancels the oldest, 2 takes."""

    kind: int
    account: int
    side: Side
    away: int


def main() -> None:
    """Run both on the same streams, in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    before = machine()
    ours, bare, fills = [], [], 0
    for seed in range(1, args.rounds + 1):
        acts, mids = stream(seed, args.orders)
        seconds, filled = timed(functools.partial(through_marketplace, acts, mids))
        ours.append(len(acts) / seconds)
        fills += filled
        seconds, _ = timed(functools.partial(through_heaps, acts, mids))
        bare.append(len(acts) / seconds)
    figures = {
        "orders_per_round": args.orders,
        "rounds": args.rounds,
        "accounts": _ACCOUNTS,
        "book_levels": _LEVELS,
        "fills": fills,
        "orders_per_cpu_s": spread(ours),
        "bare_heap_orders_per_cpu_s": spread(bare),
        "cpu_marketplace_over_bare_heap": spread([b / o for o, b in zip(ours, bare, strict=True)]),
    }
    show("matching", before, figures)


def stream(seed: int, n: int) -> tuple[list[Act], list[int]]:
    """Requests, and the mid price in ticks of every book."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(3, n, p=_MIX)
    sides = [Side.BUY if up else Side.SELL for up in rng.random(n) < 0.5]
    accounts, away = rng.integers(0, _ACCOUNTS, n), rng.integers(-2, 40, n)
    acts = [
        Act(int(kind), int(account), side, int(far))
        for kind, account, side, far in zip(kinds, accounts, sides, away, strict=True)
    ]
    mids = 1_000_000 + np.cumsum(rng.integers(-15, 16, n // _PER_BOOK + 1))
    return acts, [int(mid) for mid in mids]


def timed(work: Callable[[], int]) -> tuple[float, int]:
    """CPU seconds of a piece of work, and its answer."""
    began = time.process_time()
    answer = work()
    return time.process_time() - began, answer


def through_marketplace(acts: list[Act], mids: list[int]) -> int:
    """The real thing; returns the number of fills."""
    market = Marketplace([_BTC], _CONFIG)
    names = [f"account{row}" for row in range(_ACCOUNTS)]
    for name in names:
        market.open_account(name, {"USDT": Decimal(10**12), "BTC": Decimal(10**6)})
    resting: list[list[int]] = [[] for _ in names]
    size, fills = Decimal("0.1"), 0
    for row, act in enumerate(acts):
        mid = mids[row // _PER_BOOK]
        if row % _PER_BOOK == 0:
            asks = [((mid + 1 + level) * _TICK, Decimal(1)) for level in range(_LEVELS)]
            bids = [((mid - 1 - level) * _TICK, Decimal(1)) for level in range(_LEVELS)]
            market.show_book(_SYMBOL, bids, asks, row)
        name, standing = names[act.account], resting[act.account]
        if act.kind == 1:
            if standing:
                market.cancel(name, standing.pop(0), row)
            continue
        kind, price = OrderType.MARKET, None
        if act.kind == 0:
            kind, price = OrderType.LIMIT, (mid - act.side.sign * act.away) * _TICK
        spec = OrderSpec(symbol=_SYMBOL, side=act.side, order_type=kind, quantity=size, limit_price=price)
        answer = market.submit(name, NewOrder(f"o{row}", spec), row)
        if act.kind == 0 and isinstance(answer, Accepted):
            standing.append(answer.number)
        fills += sum(type(event).__name__ == "OrderFilled" for _, event in market.drain())
    return fills


def through_heaps(acts: list[Act], mids: list[int]) -> int:
    """The least that can be called matching: best price first, then the earliest."""
    lines: dict[Side, list[tuple[int, int]]] = {Side.BUY: [], Side.SELL: []}
    alive: dict[int, Side] = {}
    resting: list[list[int]] = [[] for _ in range(_ACCOUNTS)]
    fills = 0
    for row, act in enumerate(acts):
        mid = mids[row // _PER_BOOK]
        if row % _PER_BOOK == 0:
            for side, line in lines.items():
                while line and (line[0][1] not in alive or line[0][0] + side.sign * mid < 0):
                    fills += alive.pop(heapq.heappop(line)[1], None) is not None
        standing = resting[act.account]
        if act.kind == 1:
            if standing:
                alive.pop(standing.pop(0), None)
        elif act.kind == 0 and act.away > 0:
            heapq.heappush(lines[act.side], (-act.side.sign * (mid - act.side.sign * act.away), row))
            alive[row] = act.side
            standing.append(row)
        else:
            fills += 1
    return fills


if __name__ == "__main__":
    main()
