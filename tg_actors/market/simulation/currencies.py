"""The currencies of the simulated market: what they are worth, how wild they are, how much is traded.

Volatilities and turnovers of the first nine are measured on Binance (hourly bars, 2017 to 2024), as are
the correlations that ``market_frac`` reproduces (BTC-ETH 0.88, BTC-XRP 0.69, ETH-LINK 0.82); prices are
about those of 2024-01-01.
"""

import hashlib
from dataclasses import dataclass

#: Worth one dollar for ever: quote currencies.
DOLLARS = ("USDT", "USD", "USDC", "BUSD", "FDUSD", "DAI")


@dataclass(frozen=True, slots=True)
class Currency:
    """Parameters of one currency against the dollar.

    ``vol_frac`` is the standard deviation of a year's log return, ``market_frac`` the part of its
    variance that is the common factor, ``turnover_usd`` what is traded in a day.
    """

    name: str
    price_usd: float
    vol_frac: float
    market_frac: float
    turnover_usd: float


_KNOWN = (
    Currency("BTC", 42_500.0, 0.72, 0.80, 1_773e6),
    Currency("ETH", 2_280.0, 0.94, 0.88, 755e6),
    Currency("XRP", 0.615, 1.04, 0.58, 218e6),
    Currency("SOL", 101.5, 1.35, 0.58, 295e6),
    Currency("BNB", 312.0, 0.88, 0.62, 361e6),
    Currency("DOGE", 0.0895, 1.31, 0.53, 251e6),
    Currency("ADA", 0.594, 1.05, 0.64, 133e6),
    Currency("LTC", 72.8, 1.01, 0.66, 72e6),
    Currency("LINK", 14.95, 1.18, 0.72, 82e6),
    Currency("AVAX", 38.6, 1.40, 0.58, 90e6),
    Currency("DOT", 8.19, 1.18, 0.66, 60e6),
    Currency("MATIC", 0.970, 1.38, 0.56, 85e6),
    Currency("ATOM", 10.57, 1.22, 0.60, 40e6),
    Currency("UNI", 7.30, 1.27, 0.60, 35e6),
    Currency("TRX", 0.1075, 0.98, 0.48, 45e6),
    Currency("ETC", 22.1, 1.19, 0.60, 48e6),
    Currency("BCH", 259.0, 1.08, 0.64, 50e6),
    Currency("XLM", 0.1290, 1.08, 0.58, 28e6),
    Currency("FIL", 6.92, 1.25, 0.60, 42e6),
    Currency("NEAR", 3.66, 1.40, 0.55, 38e6),
    Currency("ALGO", 0.2220, 1.25, 0.58, 22e6),
    Currency("AAVE", 109.0, 1.30, 0.62, 24e6),
    Currency("EUR", 1.104, 0.08, 0.10, 15e6),
    Currency("GBP", 1.273, 0.09, 0.10, 8e6),
)
_BY_NAME = {known.name: known for known in _KNOWN}


def name_seed(text: str) -> int:
    """A 64-bit number that stands for a text in every process: the head of its SHA-256."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def currency(name: str) -> Currency:
    """Return a currency of the table, or one whose parameters follow from its name."""
    return _BY_NAME.get(name) or _unknown(name)


def _unknown(name: str) -> Currency:
    """Draw a typical small coin from the hash of its name: the 10 to 90 % range of 63 real pairs."""
    digest = hashlib.sha256(f"currency {name}".encode()).digest()
    price, vol, market, turnover = (int.from_bytes(digest[k : k + 4], "big") / 2**32 for k in (0, 4, 8, 12))
    return Currency(
        name,
        price_usd=10.0 ** (4.0 * price - 2.0),
        vol_frac=1.01 + 0.52 * vol,
        market_frac=0.50 + 0.20 * market,
        turnover_usd=18e6 * 12.0**turnover,
    )
