"""The venue's own timer that cancels everything when we fall silent; it must never take a stop away."""

from tg_actors.domain.errors import VenueError
from tg_actors.execution.protection import PROTECTIVE_LEGS
from tg_actors.execution.wire import Wire


class DeadMan:
    """Armed only while no protective order rests: the timer would cancel those too."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._timeout_s = wire.venue.capabilities.dead_man_s
        #: None after a start: who was before us may have armed it.
        self._is_armed: bool | None = None

    @property
    def every_s(self) -> int:
        """How often it must be asked again: three times within its timeout."""
        return max(self._timeout_s // 3, 1)

    def renew(self, at_ns: int) -> tuple[str, ...]:
        """Arm it again, or disarm it while something protects a position. A lost answer is asked again."""
        if not self._timeout_s:
            return ()
        if any(order.intent.leg in PROTECTIVE_LEGS for order in self._wire.state.live.values()):
            self.disarm(at_ns)
        else:
            self._set(self._timeout_s)
        return ()

    def disarm(self, at_ns: int) -> None:
        """Take it back before a protective order is placed; nothing to do when it is not armed."""
        del at_ns
        if self._timeout_s and self._is_armed is not False:
            self._set(0)

    def _set(self, timeout_s: int) -> None:
        try:
            self._wire.venue.arm_dead_man(timeout_s)
        except VenueError as lost:
            self._wire.note(lost)
            self._is_armed = None
        else:
            self._is_armed = timeout_s > 0
