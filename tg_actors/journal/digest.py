"""One hash of what a run did, equal for equal runs on any machine, database and durability."""

import hashlib

from tg_actors.journal.readers import JournalReader
from tg_actors.journal.records import EventType

#: Decisions, orders, fills: what happened. Leases, alerts and state changes are how it was run.
DIGESTED = (EventType.CYCLE_DECIDED, EventType.ORDER_PERMITTED, EventType.ORDER_FILLED)


def digest(journal: JournalReader) -> str:
    """Return the hex SHA-256 over type and payload of every decision, permit and fill, in order.

    Numbers, epochs, owners and the machine's clock stay outside, so that a restart, another
    process or another day changes nothing.
    """
    sha = hashlib.sha256()
    for event in journal.events(DIGESTED):
        # Payloads are one line of JSON: a line end cannot occur inside.
        sha.update(f"{event.type} {event.payload}\n".encode())
    return sha.hexdigest()
