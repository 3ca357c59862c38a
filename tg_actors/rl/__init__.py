"""Reinforcement learning: the market as episodes, what is observed, rewarded, and known exactly."""
