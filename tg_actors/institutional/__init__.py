"""Institutional strategies: liquidity, smart money, volume profile, cross-asset, rebalancing; pure cores."""
