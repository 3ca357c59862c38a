"""What a model is shown and what it may say, both versioned and closed."""
