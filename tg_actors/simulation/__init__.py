"""The whole decision-to-order path in one process: virtual clock, seeded faults, an independent checker."""
