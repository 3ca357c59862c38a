"""Alpaca for crypto: trading v2, market data, streams, as alpaca-py and ccxt use them."""

from tg_actors.exchange.server.dialects.alpaca.rest import Alpaca

__all__ = ["Alpaca"]
