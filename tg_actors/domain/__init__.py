"""The words every room speaks: instruments, market data, opinions, intents, orders, fills, money, ids, errors."""
