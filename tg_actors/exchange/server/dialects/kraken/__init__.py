"""Kraken: REST below ``/kraken/0`` and WebSocket v2 at ``/kraken/v2``, as ccxt and ccxt.pro speak them."""

from tg_actors.exchange.server.dialects.kraken.venue import Kraken

__all__ = ["Kraken"]
