"""The entries that a log writes about itself, under its own name."""

from __future__ import annotations

from typing import Final

from chained_logging.event.draft import Draft, draft
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record
from chained_logging.log.recent import RecentHashes
from chained_logging.log.signing import Signing
from chained_logging.log.state import State
from chained_logging.sinks import Notice

SYSTEM: Final = {"actor_id": OURSELVES, "actor_type": "system"}


def own_draft(notice: Notice, origin: str, **fields: str) -> Draft:
    """Return what a log has to say about itself, as an event.

    :param fields: further fields of the entry, such as ``reason``.
    """
    event = {**SYSTEM, "resource": ("audit_log", origin), "context": notice.context, **fields}
    return draft(event, action=notice.action, own=True)


class OwnEntries:
    """Writes such entries straight to the disk. The caller holds both locks."""

    def __init__(self, state: State, signing: Signing, recent: RecentHashes) -> None:
        self._state = state
        self._signing = signing
        self._recent = recent

    def write(self, what: Notice | Draft, head: Head) -> Head:
        """Write one after `head`, and return the new head.

        :raises FAILURES: if it cannot be written.
        """
        signing, sink = self._signing, self._state.sink
        entry = what if isinstance(what, Draft) else own_draft(what, signing.keyring.origin)
        body = entry.body(head.seq + 1, head.hash)
        hash = leaf_hash(body)
        signature = signing.signature(hash) if signing.each else None
        record = Record(head.seq + 1, body, hash, signature)
        sink.write([record])
        signing.keyring.look(record)
        self._recent.add([record])
        sink.sync()
        return Head(record.seq, record.hash)
