"""The practice exchange: orders in, bars or books in, fills out; exact and deterministic."""
