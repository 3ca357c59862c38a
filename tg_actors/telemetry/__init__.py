"""What the desk tells the outside: metric names, log records, alerts."""
