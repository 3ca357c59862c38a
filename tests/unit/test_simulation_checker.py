"""The judge: a clean story passes, and each way to break it is named."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tg_actors.simulation.checker import judge
from tg_actors.simulation.evidence import Evidence, RawEvent, Rules, VenueRecord, VenueTrade

NS = 10**9
BAR_NS = 60 * NS
ORDER = "aaaaaaaa-0000-0000-0000-000000000001"

Row = tuple[str, str, Mapping[str, Any]]


def _intent(**changed: Any) -> dict[str, Any]:
    spec = {
        "symbol": "BTC/USDT",
        "side": "buy",
        "quantity": "0.01",
        "limit_price": None,
        "reduce_only": False,
    }
    intent = {
        "intent_id": "wish",
        "cycle": 0,
        "leg": "entry",
        "spec": spec,
        "reference_price": "40000",
        "valid_until_ns": 2 * BAR_NS,
    }
    return intent | changed


FILL = {
    "client_order_id": ORDER,
    "symbol": "BTC/USDT",
    "side": "buy",
    "quantity": "0.01",
    "price": "40000",
    "fee": "1",
    "fee_currency": "USDT",
}
LEASE: Row = ("LeaseTaken", "executor", {"owner": "one"})
DECIDED: Row = ("CycleDecided", "", {"judgement": {"approved": [_intent()]}})
PERMITTED: Row = ("OrderPermitted", ORDER, {"intent": _intent(), "permit": {}})
OPENED: Row = ("OrderChanged", ORDER, {"state": "open", "filled_quantity": "0"})
FILLED: Row = ("OrderFilled", ORDER, FILL)
DONE: Row = ("OrderChanged", ORDER, {"state": "filled", "filled_quantity": "0.01"})
LAST: Row = ("CycleDecided", "", {"judgement": {"approved": []}})
STORY: tuple[Row, ...] = (LEASE, DECIDED, PERMITTED, OPENED, FILLED, DONE, LAST)


def _events(rows: tuple[Row, ...]) -> list[RawEvent]:
    events: list[RawEvent] = []
    prev_hash = "0" * 64
    for seq, (kind, ref, payload) in enumerate(rows, 1):
        text = json.dumps(payload)
        parts = (prev_hash, str(seq), "1", "0", str(BAR_NS), str(BAR_NS), "executor", kind, ref, text)
        sealed = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
        now_ns = BAR_NS + seq * NS
        events.append(
            RawEvent(
                seq, 1, "executor", kind, ref, 0, BAR_NS, BAR_NS, text, prev_hash, sealed, now_ns, now_ns, "e"
            )
        )
        prev_hash = sealed
    return events


def _evidence(*rows: Row) -> Evidence:
    cost = Decimal(401)
    return Evidence(
        events=_events(rows or STORY),
        orders=[VenueRecord(ORDER, "V1", BAR_NS + 4 * NS, is_open=False, filled=Decimal("0.01"))],
        trades=[
            VenueTrade(
                "T1", ORDER, "BTC/USDT", 1, Decimal("0.01"), Decimal(40_000), Decimal(1), BAR_NS + 5 * NS
            )
        ],
        posts={ORDER: 1},
        opening={"USDT": Decimal(10_000)},
        balances={"USDT": Decimal(10_000) - cost, "BTC": Decimal("0.01")},
        foreign={},
        rules=Rules(
            order_notional_max=Decimal(1_000),
            gross_exposure_frac_max=Decimal("0.5"),
            price_band_frac=Decimal("0.02"),
            snapshot_age_bars_max=Decimal(2),
            clock_offset_ns_max=NS // 2,
            approval_above=None,
            starts_max=5,
            starts_window_ns=300 * NS,
            bar_ns=BAR_NS,
        ),
        mid=lambda symbol, _: {"BTC/USDT": Decimal(40_000)}.get(symbol),
        snapshots=[(0, BAR_NS)],
        ended_ns=2 * BAR_NS,
        skews_ns=[(0, 0)],
        born_ns={},
    )


def _with(**changed: Any) -> Evidence:
    return replace(_evidence(), **changed)


def _rules(**changed: Any) -> Evidence:
    return _with(rules=replace(_evidence().rules, **changed))


def _told(*rows: Row) -> Evidence:
    return _evidence(*rows)


def _permitting(**changed: Any) -> Evidence:
    intent = _intent(**changed)
    decided: Row = ("CycleDecided", "", {"judgement": {"approved": [intent]}})
    permitted: Row = ("OrderPermitted", ORDER, {"intent": intent, "permit": {}})
    return _evidence(LEASE, decided, permitted, OPENED, FILLED, DONE, LAST)


def _rewritten() -> Evidence:
    evidence = _evidence()
    evidence.events[3] = replace(evidence.events[3], payload='{"state": "open", "filled_quantity": "1"}')
    return evidence


def _fenced() -> Evidence:
    evidence = _evidence()
    evidence.events[0] = replace(evidence.events[0], epoch=2)
    return evidence


HALTED: Row = ("TradingStateChanged", "", {"state": "HALTED", "reason": "by hand", "actor": "operator"})
CRIED: Row = ("TradingStateChanged", "", {"state": "HALTED", "reason": "wolf", "actor": "executor"})
UNKNOWN: Row = ("OrderChanged", ORDER, {"state": "unknown", "filled_quantity": "0"})
ABSENT: Row = ("OrderChanged", ORDER, {"state": "not_found", "filled_quantity": "0"})
OTHER = "bbbbbbbb-0000-0000-0000-000000000002"
STOP_WISH = _intent(intent_id="stop", leg="stop")
STOP: Row = ("OrderPermitted", OTHER, {"intent": STOP_WISH, "permit": {}})

#: What is told, and the kind of violation that must be seen in it.
BROKEN: dict[str, tuple[Callable[[], Evidence], str]] = {
    "an event was rewritten": (_rewritten, "chain"),
    "two posts": (lambda: _with(posts={ORDER: 2}), "duplicate"),
    "two orders": (lambda: _with(orders=_evidence().orders * 2), "duplicate"),
    "a wish is permitted twice": (lambda: _told(LEASE, DECIDED, PERMITTED, PERMITTED, OPENED), "duplicate"),
    "no permit": (lambda: _told(LEASE, DECIDED, FILLED, LAST), "no_permit"),
    "permit after the order": (
        lambda: _with(orders=[replace(_evidence().orders[0], at_ns=BAR_NS)]),
        "no_permit",
    ),
    "nobody decided": (lambda: _told(LEASE, PERMITTED, OPENED, FILLED, DONE, LAST), "no_decision"),
    "a fill is missing": (lambda: _told(LEASE, DECIDED, PERMITTED, OPENED, DONE, LAST), "lost_fill"),
    "a fill is there twice": (lambda: _told(*STORY[:5], FILLED, *STORY[5:]), "phantom_fill"),
    "money is missing": (lambda: _with(balances={"USDT": Decimal(9_599)}), "drift"),
    "permit while halted": (lambda: _told(LEASE, DECIDED, HALTED, *STORY[2:]), "permit_after_halt"),
    "permit beside a halt file": (lambda: _with(halt_files=[(BAR_NS, None)]), "permit_after_halt"),
    "an old epoch writes": (_fenced, "fenced_writer"),
    "above the order limit": (lambda: _rules(order_notional_max=Decimal(399)), "order_limit"),
    "above the exposure limit": (lambda: _rules(gross_exposure_frac_max=Decimal("0.03")), "exposure_limit"),
    "outside the band": (lambda: _permitting(reference_price="41000"), "price_band"),
    "lapsed": (lambda: _permitting(valid_until_ns=BAR_NS), "lapsed_intent"),
    "old prices": (lambda: _with(snapshots=[(0, -2 * BAR_NS)]), "stale_prices"),
    "wrong clock": (lambda: _with(skews_ns=[(0, NS)], born_ns={"e": 1}), "wrong_clock"),
    "nobody approved": (lambda: _rules(approval_above=Decimal(100)), "unapproved"),
    "unknown ignored": (
        lambda: _told(LEASE, DECIDED, PERMITTED, UNKNOWN, STOP, OPENED, FILLED, DONE, LAST),
        "unknown_ignored",
    ),
    "back to open": (lambda: _told(*STORY[:6], OPENED, LAST), "state_machine"),
    "still unknown": (lambda: _told(LEASE, DECIDED, PERMITTED, UNKNOWN, LAST), "unresolved"),
    "called absent": (lambda: _told(LEASE, DECIDED, PERMITTED, UNKNOWN, ABSENT, LAST), "ghost"),
    "still open here": (lambda: _told(LEASE, DECIDED, PERMITTED, OPENED, FILLED, LAST), "unresolved"),
    "nothing is decided": (lambda: _with(ended_ns=9 * BAR_NS), "stands_still"),
    "a bug": (lambda: _with(crashes=["executor-1: KeyError"]), "crash"),
    "a false alarm": (lambda: _told(*STORY, CRIED), "false_halt"),
    "nobody noticed": (lambda: _with(causes=[(BAR_NS, "withdrawal")]), "unnoticed"),
    "too many starts": (lambda: _told(*(LEASE,) * 7, *STORY[1:]), "unnoticed"),
}


def test_a_clean_story_passes() -> None:
    assert judge(_evidence()).violations == []
    assert judge(_evidence()).drift == 0


@pytest.mark.parametrize("name", BROKEN)
def test_the_judge_sees_that(name: str) -> None:
    tell, kind = BROKEN[name]
    assert kind in {violation.kind for violation in judge(tell()).violations}


def test_an_alarm_after_a_cause_is_no_false_one() -> None:
    evidence = replace(_told(*STORY, CRIED), causes=[(BAR_NS, "withdrawal")])
    assert judge(evidence).violations == []
