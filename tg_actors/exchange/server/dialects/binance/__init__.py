"""Binance spot: REST, the WebSocket API and the streams, as ccxt and ccxt.pro use them."""

from tg_actors.exchange.server.dialects.binance.rest import Binance

__all__ = ["Binance"]
