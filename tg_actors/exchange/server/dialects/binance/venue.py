"""Binance as one object: every operation by name, its checks, and who holds a listen key."""

from collections.abc import Mapping
from typing import Any

from tg_actors.exchange.server.dialects.binance import access, refusals
from tg_actors.exchange.server.dialects.binance.access import Sealed, Security
from tg_actors.exchange.server.dialects.binance.call import Call, Operation
from tg_actors.exchange.server.dialects.binance.counter import Counter
from tg_actors.exchange.server.dialects.binance.params import Params
from tg_actors.exchange.server.dialects.binance.quotation import Quotation
from tg_actors.exchange.server.dialects.binance.wallet import Wallet
from tg_actors.exchange.server.dialects.binance.words import Symbols
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.records import Trouble

NAME = "binance"

_LISTEN_NS = 60 * 60 * 10**9


class Venue:
    """Checks a request and runs its operation; raises ``Refusal`` for everything that is refused."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.symbols = Symbols(floor.instruments.values())
        quotation = Quotation(floor, self.symbols)
        self.operations: Mapping[str, Operation] = {
            **quotation.operations(),
            **Counter(floor, quotation).operations(),
            **Wallet(floor, quotation).operations(),
            "userDataStream.start": Operation(self._listen, Security.KEYED, 2, "read"),
            "userDataStream.ping": Operation(self._listen_on, Security.KEYED, 2, "read"),
            "userDataStream.stop": Operation(self._listen_no_more, Security.KEYED, 2, "read"),
        }
        self._listeners: dict[str, tuple[Key, int]] = {}

    def run(self, operation: Operation, params: Params, sealed: Sealed, api_key: str, caller: str) -> Any:
        """Check and execute one request; ``caller`` pays its weight where no key does."""
        call = self.check(operation.security, params, sealed, api_key)
        self.charge(caller if call.key is None else api_key, operation.weight)
        return operation.run(call)

    def check(self, security: Security, params: Params, sealed: Sealed, api_key: str) -> Call:
        """Return the request with the key that it was made with, if it needs one.

        Raises:
            Refusal: no such key, not allowed to trade, outside of the receive window, badly signed.
        """
        if security is Security.PUBLIC:
            return Call(params)
        if not api_key:
            raise refusals.BAD_KEY_FORM.refusal()
        key = self.floor.keys.find(api_key)
        if key is None or (security is Security.TRADE and not key.may_trade):
            raise refusals.BAD_KEY.refusal()
        if security is Security.KEYED:
            return Call(params, key)
        until_ns = access.deadline_ns(params, self.floor.wall_ns())
        access.check_signature(key.secret, sealed)
        return Call(params, key, until_ns)

    def charge(self, caller: str, weight: int) -> None:
        """Raises: Refusal 429 when the caller has used up its weight."""
        if not self.floor.admit(NAME, caller, weight):
            raise refusals.OF_TROUBLE[Trouble.RATE_LIMITED].refusal()

    def account_of(self, listen_key: str) -> str | None:
        """Whose user data a listen key opens; None when it is unknown or has run out."""
        key, until_ns = self._listeners.get(listen_key, (None, 0))
        return key.account if key is not None and self.floor.wall_ns() < until_ns else None

    def _listen(self, call: Call) -> Any:
        # As at Binance a key has one listen key, and asking again prolongs it.
        holder = call.holder
        listen_key = access.sign(holder.secret, f"listenKey {holder.api_key}")
        self._listeners[listen_key] = (holder, self.floor.wall_ns() + _LISTEN_NS)
        return {"listenKey": listen_key}

    def _listen_on(self, call: Call) -> Any:
        listen_key = call.params.text("listenKey")
        if self.account_of(listen_key) != call.account:
            raise refusals.NO_LISTEN_KEY.refusal()
        self._listeners[listen_key] = (call.holder, self.floor.wall_ns() + _LISTEN_NS)
        return {}

    def _listen_no_more(self, call: Call) -> Any:
        if self.account_of(call.params.text("listenKey")) != call.account:
            raise refusals.NO_LISTEN_KEY.refusal()
        del self._listeners[call.params.text("listenKey")]
        return {}
