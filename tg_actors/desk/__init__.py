"""The decision cycle, its rosters, supervision and the coordinator: where all rooms meet."""
