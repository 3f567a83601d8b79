"""Whether a decision about what may be removed is the log's own word."""

from __future__ import annotations

from chained_logging.event.entry import AuditEntry
from chained_logging.format.record import Record
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import is_stated


def ring_of(first: Record) -> Keyring:
    """Return a ring for the keys of a log that begins with an entry."""
    try:
        context = AuditEntry(first.body, first.hash).context
    except ValueError:
        return Keyring("")
    origin = context.get("origin") if isinstance(context, dict) else None
    return Keyring(origin if isinstance(origin, str) else "")


def doubt_of(action: str, entry: AuditEntry, ring: Keyring) -> str | None:
    """Return why a decision may not be the log's own word; None if it is.

    :param action: that of the entry.
    :param ring: the keys that the log names up to there.
    """
    if ring.trouble is not None:
        return "an entry before it names a key without a statement of the log's key"
    if ring.current is None:
        return None
    if ring.current in ring.revoked:
        return "the log's key was revoked before it"
    key = VerifierKey.parse(ring.current)
    if is_stated(action, ring.origin, entry.seq, entry.prev_hash, key, entry.context):
        return None
    return "the log's key did not sign its statement"
