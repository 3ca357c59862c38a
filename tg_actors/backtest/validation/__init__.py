"""Statistics of belief: splits without leaks, overfitting, intervals, significance, evidence. Pure NumPy."""
