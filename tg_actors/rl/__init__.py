"""Reinforcement learning: the market as episodes, what is observed, what is rewarded, what is known exactly."""
