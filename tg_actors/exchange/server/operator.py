"""The operator's API below ``/practice``: move the market, break it, see the truth."""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from tg_actors.domain.message import Message
from tg_actors.domain.money import money_text
from tg_actors.domain.orders import OrderSpec
from tg_actors.exchange.orders import Refused
from tg_actors.exchange.server.clockwork import Clockwork, SteppedClockwork
from tg_actors.exchange.server.dialect import Dialect
from tg_actors.exchange.server.faults import FaultPlan
from tg_actors.exchange.server.floor import Floor
from tg_actors.exchange.server.records import Barred, PlaceOrder

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Advance(Message):
    """Trade every bar up to and with this cycle."""

    cycle: int = Field(ge=0)


class ForeignOrder(Message):
    """An order by hand: one that the account's own software knows nothing of."""

    account: str
    spec: OrderSpec
    client_order_id: str | None = None


class ForeignCancel(Message):
    """Take an order off the book as the venue itself would."""

    account: str
    number: int


class Deposit(Message):
    """Money from outside, or to the outside when negative."""

    account: str
    currency: str
    amount: Decimal


class Operator:
    """Handlers for whoever holds the operator's token."""

    def __init__(
        self, floor: Floor, clockwork: Clockwork, token: str, dialects: Mapping[str, Dialect]
    ) -> None:
        self._floor = floor
        self._clockwork = clockwork
        self._token = token
        self._dialects = dialects

    def routes(self) -> list[web.RouteDef]:
        """Every route, each behind the token."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "/status", self._status),
            ("GET", "/truth", self._truth),
            ("POST", "/advance", self._advance),
            ("PUT", "/faults", self._set_faults),
            ("POST", "/orders", self._order),
            ("POST", "/cancel", self._cancel),
            ("POST", "/deposit", self._deposit),
        )
        return [web.route(method, path, self._guard(handler)) for method, path, handler in table]

    def _guard(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            if scheme != "Bearer" or not hmac.compare_digest(token.encode(), self._token.encode()):
                return _problem(401, "the operator's token of keys.yaml is missing: Authorization: Bearer …")
            try:
                return await handler(request)
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(str(part) for part in first["loc"]) or "the body"
                return _problem(422, f"{place}: {first['msg']}")
            except (KeyError, ValueError) as error:
                return _problem(422, str(error))

        return guarded

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(self.status())

    def status(self) -> dict[str, Any]:
        """Where the market stands, what was done, what went wrong on purpose."""
        floor, clockwork = self._floor, self._clockwork
        return {
            "clock": floor.config.clock.kind,
            "cycle": clockwork.cycle,
            "part": clockwork.part,
            "market_ns": floor.market_ns(),
            "ended": clockwork.ended,
            "requests": floor.requests,
            "failures": floor.failures,
            "commits": floor.committer.commits,
            "dialects": {name: f"ids unique {one.dedupe}" for name, one in self._dialects.items()},
            "accounts": list(floor.marketplace.accounts()),
            "faults": floor.faults.plan.model_dump(mode="json"),
            "faults_injected": dict(sorted(floor.faults.counts.items())),
        }

    async def _truth(self, request: web.Request) -> web.Response:
        """Balances, positions and open orders as they are, no read lag."""
        floor = self._floor
        named = request.query.get("account")
        accounts = floor.marketplace.accounts() if named is None else (named,)
        return web.json_response({account: _truth_of(floor, account) for account in accounts})

    async def _advance(self, request: web.Request) -> web.Response:
        clockwork = self._clockwork
        if not isinstance(clockwork, SteppedClockwork):
            return _problem(409, "the paced clock moves by itself: start with --clock stepped to advance it")
        wanted = await _body(request, Advance)
        traded = 0
        while clockwork.cycle <= wanted.cycle:
            if not clockwork.advance():
                return _problem(409, f"the feed has ended before cycle {wanted.cycle}, at {clockwork.cycle}")
            traded += 1
            await self._floor.settled()
        return web.json_response(
            {"cycle": wanted.cycle, "traded": traded, "market_ns": self._floor.market_ns()}
        )

    async def _set_faults(self, request: web.Request) -> web.Response:
        self._floor.faults.follow(await _body(request, FaultPlan))
        return web.json_response(self.status())

    async def _order(self, request: web.Request) -> web.Response:
        wish = await _body(request, ForeignOrder)
        answer = self._floor.place(
            wish.account, PlaceOrder(spec=wish.spec, client_order_id=wish.client_order_id), kind="operator"
        )
        if isinstance(answer, Refused):
            return _problem(422, f"{answer.code}: {answer.detail}")
        if isinstance(answer, Barred):
            return _problem(409, f"the venue is in {answer.trouble}")
        return web.json_response({"number": answer.record.number, "state": answer.record.order.state})

    async def _cancel(self, request: web.Request) -> web.Response:
        wish = await _body(request, ForeignCancel)
        return web.json_response({"canceled": self._floor.cancel(wish.account, wish.number)})

    async def _deposit(self, request: web.Request) -> web.Response:
        wish = await _body(request, Deposit)
        self._floor.deposit(wish.account, wish.currency, wish.amount)
        return web.json_response(_truth_of(self._floor, wish.account)["balances"])


def _truth_of(floor: Floor, account: str) -> dict[str, Any]:
    return {
        "balances": {
            currency: {"total": money_text(b.total), "held": money_text(b.held)}
            for currency, b in floor.balances(account).items()
        },
        "positions": {p.symbol: money_text(p.quantity) for p in floor.positions(account)},
        "open_orders": [
            {
                "number": order.number,
                "handle": order.client_order_id,
                "symbol": order.spec.symbol,
                "side": order.spec.side,
                "remaining": money_text(order.quantity - order.filled_quantity),
            }
            for order in floor.marketplace.open_orders(account)
        ],
    }


async def _body(request: web.Request, model: type[M]) -> M:
    return model.model_validate_json(await request.read())


def _problem(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
