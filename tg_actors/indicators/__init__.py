"""Technical indicators as pure array functions of a bounded window: the same numbers in every process."""
