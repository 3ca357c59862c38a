"""Logging of the driving process: one file, ours at INFO, everybody else's at WARNING."""

import logging
from pathlib import Path


def log_to(path: Path) -> None:
    """Send log records to a file of the run; third parties log request headers, so they stay quiet."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("tg_actors").setLevel(logging.INFO)
