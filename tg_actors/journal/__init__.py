"""The desk's append-only memory: hash-chained events, their projections, leases, and the kill switch."""
