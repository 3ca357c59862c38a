"""The vendors: one row of capabilities each, and the dialects they speak, as pure functions of JSON."""
