"""The practice exchange as a process: a durable ledger, a market that moves, and real venues' dialects."""
