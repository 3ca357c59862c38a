"""The driver of one desk in a chaos run, a process of its own as ``tg run`` is: ``python -m … FILE``.

It ends when its stdin does, so that it outlives nobody.
"""

import json
import sys
import threading
from pathlib import Path

from tg_actors.desk.config import SupervisionConfig
from tg_actors.desk.plan import DeskPlan
from tg_actors.domain.errors import OutsideError
from tg_actors.domain.message import Message
from tg_actors.runtime.cluster import ClusterSpec, cluster

_START_S_MAX = 180.0
_POLL_S = 0.5


class DriverOrder(Message):
    """Which desk to drive on which cluster."""

    plan: DeskPlan
    supervision: SupervisionConfig
    address: str
    namespace: str


def drive(order: DriverOrder) -> str:
    """Launch the desk and let it trade until stdin ends; returns why it stopped.

    Raises:
        OutsideError: the desk did not start, lost its journal, or does not come back.
    """
    with cluster(ClusterSpec(order.namespace, order.address), say) as joined:
        from tg_actors.desk.launch import crew_of, launch  # noqa: PLC0415 - Ray after its authentication
        from tg_actors.desk.session import Session  # noqa: PLC0415 - likewise

        session = Session(launch(order.plan, crew_of(order.plan, order.supervision)), None)
        session.prepare(_START_S_MAX)
        session.start()
        say("trading", joined.job_id)
        over = threading.Event()
        threading.Thread(target=_hear_the_end, args=(over,), daemon=True).start()
        while (why := session.wait(_POLL_S)) is None:
            if over.is_set():
                over.clear()
                session.stop()
        return why


def say(state: str, job_id: str = "") -> None:
    """Tell the run what the driver does, one JSON object a line; Ray marks the actors with the job."""
    sys.stdout.write(json.dumps({"state": state, "job_id": job_id}) + "\n")
    sys.stdout.flush()


def _hear_the_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


def main() -> int:
    """Read the order and drive; 0 after a clean stop, 1 when the world failed."""
    order = DriverOrder.model_validate_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        say(drive(order))
    except OutsideError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
