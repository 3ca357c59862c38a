"""Orders from verdict to venue and back: state machine, permits, executor, protection, recovery."""
