"""The languages the exchange speaks: each the API of a real venue, at a path prefix of its own."""

from collections.abc import Callable

from tg_actors.exchange.server.dialect import Dialect
from tg_actors.exchange.server.dialects.alpaca import Alpaca
from tg_actors.exchange.server.dialects.binance import Binance
from tg_actors.exchange.server.dialects.kraken import Kraken
from tg_actors.exchange.server.floor import Floor

#: Every dialect by its name, which is its path prefix.
DIALECTS: dict[str, Callable[[Floor], Dialect]] = {
    "kraken": Kraken,
    "binance": Binance,
    "alpaca": Alpaca,
}
