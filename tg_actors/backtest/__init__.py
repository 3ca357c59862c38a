"""Backtests: the fast replay kernel, baselines, validation, and what looks for bias."""
