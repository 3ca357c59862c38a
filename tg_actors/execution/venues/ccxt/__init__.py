"""Kraken and Binance through ccxt."""
