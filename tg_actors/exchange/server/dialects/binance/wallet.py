"""Operations on the account: balances, own trades, fees, and the wallet pages that ccxt reads."""

import zlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tg_actors.domain.money import ZERO
from tg_actors.exchange.server.dialects.binance import orders
from tg_actors.exchange.server.dialects.binance.access import Security
from tg_actors.exchange.server.dialects.binance.call import Call, Operation
from tg_actors.exchange.server.dialects.binance.orders import Json
from tg_actors.exchange.server.dialects.binance.quotation import Quotation
from tg_actors.exchange.server.dialects.binance.words import milliseconds, symbol_id, text8
from tg_actors.exchange.server.dialects.wire import NS_PER_MS
from tg_actors.exchange.server.floor import Floor

_BPS = Decimal(10_000)
_ROWS_MAX = 1_000


class Wallet:
    """The private side: money."""

    def __init__(self, floor: Floor, quotation: Quotation) -> None:
        self._floor = floor
        self._quotation = quotation
        pairs = floor.instruments.values()
        self._assets = sorted({asset for one in pairs for asset in (one.base, one.quote)})

    def operations(self) -> Mapping[str, Operation]:
        """By the names of the WebSocket API; those of the wallet by their last path part."""
        signed = Security.SIGNED
        return {
            "account.status": Operation(self._account, signed, 20, "read"),
            "myTrades": Operation(self._trades, signed, 20, "read"),
            "account.commission": Operation(self._commission, signed, 20, "read"),
            "asset.tradeFee": Operation(self._fees, signed, 1, "read"),
            "capital.config": Operation(self._coins, signed, 10, "read"),
            "margin.pairs": Operation(_no_margin, Security.KEYED, 1, "read"),
        }

    def _account(self, call: Call) -> Any:
        balances = self._floor.balances(call.account)
        omits = call.params.flag("omitZeroBalances")
        shown = []
        for asset in sorted({*self._assets, *balances}):
            balance = balances.get(asset)
            free, locked = (ZERO, ZERO) if balance is None else (balance.free, balance.held)
            if free or locked or not omits:
                shown.append({"asset": asset, "free": text8(free), "locked": text8(locked)})
        fees = self._floor.fees
        return {
            "makerCommission": int(fees.maker_frac * _BPS),
            "takerCommission": int(fees.taker_frac * _BPS),
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": self._rates(),
            "canTrade": call.holder.may_trade,
            "canWithdraw": False,
            "canDeposit": False,
            "brokered": False,
            "requireSelfTradePrevention": False,
            "preventSor": False,
            "updateTime": milliseconds(self._floor.market_ns()),
            "accountType": "SPOT",
            "balances": shown,
            "permissions": ["SPOT"],
            "uid": zlib.crc32(call.account.encode()),
        }

    def _trades(self, call: Call) -> Any:
        params, symbol = call.params, self._quotation.instrument(call.params).symbol
        first, from_ms = params.integer("fromId"), params.integer("startTime")
        to_ms = params.integer("endTime")
        # From a given point on the oldest come first, otherwise the newest are wanted.
        newest_first = first is None and from_ms is None
        found = self._floor.fills(
            call.account,
            symbol=symbol,
            number=params.integer("orderId"),
            from_ns=(from_ms or 0) * NS_PER_MS,
            to_ns=None if to_ms is None else (to_ms + 1) * NS_PER_MS,
            after=max((first or 0) - 1, 0),
            limit=params.limit(500, _ROWS_MAX),
            newest_first=newest_first,
        )
        return [orders.trade_json(fill) for fill in (reversed(found) if newest_first else found)]

    def _rates(self) -> Json:
        fees = self._floor.fees
        return {
            "maker": text8(fees.maker_frac),
            "taker": text8(fees.taker_frac),
            "buyer": text8(ZERO),
            "seller": text8(ZERO),
        }

    def _commission(self, call: Call) -> Any:
        symbol = symbol_id(self._quotation.instrument(call.params).symbol)
        return {"symbol": symbol, "standardCommission": self._rates()}

    def _fees(self, call: Call) -> Any:
        fees, named = self._floor.fees, call.params.find("symbol")
        shown = [self._quotation.instrument(call.params)] if named else self._floor.instruments.values()
        rates = {"makerCommission": text8(fees.maker_frac), "takerCommission": text8(fees.taker_frac)}
        return [{"symbol": symbol_id(one.symbol), **rates} for one in shown]

    def _coins(self, call: Call) -> Any:
        balances = self._floor.balances(call.account)
        return [_coin(asset, balances.get(asset)) for asset in self._assets]


def _coin(asset: str, balance: Any) -> Json:
    return {
        "coin": asset,
        "depositAllEnable": False,
        "withdrawAllEnable": False,
        "name": asset,
        "free": text8(ZERO if balance is None else balance.free),
        "locked": text8(ZERO if balance is None else balance.held),
        "freeze": "0",
        "withdrawing": "0",
        "ipoing": "0",
        "ipoable": "0",
        "storage": "0",
        "isLegalMoney": False,
        "trading": True,
        "networkList": [],
    }


def _no_margin(_: Call) -> Any:
    return []
