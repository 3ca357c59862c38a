"""One transaction: reads under the write lock, then everything or nothing."""

from collections.abc import Callable, Mapping

from tg_actors.domain.approvals import MOVES, Approval, ApprovalState
from tg_actors.domain.decisions import Decision
from tg_actors.domain.errors import Fenced, UserError
from tg_actors.domain.message import Message
from tg_actors.domain.orders import Fill, Intent, Order, OrderState, Permit, TradingState
from tg_actors.journal import tables
from tg_actors.journal.chain import Head, canonical, link
from tg_actors.journal.changes import Approved, Changes, Key, Row, Unique
from tg_actors.journal.facts import Facts
from tg_actors.journal.halt_file import HaltFile
from tg_actors.journal.records import APPROVAL_EVENTS, CancelRequested, Control, EventType, OrderPermitted

#: Key of the row in ``meta`` that names the run.
IDENTITY = "identity"

Payload = Message | Mapping[str, object]


class Transaction:
    """Collects events and projections; the journal writes them when the block ends well.

    Every event is sealed into the hash chain at once, so that ``head`` is right inside the block.

    Raises:
        Fenced: on construction, when a newer epoch than ``epoch`` holds the lease of ``role``.
    """

    def __init__(
        self,
        facts: Facts,
        role: str,
        epoch: int,
        clock_ns: Callable[[], int],
        halt_file: HaltFile | None = None,
    ) -> None:
        self.changes = Changes()
        self.epochs: dict[str, int] = {}
        self._facts = facts
        self._role = role
        self._epoch = epoch
        self._clock_ns = clock_ns
        self._halt_file = halt_file
        self._head: Head | None = None
        self._control: Control | None = None

    def require_lease(self) -> None:
        """Stop a writer that has been replaced.

        Raises:
            Fenced: another epoch than ours holds the lease.
        """
        newest = self._facts.epoch(self._role)
        if newest != self._epoch:
            sentence = f"{self._role} of epoch {self._epoch} is fenced: epoch {newest} holds the lease"
            raise Fenced(sentence, retryable=False)

    @property
    def head(self) -> Head:
        """The newest event, those of this transaction included."""
        if self._head is None:
            self._head = self._facts.head()
        return self._head

    @property
    def control(self) -> Control:
        """The kill switch as it is while we hold the write lock; a halt file throws it here and now."""
        if self._control is None:
            self._control = self._facts.control()
            if self._control.state is not TradingState.HALTED and (file := self._file_that_halts()):
                self.set_trading_state(TradingState.HALTED, file.reason, "file", 0)
        return self._control

    def trading_state(self) -> TradingState:
        """Return what may leave the desk; it cannot change before this transaction commits."""
        return self.control.state

    def permit_exists(self, intent_id: str) -> bool:
        """Whether the intent has had its one permit."""
        return self._exists(Unique.INTENT, (intent_id,))

    def append(
        self, event_type: str, payload: Payload, ref: str = "", cycle: int = -1, at_ns: int = 0
    ) -> int:
        """Add an event to the chain and return its number.

        Raises:
            ValueError: a float in the payload is NaN or infinite.
        """
        prev_hash = self.head.hash
        row: Row = {
            "seq": (seq := self.head.seq + 1),
            "epoch": self._epoch,
            "role": self._role,
            "type": str(event_type),
            "ref": ref,
            "cycle": cycle,
            "at_ns": at_ns,
            "wall_ns": self._clock_ns(),
            "payload": canonical(payload),
        }
        sealed = link(prev_hash, **row)  # type: ignore[arg-type]  # the row's types are known above
        self.changes.insert(tables.events, row | {"prev_hash": prev_hash, "hash": sealed})
        self._head = Head(seq, sealed)
        return seq

    def record_decision(self, decision: Decision, block: bytes) -> bool:
        """Write a cycle's decision and its binary block; False when the cycle is decided already."""
        if self._exists(Unique.CYCLE, (decision.cycle,)):
            return False
        seq = self.append(
            EventType.CYCLE_DECIDED, decision, decision.cycle_id, decision.cycle, decision.at_ns
        )
        self.changes.learn(Unique.CYCLE, (decision.cycle,))
        self.changes.insert(
            tables.cycles,
            {
                "cycle": decision.cycle,
                "cycle_id": decision.cycle_id,
                "seq": seq,
                "at_ns": decision.at_ns,
                "equity": decision.equity,
                "block": block,
            },
        )
        return True

    def insert_permit(self, permit: Permit, intent: Intent) -> int:
        """Write the one licence to send an intent, and its order in state PERMITTED; return its number.

        Raises:
            ValueError: the intent or the client order id has a permit; ask ``permit_exists`` first.
        """
        intent_key, order_key = (permit.intent_id,), (permit.client_order_id,)
        if permit.intent_id != intent.intent_id:
            raise ValueError(f"the permit of {permit.intent_id} does not belong to {intent.intent_id}")
        if self._exists(Unique.INTENT, intent_key) or self._exists(Unique.CLIENT_ORDER, order_key):
            raise ValueError(f"intent {permit.intent_id} or order {permit.client_order_id} has a permit")
        at_ns = permit.permitted_at_ns
        payload = OrderPermitted(permit=permit, intent=intent)
        seq = self.append(EventType.ORDER_PERMITTED, payload, permit.client_order_id, intent.cycle, at_ns)
        self.changes.learn(Unique.INTENT, intent_key)
        self.changes.learn(Unique.CLIENT_ORDER, order_key)
        self.changes.insert(
            tables.permits,
            {
                "intent_id": permit.intent_id,
                "client_order_id": permit.client_order_id,
                "seq": seq,
                "epoch": self._epoch,
                "venue": permit.venue,
                "account": permit.account,
                "venue_deadline_ns": permit.venue_deadline_ns,
                "reserved_notional": permit.reserved_notional,
            },
        )
        order = Order(client_order_id=permit.client_order_id, intent=intent, state=OrderState.PERMITTED)
        self._project(order, at_ns)
        return seq

    def save_order(self, order: Order, at_ns: int) -> None:
        """Write what an order has become.

        Raises:
            ValueError: the order has no permit, so it must not exist.
        """
        if not self._exists(Unique.CLIENT_ORDER, (order.client_order_id,)):
            raise ValueError(f"order {order.client_order_id} has no permit")
        # The intent never changes and stands in the permit's event; here is only what moved.
        moved = order.model_dump(mode="json", exclude={"intent"})
        self.append(EventType.ORDER_CHANGED, moved, order.client_order_id, order.intent.cycle, at_ns)
        self._project(order, at_ns)

    def insert_fill(self, fill: Fill, cycle: int) -> bool:
        """Write an execution; False, and nothing written, when (venue, account, trade id) is known."""
        key = (fill.venue, fill.account, fill.trade_id)
        if self._exists(Unique.FILL, key):
            return False
        seq = self.append(EventType.ORDER_FILLED, fill, fill.client_order_id, cycle, fill.at_ns)
        self.changes.learn(Unique.FILL, key)
        row: Row = {name: getattr(fill, name) for name in _FILL_COLUMNS}
        self.changes.insert(tables.fills, row | {"side": fill.side.value, "seq": seq, "cycle": cycle})
        return True

    def request_cancel(self, client_order_id: str, cycle: int, at_ns: int) -> None:
        """Write the wish to cancel before it is sent; a practice venue reads it from its inbox.

        Raises:
            ValueError: no such order was ever permitted.
        """
        if not self._exists(Unique.CLIENT_ORDER, (client_order_id,)):
            raise ValueError(f"order {client_order_id} has no permit")
        wish = CancelRequested(client_order_id=client_order_id)
        self.append(EventType.CANCEL_REQUESTED, wish, client_order_id, cycle, at_ns)

    def save_venue_state(self, venue: str, account: str, cycle: int, state: bytes) -> None:
        """Replace the remembered state of a practice venue."""
        row: Row = {"venue": venue, "account": account, "cycle": cycle, "state": state}
        self.changes.upsert(tables.venue_state, (venue, account), row)

    def set_trading_state(self, state: TradingState, reason: str, actor: str, at_ns: int) -> None:
        """Throw the kill switch, or release it; no permit commits against it afterwards.

        Raises:
            UserError: a halt file is there, and this would loosen what it says.
        """
        if state is not TradingState.HALTED and (file := self._file_that_halts()):
            raise UserError(
                f"{file.reason} and halts this desk: remove it first, then give the command again"
            )
        said = {"state": state.value, "reason": reason, "actor": actor}
        self.append(EventType.TRADING_STATE_CHANGED, said, at_ns=at_ns)
        self._control = Control(state, reason, actor, at_ns, self._clock_ns())
        row: Row = {"id": 1, "at_ns": at_ns, "wall_ns": self._control.wall_ns, **said}
        self.changes.upsert(tables.control, (1,), row)

    def complete_request(self, request_id: int, outcome: str) -> bool:
        """Write what became of a person's request; False when that was written before.

        Raises:
            ValueError: there is no such request.
        """
        if not self._exists(Unique.REQUEST, (request_id,)):
            raise ValueError(f"there is no request {request_id}")
        if self._exists(Unique.OUTCOME, (request_id,)):
            return False
        self.append(EventType.REQUEST_COMPLETED, {"outcome": outcome}, str(request_id))
        self.changes.learn(Unique.OUTCOME, (request_id,))
        row: Row = {"request_id": request_id, "outcome": outcome, "wall_ns": self._clock_ns()}
        self.changes.insert(tables.outcomes, row)
        return True

    def approval(self, intent_id: str) -> Approval | None:
        """Return what a person was asked about an intent, and said; it cannot change before we commit."""
        known = self._approved(intent_id)
        return None if known is None else known.approval

    def request_approval(self, approval: Approval, at_ns: int) -> None:
        """Write the question to a person; its order waits without a permit.

        Raises:
            ValueError: the intent has a permit, or was asked about before.
        """
        intent = approval.intent
        if self.permit_exists(intent.intent_id) or self._approved(intent.intent_id) is not None:
            raise ValueError(f"intent {intent.intent_id} has a permit or an approval")
        seq = self.append(EventType.APPROVAL_REQUESTED, approval, intent.intent_id, intent.cycle, at_ns)
        self._put_approval(Approved(seq, approval))

    def move_approval(
        self, intent_id: str, state: ApprovalState, user: str, reason: str = "", used_seq: int | None = None
    ) -> Approval | None:
        """Write what became of an approval; None, and nothing written, when it cannot become that.

        A second grant, a replayed one, and any word after the end are such. The time is the machine's.
        """
        known = self._approved(intent_id)
        if known is None or state not in MOVES[known.approval.state]:
            return None
        decided_ns = self._clock_ns()
        said: Row = {"state": state, "user": user, "reason": reason, "used_seq": used_seq}
        moved = known.approval.model_copy(update=said | {"decided_ns": decided_ns})
        payload = moved.model_dump(mode="json", exclude={"intent"})
        self.append(APPROVAL_EVENTS[state], payload, intent_id, moved.intent.cycle)
        self._put_approval(Approved(known.seq, moved))
        return moved

    def grant_lease(self, owner: str, wall_ns: int) -> int:
        """Make ``owner`` the one writer of this role, fence all before it, and count the start."""
        self._epoch = self._facts.epoch(self._role) + 1
        self.epochs[self._role] = self._epoch
        self.append(EventType.LEASE_TAKEN, {"owner": owner}, self._role)
        row: Row = {"role": self._role, "epoch": self._epoch, "owner": owner, "wall_ns": wall_ns}
        self.changes.upsert(tables.lease, (self._role,), row)
        self.changes.insert(tables.starts, row)
        return self._epoch

    def add_request(self, verb: str, argument: str, actor: str) -> int:
        """Write a person's wish and return its number, that of its event."""
        said = {"verb": verb, "argument": argument, "actor": actor}
        request_id = self.append(EventType.REQUEST_MADE, said, verb)
        self.changes.learn(Unique.REQUEST, (request_id,))
        row: Row = {"id": request_id, "wall_ns": self._clock_ns(), **said}
        self.changes.insert(tables.requests, row)
        return request_id

    def set_identity(self, identity: Mapping[str, object]) -> None:
        """Write what run this journal belongs to."""
        self.append(EventType.IDENTITY_SET, identity)
        row: Row = {"key": IDENTITY, "value": canonical(identity)}
        self.changes.upsert(tables.meta, (IDENTITY,), row)

    def _file_that_halts(self) -> HaltFile | None:
        file = self._halt_file
        return file if file is not None and file.is_there else None

    def _approved(self, intent_id: str) -> Approved | None:
        return self.changes.approvals.get((intent_id,)) or self._facts.approval(intent_id)

    def _put_approval(self, approved: Approved) -> None:
        seq, approval = approved
        key = (approval.intent.intent_id,)
        self.changes.approvals[key] = approved
        row: Row = {
            "intent_id": approval.intent.intent_id,
            "seq": seq,
            "content_hash": approval.content_hash,
            "symbol": approval.intent.spec.symbol,
            "state": approval.state.value,
            "requested_ns": approval.requested_ns,
            "expires_ns": approval.expires_ns,
            "decided_ns": approval.decided_ns,
            "decided_by": approval.user,
            "used_seq": approval.used_seq,
            "payload": approval,
        }
        self.changes.upsert(tables.approvals, key, row)

    def _exists(self, unique: Unique, key: Key) -> bool:
        return self.changes.knows(unique, key) or self._facts.has(unique, key)

    def _project(self, order: Order, at_ns: int) -> None:
        row: Row = {
            "client_order_id": order.client_order_id,
            "symbol": order.intent.spec.symbol,
            "state": order.state.value,
            "filled_quantity": order.filled_quantity,
            "average_price": order.average_price,
            "at_ns": at_ns,
            "payload": order,
        }
        self.changes.upsert(tables.orders, (order.client_order_id,), row)


_FILL_COLUMNS = (
    "venue",
    "account",
    "trade_id",
    "client_order_id",
    "symbol",
    "quantity",
    "price",
    "fee",
    "fee_currency",
    "at_ns",
)
