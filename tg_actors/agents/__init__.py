"""The kinds of agents a desk can hear: one table from a name in a file to a core that opines."""
