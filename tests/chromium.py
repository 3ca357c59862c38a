"""A real browser, headless and without a network, driven by its command line alone."""

import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


def browse(page: Path | str, profile: Path, *flags: str, width: int = 1000, height: int = 900) -> str:
    """Open a file or an address, do what the flags say (``--dump-dom``, …), return what was printed."""
    assert CHROMIUM is not None
    command = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}", *flags]
    address = page if isinstance(page, str) else page.as_uri()
    done = subprocess.run(  # returns when the browser has ended
        [*command, address], capture_output=True, text=True, timeout=90, check=True
    )
    return done.stdout
