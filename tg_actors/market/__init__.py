"""The market: feeds, the border that admits rows, snapshots, history in Parquet, and a simulated market."""
