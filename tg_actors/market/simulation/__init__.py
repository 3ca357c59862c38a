"""A market whose truth is known: regimes, clustered volatility, fat tails, one common factor, a book."""
