"""The words every room speaks: instruments, opinions, intents, orders, fills, money, ids, errors."""
