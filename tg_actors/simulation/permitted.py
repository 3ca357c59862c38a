"""What every permit is judged by: the desk as it stood when the permit was written.

I5 limits, I6 the kill switch, I9 unknown fates, I10 and F14 prices and clocks, F33 a person's word.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO
from tg_actors.simulation.evidence import Evidence, Followed, RawEvent, Replay, follow
from tg_actors.simulation.verdict import Violation

PermitCheck = Callable[[RawEvent, Mapping[str, Any], Replay, Evidence], Violation | None]

#: A clock that was set wrong is known to be wrong after so long, whatever questions were lost.
_MEASURED_NS = 240 * 10**9


def _not_halted(
    event: RawEvent, content: Mapping[str, Any], replay: Replay, evidence: Evidence
) -> Violation | None:
    reduces = content["intent"]["spec"]["reduce_only"]
    by_file = any(since <= event.begun_ns and event.written_ns < until for since, until in _files(evidence))
    if not by_file and (replay.state == "ACTIVE" or (replay.state == "REDUCE_ONLY" and reduces)):
        return None
    state = "HALTED by a file" if by_file else replay.state
    return Violation("I6", "permit_after_halt", f"event {event.seq} permits while trading is {state}")


def _files(evidence: Evidence) -> list[tuple[int, int]]:
    """From when to when a halt file lay beside the journal."""
    return [(since, evidence.ended_ns if until is None else until) for since, until in evidence.halt_files]


def _fate_known(event: RawEvent, content: Mapping[str, Any], replay: Replay, _: Evidence) -> Violation | None:
    symbol = content["intent"]["spec"]["symbol"]
    lost = [o for o in replay.orders.values() if o.symbol == symbol and o.state == "unknown"]
    if not lost:
        return None
    told = f"event {event.seq} permits in {symbol} while order {lost[0].client_order_id[:8]} is unknown"
    return Violation("I9", "unknown_ignored", told)


def _in_time(event: RawEvent, content: Mapping[str, Any], _: Replay, evidence: Evidence) -> Violation | None:
    late_ns = evidence.desk_ns(event) - content["intent"]["valid_until_ns"]
    if late_ns <= 0:
        return None
    told = f"event {event.seq} permits an intent that lapsed {late_ns / 1e9:.1f} s before"
    return Violation("I10", "lapsed_intent", told)


def _in_band(event: RawEvent, content: Mapping[str, Any], _: Replay, evidence: Evidence) -> Violation | None:
    intent = content["intent"]
    symbol, reference = intent["spec"]["symbol"], Decimal(intent["reference_price"])
    mids = [mid for cycle in evidence.looked_at(event) if (mid := evidence.mid(symbol, cycle)) is not None]
    if not mids:
        return Violation("I10", "no_price", f"event {event.seq} permits without a price")
    drift = min(abs(mid / reference - 1) for mid in mids)
    if drift <= evidence.rules.price_band_frac:
        return None
    told = f"event {event.seq} permits at a price {drift:.4f} away from its decision"
    return Violation("I10", "price_band", told)


def _fresh(event: RawEvent, _: Mapping[str, Any], __: Replay, evidence: Evidence) -> Violation | None:
    seen_ns = max((at_ns for _, at_ns in evidence.snapshots if at_ns <= event.begun_ns), default=0)
    age_bars = Decimal(evidence.desk_ns(event) - seen_ns) / evidence.rules.bar_ns
    if age_bars <= evidence.rules.snapshot_age_bars_max:
        return None
    return Violation("I10", "stale_prices", f"event {event.seq} permits on prices {age_bars:.1f} bars old")


def _clock_right(event: RawEvent, _: Mapping[str, Any], __: Replay, evidence: Evidence) -> Violation | None:
    """A process measures at its start and every minute; some of its questions are lost."""
    limit_ns = evidence.rules.clock_offset_ns_max
    since_ns: int | None = None
    for when_ns, skew_ns in evidence.skews_ns:
        if when_ns <= event.begun_ns:
            is_wrong = abs(skew_ns) > limit_ns
            since_ns = (since_ns or when_ns) if is_wrong else None
    if since_ns is None:
        return None
    was_known = evidence.born_ns.get(event.writer, 0) > since_ns or event.begun_ns - since_ns > _MEASURED_NS
    told = (
        f"event {event.seq} permits although the clock is wrong for {(event.begun_ns - since_ns) / 1e9:.1f} s"
    )
    return Violation("F14", "wrong_clock", told) if was_known else None


def _approved(
    event: RawEvent, content: Mapping[str, Any], replay: Replay, evidence: Evidence
) -> Violation | None:
    """An order that a person had to see left with a word that was given in time, for this very order."""
    intent, above = content["intent"], evidence.rules.approval_above
    wanted = follow(event.ref, intent)
    mids = [evidence.mid(wanted.symbol, cycle) or ZERO for cycle in evidence.looked_at(event)]
    notional = wanted.quantity * max(min(mids, default=ZERO), wanted.limit_price)
    word = replay.words.get(intent["intent_id"])
    if above is None or wanted.reduce_only or (word is None and above > 0 and notional <= above):
        return None
    if word is None or word.state != "granted":
        state = "nobody was asked" if word is None else word.state
        return Violation("F33", "unapproved", f"event {event.seq} permits without a person's word: {state}")
    if word.intent != intent:
        return Violation("F33", "other_order", f"event {event.seq} permits another order than was approved")
    if event.wall_ns > word.expires_ns:
        return Violation("F33", "late_word", f"event {event.seq} permits on a word that had lapsed")
    return None


def _within_limits(
    event: RawEvent, content: Mapping[str, Any], replay: Replay, evidence: Evidence
) -> Violation | None:
    """The limits hold at the prices of one of the snapshots that the executor may have looked at."""
    wanted = follow(event.ref, content["intent"])
    if wanted.reduce_only:
        return None
    cycles = evidence.looked_at(event) or [event.cycle]
    found = [_exceeded(event, wanted, replay, evidence, _mids(evidence, cycle)) for cycle in cycles]
    return None if None in found else found[-1]


def _exceeded(
    event: RawEvent, wanted: Followed, replay: Replay, evidence: Evidence, mids: Mapping[str, Decimal]
) -> Violation | None:
    rules = evidence.rules
    notional = wanted.quantity * max(mids.get(wanted.symbol, ZERO), wanted.limit_price)
    if notional > rules.order_notional_max:
        told = f"event {event.seq} permits {notional:.2f}, above the limit of an order"
        return Violation("I5", "order_limit", told)
    held = sum((abs(q) * mids.get(s, ZERO) for s, q in replay.positions.items()), ZERO)
    live = sum(
        (
            (order.quantity - order.filled) * max(mids.get(order.symbol, ZERO), order.limit_price)
            for order in replay.orders.values()
            if order.is_live and not order.reduce_only
        ),
        ZERO,
    )
    cap = _equity(replay, evidence, mids) * rules.gross_exposure_frac_max
    if held + live + notional <= cap:
        return None
    told = f"event {event.seq} permits a worst case of {held + live + notional:.2f}, above {cap:.2f}"
    return Violation("I5", "exposure_limit", told)


def _equity(replay: Replay, evidence: Evidence, mids: Mapping[str, Decimal]) -> Decimal:
    """What the account is worth in USDT, from opening cash and fills alone."""
    held = dict(evidence.opening)
    for currency, amount in replay.cash.items():
        held[currency] = held.get(currency, ZERO) + amount
    return sum((amount * mids.get(f"{c}/USDT", Decimal(1)) for c, amount in held.items()), ZERO)


PERMIT_CHECKS: tuple[PermitCheck, ...] = (
    _not_halted,
    _fate_known,
    _in_time,
    _in_band,
    _fresh,
    _clock_right,
    _approved,
    _within_limits,
)


def _mids(evidence: Evidence, cycle: int) -> dict[str, Decimal]:
    bases = ("BTC/USDT", "ETH/USDT", "XRP/USDT")
    return {symbol: mid for symbol in bases if (mid := evidence.mid(symbol, cycle)) is not None}
