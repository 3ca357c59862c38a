"""The real ccxt client, tamed: one caller, one request per call, its own words kept, no guessing.

ccxt builds, signs and paces the requests and knows the markets; what comes back is read by us from the
raw body, for ccxt makes an order out of HTML, an empty body or ``null``.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

import ccxt
from pydantic import TypeAdapter

from tg_actors.domain.errors import VenueError
from tg_actors.domain.keys import Key
from tg_actors.execution.venues.budget import Budget
from tg_actors.execution.venues.dialect import VenueFilters
from tg_actors.execution.venues.hearing import Heard, understood
from tg_actors.execution.venues.outcomes import Verb
from tg_actors.market.transport import OneShotSession, pointed_at

T = TypeVar("T")

#: One call, from name resolution to the last byte.
CALL_S_MAX = 15.0
#: Their DEBUG lines show headers and signed addresses.
_TALKATIVE = ("ccxt", "urllib3")


class _Tame:
    """What is changed in ccxt's class: nonces, pacing, and the last answer is remembered."""

    said: tuple[int, str] | None = None
    _nonces: Callable[[], int]
    _budget: Budget | None

    def on_rest_response(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        response_headers: Any,
        response_body: str,
        request_headers: Any,
        request_body: Any,
    ) -> str:
        """Keep status and body before anything is made of them."""
        del reason, url, method, response_headers, request_headers, request_body
        self.said = (code, response_body)
        return response_body.strip()

    def incrementing_nonce(self) -> int:
        """The client's own goes through a float, which loses the last digits of a long nonce."""
        return self._nonces()

    def throttle(self, cost: float | None = None) -> None:
        """Wait until the venue's budget allows the call; ccxt would space even the first two apart."""
        if self._budget is not None:
            self._budget.spend(1.0 if cost is None else float(cost))


class _TameKraken(_Tame, ccxt.kraken):  # type: ignore[misc]  # ccxt carries no types
    """Kraken's client, tamed."""


class _TameBinance(_Tame, ccxt.binance):  # type: ignore[misc]  # ccxt carries no types
    """Binance's client, tamed."""


_CLASSES: dict[str, type[Any]] = {"kraken": _TameKraken, "binance": _TameBinance}
_OPTIONS: dict[str, dict[str, Any]] = {
    "kraken": {},
    # Spot only: without these the first call asks a dozen other products.
    "binance": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}, "fetchMargins": False},
}


class CcxtClient:
    """One ccxt exchange behind one lock.

    Args:
        exchange: ``kraken`` or ``binance``.
        key: None for public endpoints only.
        url: root of another server that speaks the dialect; None is the real venue.
        nonces: gives strictly increasing numbers.
        budget: pace of the real venue; None asks at once.
    """

    def __init__(
        self,
        exchange: str,
        key: Key | None,
        url: str | None,
        nonces: Callable[[], int],
        budget: Budget | None,
        call_s_max: float = CALL_S_MAX,
    ) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self.exchange = exchange
        self.url = url
        self._key = key
        self._lock = threading.RLock()
        options = {
            **_OPTIONS[exchange],
            "maxRetriesOnFailure": 0,
            "warnOnFetchOpenOrdersWithoutSymbol": False,
        }
        self._ccxt = _CLASSES[exchange](
            {
                **self.credentials(),
                "enableRateLimit": True,
                "timeout": int(call_s_max * 1000),
                "number": Decimal,
                "session": OneShotSession(call_s_max),
                "options": options,
            }
        )
        self._ccxt._nonces, self._ccxt._budget = nonces, budget  # noqa: SLF001 - our own mix-in's fields
        self._ccxt.has["fetchCurrencies"] = False
        if url is not None:
            self._ccxt.urls["api"] = pointed_at(self._ccxt.urls["api"], url)

    def credentials(self) -> dict[str, str]:
        """What a ccxt client of this account is made with; for constructors only."""
        return {} if self._key is None else {"apiKey": self._key.api_key, "secret": self._key.secret}

    def load_markets(self) -> None:
        """Read the venue's markets.

        Raises:
            VenueError: they cannot be read.
        """
        with self._lock:
            try:
                self._ccxt.load_markets()
            except (ccxt.BaseError, *DEBRIS) as error:
                sentence = f"cannot read the markets of {self.exchange}: {type(error).__name__}"
                raise VenueError(sentence, retryable=True) from None

    def market_id(self, symbol: str) -> str:
        """The venue's name of an instrument.

        Raises:
            KeyError: it has none.
        """
        return str(self._ccxt.markets[symbol]["id"])

    def filters(self, symbol: str) -> VenueFilters | None:
        """What the venue asks of orders in an instrument, None when it does not trade it."""
        market = self._ccxt.markets.get(symbol)
        if market is None or not market.get("spot"):
            return None
        steps, limits = market["precision"], market["limits"]
        return VenueFilters(
            tick=steps["price"],
            lot=steps["amount"],
            quantity_min=limits["amount"]["min"],
            notional_min=limits["cost"]["min"],
        )

    def symbols(self) -> Mapping[str, str]:
        """Our symbol by every name that the venue uses for a spot market."""
        spot = [market for market in self._ccxt.markets.values() if market.get("spot")]
        names = {str(market["id"]): str(market["symbol"]) for market in spot}
        names |= {str(m["info"]["altname"]): str(m["symbol"]) for m in spot if "altname" in m["info"]}
        return names

    def currency(self, code: str) -> str:
        """Our name of a currency."""
        return str(self._ccxt.safe_currency_code(code))

    def lend_markets(self, stream: Any) -> None:
        """Give another ccxt client of the same venue what this one has read."""
        stream.set_markets(self._ccxt.markets, self._ccxt.currencies)

    def stream_token(self, params: Mapping[str, Any]) -> Any:
        """Kraken's token for private streams; raises what ccxt raises."""
        with self._lock:
            return self._ccxt.privatePostGetWebSocketsToken(dict(params))

    def call(
        self,
        verb: Verb,
        endpoint: str,
        params: Mapping[str, Any],
        shape: type[T] | TypeAdapter[T],
        inside: Callable[[Any], Any] = lambda body: body,
    ) -> T:
        """Call one endpoint once and read its answer.

        Args:
            verb: what is asked, for the outcome table.
            endpoint: ccxt's implicit method, for instance ``private_post_addorder``.
            params: of the venue's own API.
            shape: what the answer must be.
            inside: takes the part to read out of the body.

        Raises:
            Unusable: no answer, an error, or something else than ``shape``.
        """
        with self._lock:
            self._ccxt.said = None
            error = ""
            try:
                getattr(self._ccxt, endpoint)(dict(params))
            except (ccxt.BaseError, *DEBRIS) as raised:
                error = type(raised).__name__
            said = self._ccxt.said
        return understood(verb, Heard(said, error, _words), shape, inside)

    def close(self) -> None:
        """Shut the connections."""
        self._ccxt.close()


#: What ccxt lets through while it digests a body that it did not expect.
DEBRIS = (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError, OSError)


def _words(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The venue's own error words in a body of its own form."""
    match body.get("error"), body.get("code"), body.get("msg"):
        case list(errors), None, None if all(isinstance(one, str) for one in errors):
            # An error beside a result contradicts itself: no refusal.
            return (*errors, "a result") if errors and body.get("result") else tuple(errors)
        case None, int(code), str(message):
            return (f"{code} {message}",)
        case _:
            return ()
