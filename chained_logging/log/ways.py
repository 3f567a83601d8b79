"""How a log is signed, according to its entries.

Others may have written or changed some of them. They must not be able to keep the log's own writers
out, nor to let one in that does not sign. So a signature counts only if a key of the log made it,
and changed entries are skipped.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Iterator

from chained_logging.event.entry import AuditEntry
from chained_logging.event.fields import OURSELVES
from chained_logging.format.line import leaf_hash
from chained_logging.format.record import Head, Record, StoredCheckpoint
from chained_logging.format.vkey import VerifierKey
from chained_logging.keys.keyring import Keyring
from chained_logging.keys.statements import entry_message, made_statement
from chained_logging.sinks import Sink
from chained_logging.sinks.checkpoints import signed_by_any

_LAST = 100
"""How many entries at the end are read to find out how a log is signed, and whether they name a key
that has not signed anything yet."""


def names_key(sink: Sink, origin: str, head: Head) -> bool:
    """Whether an entry names a key, so that a writer without one is refused.

    All entries are read only if the log has checkpoints; otherwise opening a log without a key
    would take seconds. If an entry was changed, it may be the one that named the key.
    """
    first = next(_unchanged(sink, 0), None)
    if first is not None and first.seq == 0 and _named_by(first, origin):
        return True
    ring = Keyring(origin)
    for record in _unchanged(sink, max(1, head.seq - _LAST)):
        ring.look(record)
    if ring.current is not None or ring.trouble is not None:
        return True
    if not any(sink.recent_checkpoints()):
        return False
    ring, expected = Keyring(origin), 0
    for record in _unchanged(sink, 0):
        ring.look(record)
        if record.seq != expected or ring.current is not None or ring.trouble is not None:
            return True
        expected += 1
    return expected <= head.seq


def signs_each(sink: Sink, known: Iterable[VerifierKey], origin: str, head: Head) -> bool:
    """Whether the last entry that an event made bears a signature of the log.

    :param known: keys that the log has or had. All entries are asked for further ones only where
        there is a signature that none of these made.
    """
    keys = list(known)
    asked = False
    for record in reversed(list(_unchanged(sink, max(0, head.seq - _LAST)))):
        if record.signature is None:
            if _field(record, "actor_id") != OURSELVES:
                return False
            continue  # a command without the key wrote it
        if not asked and not _signed(record, keys):
            asked, ring = True, Keyring(origin)
            for each in _unchanged(sink, 0):
                ring.look(each)
            keys += ring.known
        if _signed(record, keys):
            return True
    return False


def own_checkpoints(sink: Sink) -> list[StoredCheckpoint]:
    """Return the stored checkpoints that a key of the log signed, in the order they were kept in.

    All entries are read for the keys. Where the first is missing nothing tells them, and all
    checkpoints are returned.
    """
    stored = [one for _, one in sink.checkpoints()]
    first = next(sink.readable(0), None)
    if not stored or first is None or first.seq:
        return stored
    ring = Keyring(_field(first, "resource_id") or "")
    for record in sink.readable(0):
        ring.look(record)
    return [one for one in stored if signed_by_any(one, ring.known)]


def _unchanged(sink: Sink, start: int) -> Iterator[Record]:
    for record in sink.readable(start):
        if leaf_hash(record.body) == record.hash:
            yield record


def _named_by(first: Record, origin: str) -> bool:
    ring = Keyring(origin)
    ring.look(first)
    return ring.current is not None or ring.trouble is not None


def _field(record: Record, name: str) -> str | None:
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
        return str(getattr(AuditEntry(record.body, record.hash), name))
    return None


def _signed(record: Record, keys: Iterable[VerifierKey]) -> bool:
    try:
        signature = base64.b64decode(record.signature or "", validate=True)
    except ValueError:
        return False
    message = entry_message(record.hash)
    return any(made_statement(key, message, signature) for key in keys)
