"""One trading session on Ray as its driver sees it: trade, look, stop; survives the coordinator."""

import time
from typing import Any

from tg_actors.desk.launch import Launched
from tg_actors.desk.status import DeskStatus
from tg_actors.domain.errors import OutsideError
from tg_actors.runtime.actors import DEATHS, get

#: A coordinator that is not back after this long will not come back.
_COME_BACK_S_MAX = 180.0


class Session:
    """Drives a coordinator that may die: its ``trade`` is then asked for again, and resumes."""

    def __init__(self, desk: Launched, cycles_max: int | None) -> None:
        self._desk = desk
        self._coordinator = desk.coordinator
        self._cycles_max = cycles_max
        self._trading: Any = None
        self._asking: Any = None
        self._returning: Any = None
        self._lost_s: float | None = None
        self._stopping = False

    def prepare(self, timeout_s: float) -> None:
        """Wait until the coordinator and everybody it connects to have recovered.

        Raises:
            OutsideError: they did not come up in time.
        """
        try:
            get(self._coordinator.report.remote(), timeout_s)
        except (TimeoutError, *DEATHS) as error:
            raise OutsideError(f"the desk's actors did not start: {error}", retryable=True) from error

    def start(self) -> None:
        """Let the desk trade."""
        self._trading = self._coordinator.trade.remote(self._cycles_max)

    def stop(self) -> None:
        """Ask for a clean stop after the current cycle; may be repeated."""
        self._stopping = True
        self._coordinator.stop.remote()

    def wait(self, timeout_s: float) -> str | None:
        """Wait a while; returns why the desk has stopped, None while it trades.

        Raises:
            OutsideError: the journal failed, or the coordinator dies again and again.
        """
        try:
            why: str = get(self._trading, timeout_s)
        except TimeoutError:
            return None
        except DEATHS as death:
            self._come_back(death, timeout_s)
            return None
        return why

    def status(self) -> DeskStatus | None:
        """Return the newest status if the coordinator has answered by now, else None."""
        if self._asking is None:
            self._asking = self._coordinator.report.remote()
        try:
            newest: DeskStatus | None = get(self._asking, 0.05)
        except TimeoutError:
            return None
        except DEATHS:
            newest = None
        self._asking = None
        return newest

    def _come_back(self, death: BaseException, timeout_s: float) -> None:
        """Ask a restarted coordinator to go on; one that is still starting is asked again later."""
        now = time.monotonic()
        self._lost_s = self._lost_s or now
        if self._returning is None:
            self._returning = self._coordinator.report.remote()
        try:
            get(self._returning, timeout_s)
        except TimeoutError:
            pass
        except DEATHS:
            self._returning = None
            time.sleep(timeout_s)  # a restarting actor refuses at once; do not spin
        else:
            self._returning, self._lost_s = None, None
            self.start()
            if self._stopping:
                self.stop()
            return
        if now - self._lost_s > _COME_BACK_S_MAX:
            raise OutsideError(f"the coordinator does not come back: {death}", retryable=False) from death
