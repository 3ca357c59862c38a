"""Kraken's names: assets with their old X and Z, pairs in three spellings. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from tg_actors.domain.instruments import Instrument

#: Assets whose id at Kraken differs from the code everybody uses.
_IDS = {
    "BTC": "XXBT",
    "DOGE": "XXDG",
    "ETC": "XETC",
    "ETH": "XETH",
    "LTC": "XLTC",
    "LUNA": "LUNA2",
    "MLN": "XMLN",
    "XLM": "XXLM",
    "XMR": "XXMR",
    "XRP": "XXRP",
    "ZEC": "XZEC",
    "AUD": "ZAUD",
    "CAD": "ZCAD",
    "EUR": "ZEUR",
    "GBP": "ZGBP",
    "JPY": "ZJPY",
    "USD": "ZUSD",
}
_ALTNAMES = {"BTC": "XBT", "DOGE": "XDG", "LUNA": "LUNA2"}
_CODES = {asset_id: code for code, asset_id in _IDS.items()} | {alt: code for code, alt in _ALTNAMES.items()}
_FIAT = frozenset({"AUD", "CAD", "EUR", "GBP", "JPY", "USD"})
#: Decimals of amounts on Kraken's books.
_FIAT_DECIMALS, _COIN_DECIMALS = 4, 10


def asset_id(code: str) -> str:
    """``BTC`` to ``XXBT``, ``USDT`` to ``USDT``."""
    return _IDS.get(code, code)


def altname(code: str) -> str:
    """``BTC`` to ``XBT``, ``USD`` to ``USD``."""
    return _ALTNAMES.get(code, code)


def code_of(asset: str) -> str:
    """Any of Kraken's names for an asset to the usual code."""
    return _CODES.get(asset, asset)


def asset_decimals(code: str) -> int:
    """Digits behind the point of an amount."""
    return _FIAT_DECIMALS if code in _FIAT else _COIN_DECIMALS


def decimals(step: Decimal) -> int:
    """Digits behind the point of a step: 0.001 has 3."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


@dataclass(frozen=True, slots=True)
class Pair:
    """An instrument under Kraken's names."""

    instrument: Instrument
    id: str
    altname: str
    wsname: str

    @classmethod
    def of(cls, instrument: Instrument) -> "Pair":
        """Name an instrument as Kraken would: ``XXBTZUSD`` when both sides are old, else ``XBTUSDT``."""
        base, quote = instrument.base, instrument.quote
        short = altname(base) + altname(quote)
        both_old = base in _IDS and quote in _IDS
        return cls(
            instrument,
            asset_id(base) + asset_id(quote) if both_old else short,
            short,
            f"{altname(base)}/{altname(quote)}",
        )

    @property
    def symbol(self) -> str:
        """The usual symbol."""
        return self.instrument.symbol

    @property
    def price_decimals(self) -> int:
        """Digits behind the point of a price."""
        return decimals(self.instrument.tick)

    @property
    def lot_decimals(self) -> int:
        """Digits behind the point of a quantity."""
        return decimals(self.instrument.lot)

    def price_text(self, price: Decimal) -> str:
        """A price with all its digits."""
        return f"{price:.{self.price_decimals}f}"


class Pairs:
    """All pairs, found by any of their names."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        self.all = tuple(Pair.of(instrument) for instrument in instruments)
        self._by_symbol = {pair.symbol: pair for pair in self.all}
        self._by_name = {name: pair for pair in self.all for name in (pair.id, pair.altname, pair.wsname)}

    def of_symbol(self, symbol: str) -> Pair:
        """The pair of one of our symbols."""
        return self._by_symbol[symbol]

    def find(self, name: str) -> Pair | None:
        """The pair that a client names, in any spelling."""
        return self._by_name.get(name) or self._by_symbol.get(name)
