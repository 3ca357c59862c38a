"""Ctrl-C and SIGTERM as a wish to stop: the first is noticed, the second interrupts at once."""

import signal
from typing import Any, Self


class Interrupts:
    """Counts Ctrl-C and SIGTERM while its block runs; from the second on they raise KeyboardInterrupt."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, _: int, __: object) -> None:
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
