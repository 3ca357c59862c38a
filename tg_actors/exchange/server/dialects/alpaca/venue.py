"""Alpaca as one object: every operation by verb and path, and the checks before it."""

import hmac
from collections.abc import Mapping

from tg_actors.exchange.server.dialects.alpaca import refusals
from tg_actors.exchange.server.dialects.alpaca.account import Account
from tg_actors.exchange.server.dialects.alpaca.assets import Assets
from tg_actors.exchange.server.dialects.alpaca.call import Operation
from tg_actors.exchange.server.dialects.alpaca.data import Data
from tg_actors.exchange.server.dialects.alpaca.trading import Trading
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.keys import Key
from tg_actors.exchange.server.records import Trouble

NAME = "alpaca"


class Venue:
    """Everything that the dialect can do."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.assets = Assets(floor.instruments.values())
        self.trading = Trading(floor, self.assets)
        self.account = Account(floor, self.assets, self.trading)
        data = Data(floor, self.assets)
        self.operations: Mapping[tuple[str, str], Operation] = {
            **self.trading.operations(),
            **self.account.operations(),
            **data.operations(),
        }

    def find_key(self, key_id: str, secret: str) -> Key | None:
        """The key of these two texts; None when they do not belong together."""
        key = self.floor.keys.find(key_id)
        if key is None or not hmac.compare_digest(key.secret.encode(), secret.encode()):
            return None
        return key

    def admit(self, operation: Operation, key: Key | None, caller: str) -> None:
        """Check a request before it runs.

        Raises:
            Refusal: 401 without a good key, 403 with one that may not trade, 429 when it asks too often.
        """
        if operation.private and key is None:
            raise refusals.NOT_AUTHORIZED.refusal()
        if not self.floor.admit(NAME, caller if key is None else key.api_key):
            raise refusals.OF_TROUBLE[Trouble.RATE_LIMITED].refusal()
        if operation.trades and (key is None or not key.may_trade):
            raise refusals.READ_ONLY.refusal()
