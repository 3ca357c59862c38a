"""The guards of order handling, and how each is switched off: by patching the product in this process.

There is no switch in the product. A guard that can be removed without the checker noticing is either not
needed or not tested; ``tg simulate --ablation`` removes them one by one.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from tg_actors.domain.errors import UserError
from tg_actors.domain.ids import sha256_text
from tg_actors.domain.orders import Fill, Intent, Permit
from tg_actors.execution import approvals, executor, permits, sender, start
from tg_actors.execution.approvals import ApprovalPolicy
from tg_actors.execution.exits import Exits
from tg_actors.execution.follower import Follower
from tg_actors.execution.machine import OrderEvent
from tg_actors.execution.reconciliation import Reconciler
from tg_actors.execution.sender import Sender
from tg_actors.journal.transaction import Transaction
from tg_actors.journal.verify import VerifyReport
from tg_actors.simulation.patches import patched

Off = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Guard:
    """One protection of the product: what it promises, and what removes it."""

    name: str
    meaning: str
    off: Off


def _replaced(owner: object, name: str, replacement: Any) -> Off:
    return lambda: patched(owner, name, replacement)


def _without_rules(*names: str) -> Off:
    """Leave rules out of the permit's table."""
    left = tuple(rule for rule in permits.RULES if rule.__name__ not in names)
    return lambda: patched(permits, "RULES", left)


@contextmanager
def _post_before_commit() -> Iterator[None]:
    permit_then, post = Sender._permit, Sender._post
    answers: dict[str, Any] = {}

    def permit(self: Sender, batch: Any, intent: Intent, context: Any) -> int:
        seq = permit_then(self, batch, intent, context)
        made: Permit = batch.permits[-1][0]
        answers[made.client_order_id] = post(self, made, intent)
        return seq

    def answered(_: Sender, permit: Permit, __: Intent) -> Any:
        return answers.pop(permit.client_order_id)

    with patched(Sender, "_permit", permit), patched(Sender, "_post", answered):
        yield


@contextmanager
def _post_again() -> Iterator[None]:
    """What most clients do: an answer that did not come is asked for by sending the order once more."""
    post = Sender._post

    def twice(self: Sender, permit: Permit, intent: Intent) -> Any:
        answer = post(self, permit, intent)
        return post(self, permit, intent) if answer[0] is OrderEvent.LOSE else answer

    with patched(Sender, "_post", twice):
        yield


@contextmanager
def _ids_at_random() -> Iterator[None]:
    """A repeated decision gets a new name, and with it a second order."""
    permit, count = Sender._permit, itertools.count()

    def renamed(self: Sender, batch: Any, intent: Intent, context: Any) -> int:
        if batch.tx.permit_exists(intent.intent_id):
            name = sha256_text(intent.intent_id, str(next(count)))
            intent = intent.model_copy(update={"intent_id": name})
        return permit(self, batch, intent, context)

    def asked(_: Sender, tx: Transaction, intent: Intent) -> bool:
        return tx.approval(intent.intent_id) is not None

    with patched(Sender, "_permit", renamed), patched(Sender, "_was_answered", asked):
        yield


@contextmanager
def _fills_repeat() -> Iterator[None]:
    insert, count = Transaction.insert_fill, itertools.count()

    def every(self: Transaction, fill: Fill, cycle: int) -> bool:
        if insert(self, fill, cycle):
            return True
        return insert(self, fill.model_copy(update={"trade_id": f"{fill.trade_id}#{next(count)}"}), cycle)

    with patched(Transaction, "insert_fill", every):
        yield


@contextmanager
def _late_fills_dropped() -> Iterator[None]:
    apply = Follower._fill

    def in_time(self: Follower, tx: Transaction, fill: Fill) -> Any:
        order = self._wire.state.orders.get(fill.client_order_id)
        return () if order is not None and not order.is_live else apply(self, tx, fill)

    with patched(Follower, "_fill", in_time):
        yield


@contextmanager
def _words_never_lapse() -> Iterator[None]:
    with ExitStack() as stack:
        for module in (approvals, sender, executor):
            stack.enter_context(patched(module, "has_lapsed", lambda *_: False))
        yield


_UNTOUCHED = VerifyReport(0, "", None, ())

GUARDS: dict[str, Guard] = {
    guard.name: guard
    for guard in (
        Guard(
            "fence",
            "a writer whose lease was taken over commits nothing more",
            _replaced(Transaction, "require_lease", lambda _: None),
        ),
        Guard(
            "journal_before_post",
            "the permit is committed before anything is sent",
            _post_before_commit,
        ),
        Guard("at_most_one_post", "an order whose answer was lost is never sent again", _post_again),
        Guard(
            "intent_dedupe",
            "one decision has one permit, however often it is asked for",
            _ids_at_random,
        ),
        Guard(
            "lookup",
            "an order of unknown fate is looked up at the venue",
            _replaced(Follower, "_look_up", lambda self, order, at_ns: self._not_there(order, at_ns)),
        ),
        Guard(
            "expiry_wait",
            "nothing is called not found before its deadline at the venue is past",
            _replaced(Follower, "_horizon_ns", lambda *_: 0),
        ),
        Guard(
            "reconciliation",
            "executions that no news told of are pulled from the venue's books",
            _replaced(Follower, "pull_trades", lambda *_: ()),
        ),
        Guard("fill_dedupe", "a fill that is told twice is booked once", _fills_repeat),
        Guard(
            "late_fill_applied",
            "a fill after the end of its order is booked all the same",
            _late_fills_dropped,
        ),
        Guard("halt_check", "no permit commits against the kill switch", _without_rules("_trading_state")),
        Guard(
            "hard_limits",
            "no permit exceeds the limits in the worst case of everything open",
            _without_rules("_notional", "_gross"),
        ),
        Guard(
            "price_band",
            "no permit once the market has left the decision's price",
            _without_rules("_in_band"),
        ),
        Guard("intent_expiry", "no permit for a wish that has lapsed", _without_rules("_still_valid")),
        Guard(
            "unknown_blocks_instrument",
            "an order of unknown fate blocks its instrument",
            _without_rules("_fate_known"),
        ),
        Guard("stale_prices", "no permit on prices that are too old", _without_rules("_prices_young")),
        Guard(
            "clock_offset",
            "no permit while our clock and the venue's disagree",
            _without_rules("_clocks_agree"),
        ),
        Guard(
            "stop_before_exit",
            "where a venue ties nothing, an exit waits until its stop is proven gone",
            _replaced(Exits, "_free", lambda *_: (None, ())),
        ),
        Guard(
            "balance_check",
            "money that moves without an order of ours halts the desk",
            _replaced(Reconciler, "_halt_on", lambda *_: ()),
        ),
        Guard(
            "foreign_orders",
            "an order at the venue that is not ours halts the desk",
            _replaced(Reconciler, "_foreign", lambda *_: ()),
        ),
        Guard(
            "approval_check",
            "an order above the limit waits for a person's word",
            _replaced(ApprovalPolicy, "asks", lambda *_: False),
        ),
        Guard("approval_expiry", "a person's word holds for a while and no longer", _words_never_lapse),
        Guard(
            "halt_file",
            "the kill switch is also a file beside the journal",
            _replaced(Transaction, "_file_that_halts", lambda _: None),
        ),
        Guard(
            "hash_chain",
            "a journal that was changed after it was written starts the desk halted",
            _replaced(start, "verify_newest", lambda *_: _UNTOUCHED),
        ),
        Guard(
            "restart_intensity",
            "an executor that starts again and again starts halted",
            _replaced(start, "_restarts", lambda *_: ()),
        ),
    )
}


def require(name: str) -> None:
    """Refuse a name that is no guard's.

    Raises:
        UserError: there is no such guard.
    """
    if name not in GUARDS:
        raise UserError(f"there is no guard {name!r}: choose one of {', '.join(GUARDS)}")


def without(name: str) -> AbstractContextManager[None]:
    """Switch one guard off while the block runs.

    Raises:
        UserError: there is no such guard.
    """
    require(name)
    return GUARDS[name].off()
