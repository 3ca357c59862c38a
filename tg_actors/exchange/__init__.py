"""The practice exchange: orders in, market bars in, fills out; pure, exact and deterministic."""
