"""Alpaca through alpaca-py."""
