"""What can be traded, in Alpaca's shapes and under all the names it goes by. Pure."""

from collections.abc import Iterable
from typing import Any

from tg_actors.domain.instruments import Instrument
from tg_actors.domain.money import money_text
from tg_actors.exchange.server.dialects.alpaca import ids

Json = dict[str, Any]

_NO_MARGIN = 100


def asset_id(symbol: str) -> str:
    """The UUID of an instrument."""
    return ids.of_name("asset", symbol)


class Assets:
    """Instruments by symbol (BTC/USD), by compressed symbol (BTCUSD) and by UUID."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self._all = tuple(instruments)
        self._names = {
            name: one
            for one in self._all
            for name in (one.symbol.replace("/", ""), asset_id(one.symbol), one.symbol)
        }

    def find(self, name: str) -> Instrument | None:
        """The instrument of any of its names."""
        return self._names.get(name)

    def all(self) -> tuple[Instrument, ...]:
        """Every instrument."""
        return self._all


def asset_json(instrument: Instrument) -> Json:
    """An asset."""
    return {
        "id": asset_id(instrument.symbol),
        "class": "crypto",
        "exchange": "CRYPTO",
        "symbol": instrument.symbol,
        "name": f"{instrument.base} / {instrument.quote}",
        "status": "active",
        "tradable": True,
        "marginable": False,
        "maintenance_margin_requirement": _NO_MARGIN,
        "margin_requirement_long": str(_NO_MARGIN),
        "margin_requirement_short": str(_NO_MARGIN),
        "shortable": False,
        "easy_to_borrow": False,
        "fractionable": True,
        "attributes": [],
        "min_order_size": money_text(instrument.quantity_min),
        "min_trade_increment": money_text(instrument.lot),
        "price_increment": money_text(instrument.tick),
    }
