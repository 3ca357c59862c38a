"""Operations on the account: money, positions, activities, assets, the clock."""

import zlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from tg_actors.domain.instruments import Side
from tg_actors.domain.money import ZERO, money_text
from tg_actors.domain.orders import OrderSpec, OrderType
from tg_actors.exchange.marketplace import Dedupe
from tg_actors.exchange.server.dialects.alpaca import ids, orders, refusals, worth
from tg_actors.exchange.server.dialects.alpaca.activities import Activities
from tg_actors.exchange.server.dialects.alpaca.assets import Assets, Json, asset_id, asset_json
from tg_actors.exchange.server.dialects.alpaca.call import Answer, Call, Operation
from tg_actors.exchange.server.dialects.alpaca.trading import Trading
from tg_actors.exchange.server.dialects.alpaca.worth import DOLLAR, Holdings, Valued
from tg_actors.exchange.server.dialects.wire import NS_PER_S, time_text
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import PlaceOrder, VenueState

_HUNDRED = Decimal(100)
_DAY_S = 86_400
_CALENDAR_DAYS_MAX = 3_660


class Account:
    """The private side: money."""

    def __init__(self, floor: Floor, assets: Assets, trading: Trading) -> None:
        self._floor = floor
        self._assets = assets
        self._trading = trading
        self._holdings: dict[str, Holdings] = {}
        self._activities = Activities(floor)

    def operations(self) -> Mapping[tuple[str, str], Operation]:
        """By verb and path."""
        return {
            ("GET", "/v2/account"): Operation(self._account),
            ("GET", "/v2/account/configurations"): Operation(_configurations),
            ("GET", "/v2/account/activities"): Operation(self._activities.of_types),
            ("GET", "/v2/account/activities/{type}"): Operation(self._activities.of_type),
            ("GET", "/v2/positions"): Operation(self._positions),
            ("DELETE", "/v2/positions"): Operation(self._close_all, "place", trades=True),
            ("GET", "/v2/positions/{name:.+}"): Operation(self._position),
            ("DELETE", "/v2/positions/{name:.+}"): Operation(self._close, "place", trades=True),
            ("GET", "/v2/assets"): Operation(self._assets_list),
            ("GET", "/v2/assets/{name:.+}"): Operation(self._asset),
            ("GET", "/v2/clock"): Operation(self._clock),
            ("GET", "/v2/calendar"): Operation(self._calendar),
        }

    def total_of(self, account: str, currency: str) -> Decimal:
        """Everything that an account owns of a currency."""
        balance = self._floor.balances(account).get(currency)
        return ZERO if balance is None else balance.total

    # -- money -------------------------------------------------------------------------------------

    def _account(self, call: Call) -> Answer:
        account = call.account
        cash = self._floor.balances(account).get(DOLLAR)
        total, free = (ZERO, ZERO) if cash is None else (cash.total, cash.free)
        held = self._valued(account)
        value = sum((one.value for one in held), ZERO)
        then = total + sum((one.quantity * one.opened for one in held), ZERO)
        equity = money_text(total + value)
        told: Json = {
            "id": ids.of_name("account", account),
            "account_number": f"PA{zlib.crc32(account.encode()):08X}",
            "status": "ACTIVE",
            "crypto_status": "ACTIVE",
            "crypto_tier": 1,
            "currency": DOLLAR,
            "cash": money_text(free),
            "buying_power": money_text(free),
            "non_marginable_buying_power": money_text(free),
            "equity": equity,
            "portfolio_value": equity,
            "last_equity": money_text(then),
            "long_market_value": money_text(value),
            "position_market_value": money_text(value),
            "short_market_value": "0",
            "multiplier": "1",
            "shorting_enabled": False,
            "trading_blocked": False,
            "transfers_blocked": True,
            "account_blocked": False,
            "trade_suspended_by_user": not (call.key is not None and call.key.may_trade),
        }
        return Answer({**told, **dict.fromkeys(_NOTHING, "0")})

    def _valued(self, account: str) -> list[Valued]:
        holdings = self._learnt(account)
        return [
            self._value(currency, balance.total, balance.free, holdings)
            for currency, balance in sorted(self._floor.balances(account).items())
            if currency != DOLLAR and balance.total > ZERO
        ]

    def _value(self, currency: str, quantity: Decimal, free: Decimal, holdings: Holdings) -> Valued:
        pair = worth.pair_of(currency, self._floor.instruments)
        price = worth.dollars(currency, self._floor.instruments, self._last)
        day = None if pair is None else self._floor.market.day(pair)
        opened = worth.opened_at(day, price)
        return Valued(currency, quantity, free, price, holdings.entry_price(currency), opened)

    def _learnt(self, account: str) -> Holdings:
        holdings = self._holdings.setdefault(account, Holdings(self._floor.instruments))
        news = self._floor.fills(account, after=holdings.newest, newest_first=False)
        holdings.learn(((one.seq, one.fill) for one in news), self._last)
        return holdings

    def _last(self, symbol: str) -> Decimal | None:
        quote = self._floor.market.quote(symbol)
        return None if quote is None else quote.close

    # -- positions ---------------------------------------------------------------------------------

    def _positions(self, call: Call) -> Answer:
        return Answer([position_json(one) for one in self._valued(call.account)])

    def _position(self, call: Call) -> Answer:
        return Answer(position_json(self._held(call.account, call.path["name"])))

    def _held(self, account: str, name: str) -> Valued:
        instrument = self._assets.find(name)
        currency = name.removesuffix(DOLLAR).removesuffix("/") if instrument is None else instrument.base
        found = next((one for one in self._valued(account) if one.currency == currency), None)
        if found is None:
            raise refusals.NO_POSITION.refusal()
        return found

    def _close(self, call: Call) -> Answer:
        held = self._held(call.account, call.path["name"])
        return Answer(self._sell(call.account, held, self._part(call, held)))

    def _part(self, call: Call, held: Valued) -> Decimal:
        qty, percentage = call.query.get("qty"), call.query.get("percentage")
        try:
            if qty is not None:
                return Decimal(qty)
            return held.quantity * Decimal(percentage) / _HUNDRED if percentage is not None else held.quantity
        except ArithmeticError as error:
            raise refusals.BAD_BODY.refusal(why="qty and percentage must be numbers") from error

    def _sell(self, account: str, held: Valued, quantity: Decimal) -> Json:
        pair = worth.pair_of(held.currency, self._floor.instruments)
        if pair is None:
            raise refusals.NO_ASSET.refusal(id=held.currency)
        lots = self._floor.instruments[pair].quantise_quantity(quantity)
        if lots <= ZERO:
            raise refusals.TOO_SMALL.refusal(least=money_text(self._floor.instruments[pair].notional_min))
        spec = OrderSpec(symbol=pair, side=Side.SELL, order_type=OrderType.MARKET, quantity=lots)
        wish = PlaceOrder(spec=spec, dialect=orders.DIALECT, dedupe=Dedupe.FOREVER)
        return self._trading.shown(self._trading.put(account, wish))

    def _close_all(self, call: Call) -> Answer:
        if call.query.get("cancel_orders", "").lower() == "true":
            self._floor.cancel_all(call.account)
        told: list[Json] = []
        for held in self._valued(call.account):
            try:
                sold = self._sell(call.account, held, held.quantity)
                told.append({"symbol": f"{held.currency}{DOLLAR}", "status": 200, "body": sold})
            except refusals.Refusal as refusal:
                failed = {"symbol": f"{held.currency}{DOLLAR}", "status": refusal.status}
                told.append({**failed, "body": refusal.body()})
        return Answer(told, 207)

    # -- the venue ---------------------------------------------------------------------------------

    def _assets_list(self, call: Call) -> Answer:
        wrong_class = call.query.get("asset_class", "crypto") != "crypto"
        inactive = call.query.get("status", "active") != "active"
        shown = () if wrong_class or inactive else self._assets.all()
        return Answer([asset_json(one) for one in shown])

    def _asset(self, call: Call) -> Answer:
        found = self._assets.find(call.path["name"])
        if found is None:
            raise refusals.NO_ASSET.refusal(id=call.path["name"])
        return Answer(asset_json(found))

    def _clock(self, _: Call) -> Answer:
        # Crypto never closes: midnight UTC stands for both ends of the session.
        now_ns = self._floor.wall_ns()
        midnight = time_text((now_ns // NS_PER_S // _DAY_S + 1) * _DAY_S * NS_PER_S)
        is_open = self._floor.state is not VenueState.MAINTENANCE
        told = {"timestamp": time_text(now_ns), "is_open": is_open}
        return Answer({**told, "next_open": midnight, "next_close": midnight})

    def _calendar(self, call: Call) -> Answer:
        today = datetime.fromtimestamp(self._floor.wall_ns() // NS_PER_S, UTC).date()
        first, last = _date(call, "start", today), _date(call, "end", today)
        count = min((last - first).days + 1, _CALENDAR_DAYS_MAX)
        days = (first + timedelta(days=k) for k in range(count))
        return Answer([{"date": day.isoformat(), "open": "00:00", "close": "23:59"} for day in days])


#: Fields of margin and of shares, which a crypto account does not use.
_NOTHING = (
    "regt_buying_power",
    "options_buying_power",
    "accrued_fees",
    "initial_margin",
    "maintenance_margin",
    "last_maintenance_margin",
    "sma",
)


def _date(call: Call, name: str, default: date) -> date:
    at_ns = call.time_ns(name)
    return default if at_ns is None else datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date()


def _configurations(_: Call) -> Answer:
    return Answer(
        {
            "fractional_trading": True,
            "max_margin_multiplier": "1",
            "no_shorting": True,
            "suspend_trade": False,
            "trade_confirm_email": "none",
            "ptp_no_exception_entry": False,
            "max_options_trading_level": 0,
        }
    )


def position_json(held: Valued) -> Json:
    """A position: everything that is owned of a currency."""
    average = orders.average_text(held.entry_price) or "0"
    return {
        "asset_id": asset_id(f"{held.currency}/{DOLLAR}"),
        "symbol": f"{held.currency}{DOLLAR}",
        "exchange": "CRYPTO",
        "asset_class": "crypto",
        "asset_marginable": False,
        "qty": money_text(held.quantity),
        "qty_available": money_text(held.free),
        "avg_entry_price": average,
        "side": "long",
        "market_value": money_text(held.value),
        "cost_basis": money_text(held.cost),
        "unrealized_pl": money_text(held.profit),
        "unrealized_plpc": _frac_text(held.profit_frac),
        "unrealized_intraday_pl": money_text(held.today),
        "unrealized_intraday_plpc": _frac_text(held.today_frac),
        "current_price": money_text(held.price),
        "lastday_price": money_text(held.opened),
        "change_today": _frac_text(held.today_frac),
    }


def _frac_text(frac: Decimal) -> str:
    return orders.average_text(frac) or "0"
