"""Ray Serve: stateless answers at low latency, fed by the desk; no reader ever calls a trading actor."""
