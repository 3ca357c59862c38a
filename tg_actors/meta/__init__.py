"""From the opinions of many agents to one set of target exposures."""
