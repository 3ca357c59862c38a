"""The only dialect of Ray, and the only room that knows the machine: homes, clocks, locks, processes."""
